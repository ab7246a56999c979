// Trainer processes: starting them in sessions of their own, and learning how they ended.
#ifndef PILOTHOUSE_SERVICE_RUNS_PROCESS_H_
#define PILOTHOUSE_SERVICE_RUNS_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::service {

// A child process in its own session, so that no signal meant for the service's terminal or group reaches it.
// Destroying the object leaves the process running. Not thread-safe.
class ChildProcess {
 public:
  // Starts argv[0] (an absolute path) with the service's environment plus `environment` ("NAME=value"). Standard input
  // is empty; output and errors are appended to `log_path`. Fails with TRAINER_FAILED.
  static absl::StatusOr<ChildProcess> Start(const std::vector<std::string>& argv,
                                            const std::vector<std::string>& environment, const std::string& log_path);

  pid_t pid() const { return pid_; }

  // How it ended ("exit code 1", "killed by signal 9 (Killed)"), or nullopt while it runs. Never waits.
  std::optional<std::string> Ended();

  // Sends `signal` unless it has ended.
  void Signal(int signal);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  std::optional<std::string> ended_;
};

// Runs argv to its end with `input` on standard input; returns its standard output. Errors go to `log_path`. Fails with
// TRAINER_FAILED when it cannot be started, exits with another code than 0, prints more than `max_output` bytes, or is
// not done by `timeout`; with CANCELLED soon after `given_up` has become true. It is then killed. Blocks. Thread-safe.
absl::StatusOr<std::string> RunToEnd(const std::vector<std::string>& argv, absl::string_view input, size_t max_output,
                                     std::chrono::seconds timeout, const std::string& log_path,
                                     const std::function<bool()>& given_up);

// The last lines of a text file, at most `max_lines` and about 1 KiB; as valid UTF-8; empty if it cannot be
// read.
std::string LastLines(const std::string& path, int max_lines);

// What the process that held the lock last wrote into the file about how it would end ("exit code 4"). Empty: nothing,
// so it was killed, or there is no such file.
std::string NotedExit(const std::string& lock_path);

// Whether some process holds a lock (flock) on the file. False if there is no such file.
bool IsLocked(const std::string& path);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_PROCESS_H_
