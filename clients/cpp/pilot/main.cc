// The command line of Pilothouse.
#include <algorithm>
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "clients/cpp/pilot/command_line.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/completion.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/session.h"

namespace pilothouse::client {
namespace {

int PrintText(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return kExitSuccess;
}

int PrintCompletions(std::vector<std::string> words) {
  words.erase(words.begin());
  for (const std::string& candidate : Complete(words, FetchRunIds)) std::printf("%s\n", candidate.c_str());
  return kExitSuccess;
}

int Run(const Arguments& arguments) {
  if (arguments.command == Command::kCompletion) return PrintText(CompletionScript(arguments.shell));
  if (arguments.command == Command::kReplay) return RunReplay(arguments);
  const absl::StatusOr<Session> session = Session::Open(arguments.global);
  if (!session.ok()) return PrintError(session.status(), ExitCodeOf(session.status()), arguments.global.json);
  switch (arguments.command) {
    case Command::kStart:
      return RunStart(*session, arguments);
    case Command::kRuns:
      return RunRuns(*session, arguments);
    case Command::kState:
      return RunState(*session, arguments);
    case Command::kWatch:
      return RunWatch(*session, arguments);
    case Command::kCheckpoint:
      return RunCheckpoint(*session, arguments);
    case Command::kCheckpoints:
      return RunCheckpoints(*session, arguments);
    case Command::kFork:
      return RunFork(*session, arguments);
    case Command::kHistory:
      return RunHistory(*session, arguments);
    case Command::kExport:
      return RunExport(*session, arguments);
    case Command::kPluginList:
      return RunPluginList(*session, arguments);
    case Command::kPluginKinds:
      return RunPluginKinds(*session, arguments);
    case Command::kPredict:
      return RunPredict(*session, arguments);
    case Command::kEvaluate:
      return RunEvaluate(*session, arguments);
    default:
      return RunChange(*session, arguments);
  }
}

int Main(const std::vector<std::string>& words) {
  if (!words.empty() && words.front() == kCompleteCommand) return PrintCompletions(words);
  const std::variant<Arguments, ParseExit> parsed = ParseCommandLine(words);
  if (const auto* const arguments = std::get_if<Arguments>(&parsed)) return Run(*arguments);
  const ParseExit& exit = std::get<ParseExit>(parsed);
  if (exit.exit_code == kExitSuccess) return PrintText(exit.text);
  // The line was not understood, so that its --json has to be looked for.
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  return PrintError(absl::InvalidArgumentError(exit.text), exit.exit_code, json);
}

}  // namespace
}  // namespace pilothouse::client

int main(int argc, char** argv) { return pilothouse::client::Main({argv + 1, argv + argc}); }
