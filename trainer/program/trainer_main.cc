#include "trainer/program/trainer_main.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "proto/support/exit_code.h"
#include "proto/support/log.h"
#include "trainer/channel/link.h"
#include "trainer/channel/run_host.h"
#include "trainer/channel/run_spec.h"
#include "trainer/channel/saved_query.h"
#include "trainer/program/replay_command.h"

namespace pilothouse::trainer {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

constexpr char kTokenVariable[] = "PILOTHOUSE_TRAINER_TOKEN";

constexpr char kHelp[] =
    R"(pilothouse-trainer: trains one run. Started by pilothoused, not by people.

Usage:
  pilothouse-trainer --service ADDRESS --run RUN_ID [--orphan-timeout 24h]
  pilothouse-trainer --saved-query
  pilothouse-trainer --replay DIRECTORY [--data FILE]... [--data-dir DIRECTORY] [--through N] [--json]

  --service ADDRESS         where the service waits for trainers: unix:/path/to/socket
  --run RUN_ID              the run to train. Its description, data and folder come from the service
  --orphan-timeout DURATION without a service for so long, make a checkpoint and end (default: 24h)
  --saved-query             read a SavedQuery message from standard input, write an Answer to standard output
)";

constexpr char kMoreHelp[] =
    R"(  --help, --version

The environment variable PILOTHOUSE_TRAINER_TOKEN holds what the trainer identifies itself with.
The log goes to standard error. SIGTERM makes a checkpoint and ends the process, not the run: the service, or the next one,
goes on with it. SIGINT and SIGHUP are ignored.

Exit codes: 0 the run has ended, 1 no service takes this trainer, 2 usage, 3 the run cannot be built, 4 the process was
told to end. Of --replay: 0 the run is identical, 1 it is not, 2 usage, 3 it cannot be gone through.
)";

struct Arguments {
  std::string service;
  std::string run_id;
  absl::Duration orphan_timeout = absl::Hours(24);
  bool saved_query = false;
};

int UsageError(absl::string_view message) {
  std::cerr << "pilothouse-trainer: " << message << "\nTry pilothouse-trainer --help.\n";
  return kExitUsage;
}

// Returns what is wrong, or nothing.
std::optional<std::string> Parse(const std::vector<std::string>& words, Arguments& arguments) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& option = words[i];
    if (option == "--saved-query") {
      arguments.saved_query = true;
      continue;
    }
    if (option != "--service" && option != "--run" && option != "--orphan-timeout") {
      return absl::StrCat("unknown argument ", option);
    }
    if (i + 1 == words.size()) return absl::StrCat(option, " needs a value");
    const std::string& value = words[++i];
    if (option == "--service") arguments.service = value;
    if (option == "--run") arguments.run_id = value;
    if (option == "--orphan-timeout" &&
        (!absl::ParseDuration(value, &arguments.orphan_timeout) || arguments.orphan_timeout < absl::ZeroDuration() ||
         arguments.orphan_timeout > absl::Hours(24 * 365 * 100))) {
      return absl::StrCat("--orphan-timeout takes a duration such as 24h or 90m, not ", value);
    }
  }
  if (arguments.saved_query) {
    if (words.size() > 1) return "--saved-query stands alone";
    return std::nullopt;
  }
  if (arguments.service.empty() || arguments.run_id.empty()) return "--service and --run are needed";
  return std::nullopt;
}

int AnswerSavedQuery(const PluginKinds& kinds) {
  const std::string input{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  v1::SavedQuery query;
  if (!query.ParseFromString(input)) return UsageError("standard input holds no SavedQuery message");
  std::cout << AnswerSaved(query, kinds).SerializeAsString() << std::flush;
  return std::cout.good() ? 0 : kExitFailed;
}

std::string TakeToken() {
  char* token = getenv(kTokenVariable);
  if (token == nullptr) return "";
  std::string taken = token;
  // Wiped as well: /proc shows the environment as it was at the start.
  std::fill(token, token + taken.size(), '\0');
  unsetenv(kTokenVariable);
  return taken;
}

// A run must survive whatever befalls the terminal or the service it was started from.
void IgnoreSignals() {
  for (const int ignored : {SIGINT, SIGHUP, SIGPIPE}) signal(ignored, SIG_IGN);
}

// Ends the process on SIGTERM, with its run in good order. REQUIRES: no thread was started yet, so that all of them
// inherit the mask.
class TerminationWatch {
 public:
  TerminationWatch() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // From now on; `host` must live as long as the process.
  void Begin(RunHost& host) {
    std::thread([this, &host] {
      int received = 0;
      while (sigwait(&signals_, &received) == 0) {
        host.Suspend("The trainer was told to end.");
      }
    }).detach();
  }

 private:
  sigset_t signals_;
};

int ExitCode(LinkEnd end) {
  switch (end) {
    case LinkEnd::kStopped:
      return EXIT_SUCCESS;
    case LinkEnd::kSuspended:
      return kExitSuspended;
    case LinkEnd::kNoService:
    case LinkEnd::kBroken:
    case LinkEnd::kRemoved:
      return kExitFailed;
    case LinkEnd::kSpecRefused:
      return kExitSpecRefused;
  }
  return kExitFailed;
}

int Train(const Arguments& arguments, const std::shared_ptr<const PluginKinds>& kinds) {
  IgnoreSignals();
  // Both are referred to by the watching thread, which ends with the process only.
  static TerminationWatch termination;
  auto* host = new RunHost([kinds](const v1::Welcome& welcome) { return BuildRun(welcome, kinds); });
  termination.Begin(*host);
  const std::string token = TakeToken();
  Log(absl::StrCat("trainer ", getpid(), " of run ", arguments.run_id, " started"));
  LinkOptions options;
  options.service = arguments.service;
  options.orphan_timeout = absl::ToChronoNanoseconds(arguments.orphan_timeout);
  const LinkEnd end = Link(options, {arguments.run_id, token}, *host).Run();
  const int code = ExitCode(end);
  host->NoteExit(code);
  Log(absl::StrCat("ended with exit code ", code));
  // Nothing is left to save, and no thread to wait for.
  std::_Exit(code);
}

int Main(const std::vector<std::string>& words, PluginKinds plugin_kinds) {
  const auto kinds = std::make_shared<const PluginKinds>(std::move(plugin_kinds));
  for (const std::string& word : words) {
    if (word == "--help") {
      std::cout << kHelp << kReplayHelp << kMoreHelp;
      return 0;
    }
    if (word == "--version") {
      std::cout << "pilothouse-trainer " << PILOTHOUSE_VERSION << "\n";
      return 0;
    }
  }
  if (!words.empty() && words[0] == kReplayOption) return ReplayCommand(words, std::cout, std::cerr);
  Arguments arguments;
  if (const std::optional<std::string> error = Parse(words, arguments)) return UsageError(*error);
  return arguments.saved_query ? AnswerSavedQuery(*kinds) : Train(arguments, kinds);
}

}  // namespace

int TrainerMain(int argc, char** argv, PluginKinds plugin_kinds) {
  return Main({argv + 1, argv + argc}, std::move(plugin_kinds));
}

}  // namespace pilothouse::trainer
