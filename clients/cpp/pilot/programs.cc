#include "clients/cpp/pilot/programs.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace pilothouse::client {
namespace {

constexpr char kTrainer[] = "pilothouse-trainer";
// Imports nothing, so that it is quick.
constexpr char kHasPackage[] = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pilothouse') is None)";

std::string FromEnvironment(const char* variable) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

std::vector<char*> Pointers(const std::vector<std::string>& command) {
  std::vector<char*> pointers;
  for (const std::string& word : command) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status CannotRun(const std::string& program, int error) {
  return absl::NotFoundError(absl::StrCat("cannot run ", program, " (", std::strerror(error), ")."));
}

}  // namespace

std::string TrainerProgram() {
  if (std::string given = FromEnvironment("PILOTHOUSE_TRAINER"); !given.empty()) return given;
  std::error_code error;
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / kTrainer;
  return !error && std::filesystem::exists(beside, error) ? beside.string() : kTrainer;
}

std::string PythonProgram() {
  const std::string given = FromEnvironment("PILOTHOUSE_PYTHON");
  return given.empty() ? "python3" : given;
}

absl::Status CheckPythonPackage(const std::string& python) {
  const std::vector<std::string> command = {python, "-c", kHasPackage};
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, python.c_str(), nullptr, nullptr, Pointers(command).data(), environ);
  if (failed != 0) {
    return absl::NotFoundError(absl::StrCat(std::string(CannotRun(python, failed).message()),
                                            " Say with PILOTHOUSE_PYTHON which Python has the package pilothouse."));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      python, " has no package pilothouse, which writes this format. Install it in a checkout of this project (",
      python,
      " -m pip install 'clients/python[tensorboard]'), or say with PILOTHOUSE_PYTHON which Python "
      "has it."));
}

absl::Status Become(const std::vector<std::string>& command) {
  std::fflush(stdout);
  execvp(command[0].c_str(), Pointers(command).data());
  return CannotRun(command[0], errno);
}

}  // namespace pilothouse::client
