// pilothoused as an object: everything a service consists of, from its data directory to its ports.
//
//   auto server = Server::Start({.data_directory = "/var/lib/pilothouse", .listen = "127.0.0.1:50051", …});
//   …
//   (*server)->Shutdown(/*stop_runs=*/false);
#ifndef PILOTHOUSE_SERVICE_SERVER_SERVER_H_
#define PILOTHOUSE_SERVICE_SERVER_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/journal/work_pool.h"
#include "service/rpc/trainer_channel_service.h"
#include "service/rpc/training_control_service.h"
#include "service/runs/dataset_store.h"
#include "service/runs/run_registry.h"
#include "service/watch/watch_registry.h"

namespace pilothouse::service {

inline constexpr char kDefaultListen[] = "127.0.0.1:50051";
inline constexpr int64_t kDefaultMaxDatasetBytes = int64_t{1} << 30;
// How long Shutdown waits for runs it was told to stop, before it kills their trainers.
inline constexpr std::chrono::seconds kStopPatience{20};

struct ServerOptions {
  // Made if it does not exist, readable by its owner only. One service at a time.
  std::string data_directory = {};
  // "HOST:PORT" with a host of the loopback interface (port 0: any free one), or "unix:/PATH".
  std::string listen = kDefaultListen;
  // The program pilothouse-trainer.
  std::string trainer_program = {};
  int64_t max_dataset_bytes = kDefaultMaxDatasetBytes;
  size_t max_live_runs = kMaxLiveRuns;
  absl::Duration orphan_timeout = kOrphanTimeout;
  // As in RegistryOptions.
  JournalSync journal_sync = JournalSync::kFull;
  // As in RegistryOptions.
  int max_restarts = kMaxRestarts;
};

// OK if `listen` is reachable from this machine only; otherwise a sentence that says why and what to do instead.
absl::Status CheckListenAddress(const std::string& listen);

class Server {
 public:
  // Serves when it returns. Errors are sentences for whoever starts the service: the directory is in use, the port is
  // taken, the trainer is not there, the address is not of this machine.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options);
  // As Shutdown(false).
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // What clients dial: as in `listen`, with the port that was bound.
  const std::string& address() const { return address_; }

  // Ends everything in order: watchers are told, nothing is journaled any more, connections are closed. With
  // `stop_runs`, runs are stopped first; otherwise their trainers go on and attach again when a service for this
  // directory starts. May be called again. Not thread-safe.
  void Shutdown(bool stop_runs);

 private:
  class DirectoryLock;
  explicit Server(ServerOptions options);

  absl::Status Open();
  absl::Status Listen();
  absl::Status ListenForTrainers(const std::string& address);
  absl::Status ListenForClients();

  ServerOptions options_;
  std::string address_;
  bool shut_down_ = false;

  // In the order in which they are needed; destroyed in reverse.
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<DatasetStore> datasets_;
  std::unique_ptr<WorkPool> pool_;
  std::unique_ptr<WorkPool> history_pool_;
  std::unique_ptr<WorkPool> saved_pool_;
  std::unique_ptr<WatchRegistry> watches_;
  std::unique_ptr<RunRegistry> runs_;
  std::unique_ptr<TrainingControlService> training_control_;
  std::unique_ptr<TrainerChannelService> trainer_channel_;
  std::unique_ptr<grpc::Server> trainer_server_;
  std::unique_ptr<grpc::Server> client_server_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_SERVER_SERVER_H_
