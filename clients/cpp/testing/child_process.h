// Runs a program as a person or a script would, for tests.
#ifndef PILOTHOUSE_CLIENTS_CPP_TESTING_CHILD_PROCESS_H_
#define PILOTHOUSE_CLIENTS_CPP_TESTING_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace pilothouse::client {

// A program whose output can be read while it runs. Killed at destruction if it still runs. One thread only.
class ChildProcess {
 public:
  enum class Output {
    // Standard output is a pipe; standard error is kept apart.
    kPipe,
    // Both go to a terminal of 24 rows and 80 columns.
    kTerminal,
  };

  // `command`: program and arguments. `environment`: "NAME=value", added to this process's.
  ChildProcess(const std::vector<std::string>& command, const std::vector<std::string>& environment,
               Output output = Output::kPipe);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Reads until the output holds `text`. False: it ended, or half a minute passed, before that.
  bool ReadUntil(const std::string& text);
  void Signal(int signal) const;
  // Reads to the end and waits. The exit code, or 128 and the number of the signal that ended it.
  int Wait();

  // What was read so far.
  const std::string& output() const { return output_; }
  // REQUIRES: Wait was called.
  std::string errors() const;

 private:
  // False at the end of the output, or when a second passed without any.
  bool ReadSome(bool& ended);

  pid_t pid_ = -1;
  int output_fd_ = -1;
  int error_fd_ = -1;
  bool waited_ = false;
  std::string output_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_TESTING_CHILD_PROCESS_H_
