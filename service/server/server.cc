#include "service/server/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/limits.h"
#include "proto/support/log.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

constexpr char kUnixPrefix[] = "unix:";
// A unix socket's path has at most 107 characters.
constexpr size_t kMaxSocketPath = 107;
// Threads for work that blocks, and what may wait for them: starts and uploads; watchers that read history; questions
// to runs that have ended. Each have their own, so that none holds up the others.
constexpr int kPoolThreads = 4;
constexpr int kHistoryThreads = 2;
constexpr int kSavedThreads = 2;
constexpr size_t kMaxPooledWork = 4096;
constexpr size_t kMaxSavedQueries = 16;
// Memory for messages on their way, of all connections together, and calls on one connection at a time.
constexpr size_t kTransportBytes = size_t{1} << 30;
constexpr int kMaxCallsPerConnection = 2000;
// What is left of calls when the service ends has so long to finish.
constexpr std::chrono::seconds kDrainTime{2};

std::string HostOf(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  return colon == std::string::npos ? listen : listen.substr(0, colon);
}

// Where trainers attach: in the data directory, or, where that path is too long for a socket, in a private folder of
// this user under /tmp with a name made from the data directory, so that trainers find it again after a restart.
absl::StatusOr<std::string> TrainerSocketPath(const std::string& data_directory) {
  const std::string path = absl::StrCat(data_directory, "/trainers.sock");
  if (path.size() <= kMaxSocketPath) return path;
  const std::string folder = absl::StrCat("/tmp/pilothouse-", getuid());
  struct stat info = {};
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::UnavailableError(absl::StrCat("Could not make ", folder, ": ", strerror(errno), "."));
  }
  if (lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != getuid() ||
      (info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder,
                     " must be a folder of this user that nobody else may enter; remove it, or use a data directory "
                     "with a shorter path."));
  }
  return absl::StrCat(folder, "/", absl::Hex(std::hash<std::string>()(data_directory), absl::kZeroPad16), ".sock");
}

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("pilothoused").Resize(kTransportBytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCallsPerConnection);
  // Otherwise two services on one port would each get some of the calls, and neither would know.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Clients that keep their connection alive with pings every 10 s or more are welcome, also while nothing is called.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // A watcher whose machine has vanished is noticed.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
}

}  // namespace

// Holds <data>/service.lock for as long as the service lives.
class Server::DirectoryLock {
 public:
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& directory) {
    const std::string path = absl::StrCat(directory, "/service.lock");
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return absl::UnavailableError(absl::StrCat("Could not open ", path, ": ", strerror(errno), "."));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      close(fd);
      return absl::FailedPreconditionError(absl::StrCat("Another pilothoused serves ", directory,
                                                        ". Stop it, or give this one another --data directory."));
    }
    return std::unique_ptr<DirectoryLock>(new DirectoryLock(fd));
  }
  ~DirectoryLock() { close(fd_); }

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  const int fd_;
};

absl::Status CheckListenAddress(const std::string& listen) {
  if (absl::StartsWith(listen, kUnixPrefix)) return absl::OkStatus();
  const std::string host = HostOf(listen);
  int port = -1;
  const bool has_port = host.size() < listen.size() && absl::SimpleAtoi(listen.substr(host.size() + 1), &port);
  if (!has_port || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", listen, "\" has no port; give HOST:PORT, with port 0 for any free one."));
  }
  in_addr address = {};
  const bool loopback =
      inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == IN_LOOPBACKNET;
  if (loopback || host == "localhost" || host == "[::1]") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", listen,
      "\" is not on the loopback interface. Whoever reaches this service can steer its runs, so it listens on "
      "127.0.0.1, localhost, [::1] or unix:/PATH only. To reach it from another machine, forward the port: "
      "ssh -L 50051:localhost:50051 THIS-MACHINE."));
}

Server::Server(ServerOptions options) : options_(std::move(options)) {}

Server::~Server() { Shutdown(/*stop_runs=*/false); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options) {
  if (absl::Status address = CheckListenAddress(options.listen); !address.ok()) return address;
  if (access(options.trainer_program.c_str(), X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("The trainer program \"", options.trainer_program,
                                            "\" cannot be run: ", strerror(errno), ". Name it with --trainer."));
  }
  std::unique_ptr<Server> server(new Server(std::move(options)));
  absl::Status opened = server->Open();
  if (opened.ok()) opened = server->Listen();
  if (!opened.ok()) return opened;
  return server;
}

absl::Status Server::Open() {
  std::error_code error;
  fs::create_directories(options_.data_directory, error);
  if (!error) options_.data_directory = fs::canonical(options_.data_directory, error).string();
  if (!error) options_.trainer_program = fs::canonical(options_.trainer_program, error).string();
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("Could not use the data directory ", options_.data_directory, ": ", error.message(), "."));
  }
  absl::StatusOr<std::unique_ptr<DirectoryLock>> lock = DirectoryLock::Take(options_.data_directory);
  if (!lock.ok()) return lock.status();
  lock_ = *std::move(lock);
  absl::StatusOr<std::unique_ptr<DatasetStore>> datasets =
      DatasetStore::Open(options_.data_directory, options_.max_dataset_bytes);
  if (!datasets.ok()) return datasets.status();
  datasets_ = *std::move(datasets);
  pool_ = std::make_unique<WorkPool>(kPoolThreads, kMaxPooledWork);
  saved_pool_ = std::make_unique<WorkPool>(kSavedThreads, kMaxSavedQueries);
  history_pool_ = std::make_unique<WorkPool>(kHistoryThreads, kMaxPooledWork);
  watches_ = std::make_unique<WatchRegistry>();
  return absl::OkStatus();
}

absl::Status Server::Listen() {
  const absl::StatusOr<std::string> socket = TrainerSocketPath(options_.data_directory);
  if (!socket.ok()) return socket.status();
  // The lock on the directory says that whatever is there is a dead service's.
  unlink(socket->c_str());
  const std::string trainer_address = absl::StrCat(kUnixPrefix, *socket);
  absl::StatusOr<std::unique_ptr<RunRegistry>> runs = RunRegistry::Open({.data_directory = options_.data_directory,
                                                                         .trainer_program = options_.trainer_program,
                                                                         .trainer_address = trainer_address,
                                                                         .max_live_runs = options_.max_live_runs,
                                                                         .orphan_timeout = options_.orphan_timeout,
                                                                         .journal_sync = options_.journal_sync,
                                                                         .max_restarts = options_.max_restarts},
                                                                        *datasets_, *pool_, *saved_pool_);
  if (!runs.ok()) return runs.status();
  runs_ = *std::move(runs);
  // Both before the first of gRPC's threads, which call them.
  trainer_channel_ = std::make_unique<TrainerChannelService>(*runs_);
  training_control_ = std::make_unique<TrainingControlService>(*runs_, *datasets_, *watches_, *pool_, *history_pool_);
  if (absl::Status listening = ListenForTrainers(trainer_address); !listening.ok()) return listening;
  return ListenForClients();
}

absl::Status Server::ListenForTrainers(const std::string& address) {
  grpc::ServerBuilder builder;
  SetLimits(builder);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(trainer_channel_.get());
  trainer_server_ = builder.BuildAndStart();
  if (trainer_server_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("Could not listen for trainers on ", address, "."));
}

absl::Status Server::ListenForClients() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetLimits(builder);
  int port = 0;
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(training_control_.get());
  client_server_ = builder.BuildAndStart();
  if (client_server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("Could not listen on ", options_.listen,
                     ": it is most likely in use. Choose another with --listen (port 0 takes any "
                     "free one)."));
  }
  const bool is_socket = absl::StartsWith(options_.listen, kUnixPrefix);
  address_ = is_socket ? options_.listen : absl::StrCat(HostOf(options_.listen), ":", port);
  client_server_->GetHealthCheckService()->SetServingStatus(true);
  return absl::OkStatus();
}

void Server::Shutdown(bool stop_runs) {
  if (std::exchange(shut_down_, true)) return;
  if (client_server_ != nullptr) client_server_->GetHealthCheckService()->SetServingStatus(false);
  // Watchers see their runs stop, if they do; after this everybody who waits has an answer.
  if (runs_ != nullptr) runs_->Shutdown(stop_runs, kStopPatience);
  if (watches_ != nullptr) watches_->FinishAll();
  const auto deadline = std::chrono::system_clock::now() + kDrainTime;
  if (client_server_ != nullptr) client_server_->Shutdown(deadline);
  if (trainer_server_ != nullptr) trainer_server_->Shutdown(deadline);
  if (watches_ != nullptr) watches_->AwaitNone();
  if (history_pool_ != nullptr) history_pool_->Shutdown();
  if (saved_pool_ != nullptr) saved_pool_->Shutdown();
  if (pool_ != nullptr) pool_->Shutdown();
}

}  // namespace pilothouse::service
