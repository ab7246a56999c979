#include "service/runs/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "proto/support/text.h"

extern char** environ;

namespace pilothouse::service {
namespace {

constexpr size_t kMaxLogTail = 1024;
// How soon a call that was given up is noticed.
constexpr std::chrono::milliseconds kGivenUpInterval{100};

absl::Status Failed(absl::string_view what, absl::string_view how) {
  return MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", absl::StrCat(what, ": ", how, "."),
                   {{"exit", std::string(how)}});
}

std::string Describe(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return absl::StrCat("killed by signal ", signal, " (", strsignal(signal), ")");
  }
  return absl::StrCat("exit code ", WEXITSTATUS(wait_status));
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What the child's standard streams are; -1: /dev/null for input, the log for output.
struct Streams {
  int input = -1;
  int output = -1;
  std::string log_path;
};

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                            const Streams& streams) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  const auto to_log = [&](int fd) {
    posix_spawn_file_actions_addopen(&actions, fd, streams.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  };
  if (streams.input >= 0) {
    posix_spawn_file_actions_adddup2(&actions, streams.input, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  if (streams.output >= 0) {
    posix_spawn_file_actions_adddup2(&actions, streams.output, STDOUT_FILENO);
  } else {
    to_log(STDOUT_FILENO);
  }
  to_log(STDERR_FILENO);
  // Nothing but the standard streams is inherited: a trainer must not keep the service's sockets or journals open.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> whole_environment;
  for (char** entry = environ; *entry != nullptr; ++entry) whole_environment.emplace_back(*entry);
  whole_environment.insert(whole_environment.end(), environment.begin(), environment.end());
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0].c_str(), &actions, &attributes, Pointers(argv).data(),
                                Pointers(whole_environment).data());
  if (error != 0) return Failed(absl::StrCat("Could not start ", argv[0]), strerror(error));
  return pid;
}

// Feeds `input` to `fd` and collects what comes back, until the other side closes.
absl::StatusOr<std::string> Exchange(int fd, absl::string_view input, size_t max_output,
                                     std::chrono::steady_clock::time_point deadline,
                                     const std::function<bool()>& given_up) {
  std::string output;
  std::vector<char> buffer(1 << 16);
  if (input.empty()) shutdown(fd, SHUT_WR);
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Failed("The trainer did not answer", "out of time");
    if (given_up()) return absl::CancelledError("Nobody waits for the trainer's answer any more.");
    pollfd waiting{fd, static_cast<short>(POLLIN | (input.empty() ? 0 : POLLOUT)), 0};
    if (poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, kGivenUpInterval.count()))) <= 0) continue;
    if ((waiting.revents & POLLOUT) != 0) {
      const ssize_t sent = send(fd, input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) input.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) input = {};
      if (input.empty()) shutdown(fd, SHUT_WR);
    }
    if ((waiting.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return output;
    if (got > 0) output.append(buffer.data(), static_cast<size_t>(got));
    if (output.size() > max_output)
      return Failed("The trainer's answer is too large", absl::StrCat(max_output, " bytes"));
  }
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const std::vector<std::string>& argv,
                                                 const std::vector<std::string>& environment,
                                                 const std::string& log_path) {
  absl::StatusOr<pid_t> pid = Spawn(argv, environment, {.input = -1, .output = -1, .log_path = log_path});
  if (!pid.ok()) return pid.status();
  return ChildProcess(*pid);
}

std::optional<std::string> ChildProcess::Ended() {
  int wait_status = 0;
  if (!ended_.has_value() && waitpid(pid_, &wait_status, WNOHANG) == pid_) ended_ = Describe(wait_status);
  return ended_;
}

void ChildProcess::Signal(int signal) {
  if (!Ended().has_value()) kill(pid_, signal);
}

absl::StatusOr<std::string> RunToEnd(const std::vector<std::string>& argv, absl::string_view input, size_t max_output,
                                     std::chrono::seconds timeout, const std::string& log_path,
                                     const std::function<bool()>& given_up) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return Failed("Could not start the trainer", strerror(errno));
  }
  const absl::Cleanup close_ours = [&] { close(pair[0]); };
  absl::StatusOr<pid_t> pid = Spawn(argv, {}, {.input = pair[1], .output = pair[1], .log_path = log_path});
  close(pair[1]);
  if (!pid.ok()) return pid.status();
  absl::StatusOr<std::string> output =
      Exchange(pair[0], input, max_output, std::chrono::steady_clock::now() + timeout, given_up);
  if (!output.ok()) kill(*pid, SIGKILL);
  int wait_status = 0;
  while (waitpid(*pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (output.ok() && wait_status != 0) return Failed("The trainer ended without an answer", Describe(wait_status));
  return output;
}

std::string LastLines(const std::string& path, int max_lines) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const auto size = static_cast<size_t>(file.tellg());
  const size_t length = std::min(size, kMaxLogTail);
  std::string tail(length, '\0');
  file.seekg(static_cast<std::streamoff>(size - length));
  file.read(tail.data(), static_cast<std::streamsize>(length));
  absl::string_view text = absl::StripTrailingAsciiWhitespace(tail);
  size_t begin = text.size();
  for (int lines = 0; lines < max_lines && begin != 0; ++lines) {
    const size_t end_of_previous = text.rfind('\n', begin - 1);
    if (end_of_previous == absl::string_view::npos) {
      begin = 0;
      break;
    }
    begin = end_of_previous;
  }
  return ValidUtf8(absl::StripPrefix(text.substr(begin), "\n"));
}

std::string NotedExit(const std::string& lock_path) {
  std::ifstream file(lock_path);
  std::string id;
  std::string note;
  int code = 0;
  if (!std::getline(file, id) || !std::getline(file, note)) return "";
  absl::string_view rest = note;
  return absl::ConsumePrefix(&rest, "exit code ") && absl::SimpleAtoi(rest, &code) ? absl::StrCat("exit code ", code)
                                                                                   : "";
}

bool IsLocked(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(fd);
  return locked;
}

}  // namespace pilothouse::service
