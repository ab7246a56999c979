// Cold start of the service: from starting the program to the moment it serves, on an empty directory, against the same
// program when all it does is to print its version.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/statistics.h"

extern char** environ;

namespace pilothouse::bench {
namespace {

namespace fs = std::filesystem;

pid_t Start(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), PILOTHOUSED);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  if (posix_spawn(&pid, PILOTHOUSED, &actions, nullptr, argv.data(), environ) != 0) std::abort();
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

void AwaitEnd(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) std::abort();
}

void BM_ColdStart(benchmark::State& state) {
  std::vector<double> version;
  std::vector<double> serving;
  std::vector<double> ending;
  for (auto _ : state) {
    version.push_back(SecondsOf([] { AwaitEnd(Start({"--version"})); }));
    std::string directory = fs::temp_directory_path().string() + "/pilothouse-bench-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) std::abort();
    const std::string address = directory + "/address";
    pid_t pid = 0;
    // The program writes its address once it serves; 100 µs is fine enough for a start of milliseconds.
    serving.push_back(SecondsOf([&] {
      pid = Start({"--data", directory, "--listen", "127.0.0.1:0", "--address-file", address});
      while (!fs::exists(address)) usleep(100);
    }));
    ending.push_back(SecondsOf([&] {
      kill(pid, SIGTERM);
      AwaitEnd(pid);
    }));
    fs::remove_all(directory);
  }
  state.counters["version_ms"] = 1e3 * Median(version);
  state.counters["serving_ms"] = 1e3 * Median(serving);
  state.counters["ending_ms"] = 1e3 * Median(ending);
  state.counters["serving/version"] = Median(serving) / Median(version);
}
BENCHMARK(BM_ColdStart)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
