// pilothoused: serves until it is told to end.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/support/log.h"
#include "service/server/server.h"

namespace {

namespace fs = std::filesystem;
using pilothouse::Log;
using pilothouse::service::JournalSync;
using pilothouse::service::Server;
using pilothouse::service::ServerOptions;

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// Of --journal-sync.
constexpr char kSyncFull[] = "full";
constexpr char kSyncNormal[] = "normal";

struct Settings {
  ServerOptions server;
  std::string orphan_timeout;
  std::string journal_sync = kSyncFull;
  std::string address_file;
  bool stop_runs_on_exit = false;
  bool exit_with_parent = false;
};

std::string DefaultDataDirectory() {
  if (const char* data = std::getenv("PILOTHOUSE_DATA")) return data;
  if (const char* data = std::getenv("XDG_DATA_HOME")) return absl::StrCat(data, "/pilothouse");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home != nullptr ? home : ".", "/.local/share/pilothouse");
}

// Beside this program.
std::string DefaultTrainer() {
  std::error_code error;
  return (fs::read_symlink("/proc/self/exe", error).parent_path() / "pilothouse-trainer").string();
}

// For CLI11: what is wrong with a duration, or nothing.
std::string CheckDuration(const std::string& text) {
  absl::Duration duration;
  const bool valid =
      absl::ParseDuration(text, &duration) && duration > absl::ZeroDuration() && duration < absl::Hours(876'000);
  return valid ? "" : absl::StrCat("a duration such as 24h or 90m is expected, not ", text);
}

void Declare(CLI::App& app, Settings& settings) {
  app.description(
      "pilothoused starts training runs, keeps their journals, and lets clients watch and steer them.\n"
      "It listens on this machine only. End it with Ctrl-C or SIGTERM: runs go on training without it, and are found\n"
      "again when it is started on the same data directory.");
  settings.server.data_directory = DefaultDataDirectory();
  settings.server.trainer_program = DefaultTrainer();
  app.add_option("--data", settings.server.data_directory,
                 "Directory of runs, datasets and files (default: $PILOTHOUSE_DATA, or ~/.local/share/pilothouse)");
  app.add_option("--listen", settings.server.listen,
                 "Loopback HOST:PORT for clients (port 0: any free one), or unix:/PATH (default: 127.0.0.1:50051)");
  app.add_option("--address-file", settings.address_file,
                 "Write the address clients dial into this file once serving; removed at the end");
  app.add_option("--trainer", settings.server.trainer_program,
                 "The program pilothouse-trainer (default: beside this one)");
  app.add_option("--max-dataset-bytes", settings.server.max_dataset_bytes, "Largest dataset taken (default: 1 GiB)")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-runs", settings.server.max_live_runs, "Most runs alive at once (default: 256)")
      ->check(CLI::PositiveNumber);
  app.add_option("--orphan-timeout", settings.orphan_timeout,
                 "How long a run goes on training without any service before it makes a checkpoint and ends, for the\n"
                 "next service to go on with, such as 90m (default: 24h)")
      ->check(CheckDuration);
  app.add_option(
         "--journal-sync", settings.journal_sync,
         "full: a change is acknowledged when it is on the disk. normal: when the operating system has it, which\n"
         "is quicker; what was acknowledged last is then lost if the machine crashes, though not if the service\n"
         "does (default: full)")
      ->check(CLI::IsMember({kSyncFull, kSyncNormal}))
      ->option_text("full|normal");
  app.add_option("--max-restarts", settings.server.max_restarts,
                 "How often in a row a trainer that died is started again without its run coming further, before the\n"
                 "run has FAILED; 0: never (default: 3)")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--stop-runs-on-exit", settings.stop_runs_on_exit,
               "Stop all runs, saving their parameters, before ending");
  app.add_flag("--exit-with-parent", settings.exit_with_parent, "End when the process that started this one is gone");
  app.set_version_flag("--version", absl::StrCat("pilothoused ", PILOTHOUSE_VERSION));
}

// Whole or not at all: whoever waits for the file reads a complete address.
bool WriteAddress(const std::string& path, const std::string& address) {
  const std::string temporary = absl::StrCat(path, ".", getpid());
  std::ofstream(temporary) << address << "\n";
  return std::rename(temporary.c_str(), path.c_str()) == 0;
}

// Runs, watchers and uploads all have open files; the soft limit of most systems is for interactive programs.
void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

void WaitForTheEnd(const sigset_t& signals, bool exit_with_parent, pid_t parent) {
  const timespec patience = {.tv_sec = 0, .tv_nsec = 500'000'000};
  while (true) {
    const int signal = sigtimedwait(&signals, nullptr, exit_with_parent ? &patience : nullptr);
    if (signal > 0) return Log(absl::StrCat("ending on ", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
    if (exit_with_parent && getppid() != parent) return Log("ending, since the process that started this one is gone");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const pid_t parent = getppid();
  Settings settings;
  CLI::App app;
  Declare(app, settings);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (!settings.orphan_timeout.empty()) {
    absl::ParseDuration(settings.orphan_timeout, &settings.server.orphan_timeout);
  }
  if (settings.journal_sync == kSyncNormal) settings.server.journal_sync = JournalSync::kNormal;
  // Everything under the data directory is its owner's alone.
  umask(077);
  RaiseFileLimit();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  // Blocked before there is any thread, so that no thread but this one ever takes them.
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto server = Server::Start(settings.server);
  if (!server.ok()) {
    std::cerr << "pilothoused: " << server.status().message() << "\n";
    return kExitFailed;
  }
  if (!settings.address_file.empty() && !WriteAddress(settings.address_file, (*server)->address())) {
    std::cerr << "pilothoused: could not write " << settings.address_file << "\n";
    return kExitFailed;
  }
  Log(absl::StrCat("serving ", settings.server.data_directory, " on ", (*server)->address()));
  WaitForTheEnd(signals, settings.exit_with_parent, parent);
  if (!settings.address_file.empty()) std::remove(settings.address_file.c_str());
  (*server)->Shutdown(settings.stop_runs_on_exit);
  Log("ended");
  return 0;
}
