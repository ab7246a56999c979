#include "clients/cpp/testing/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

namespace pilothouse::client {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);
constexpr int kPollMilliseconds = 1000;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// An unnamed file.
int TemporaryFile() {
  char name[] = "/tmp/pilothouse-test-XXXXXX";
  const int fd = mkostemp(name, O_CLOEXEC);
  unlink(name);
  return fd;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                           Output output)
    : error_fd_(TemporaryFile()) {
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  int output_end = -1;
  if (output == Output::kTerminal) {
    winsize size = {24, 80, 0, 0};
    if (openpty(&output_fd_, &output_end, nullptr, nullptr, &size) != 0) throw std::runtime_error("openpty");
    fcntl(output_fd_, F_SETFD, FD_CLOEXEC);
  } else {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    output_fd_ = ends[0];
    output_end = ends[1];
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output_end, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output == Output::kTerminal ? output_end : error_fd_, STDERR_FILENO);
  const int failed =
      posix_spawnp(&pid_, command[0].c_str(), &actions, nullptr, Pointers(command).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(output_end);
  if (failed != 0) throw std::runtime_error("cannot run " + command[0]);
}

ChildProcess::~ChildProcess() {
  if (!waited_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_fd_);
  close(error_fd_);
}

bool ChildProcess::ReadSome(bool& ended) {
  pollfd waiting = {output_fd_, POLLIN, 0};
  if (poll(&waiting, 1, kPollMilliseconds) <= 0) return false;
  char buffer[4096];
  const ssize_t count = read(output_fd_, buffer, sizeof(buffer));
  // A terminal whose other side is closed answers with an error.
  ended = count <= 0;
  if (count > 0) output_.append(buffer, static_cast<size_t>(count));
  return !ended;
}

bool ChildProcess::ReadUntil(const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool ended = false;
  while (output_.find(text) == std::string::npos) {
    if (ended || std::chrono::steady_clock::now() > deadline) return false;
    ReadSome(ended);
  }
  return true;
}

void ChildProcess::Signal(int signal) const { kill(pid_, signal); }

int ChildProcess::Wait() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool ended = false;
  while (!ended && std::chrono::steady_clock::now() < deadline) ReadSome(ended);
  if (!ended) kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  waited_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ChildProcess::errors() const {
  std::string text;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = pread(error_fd_, buffer, sizeof(buffer), static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

}  // namespace pilothouse::client
