#include "clients/cpp/pilot/command_line.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/grammar.h"

namespace pilothouse::client {
namespace {

constexpr char kDefaultAddress[] = "localhost:50051";

// What options alone cannot express.
std::string WhatIsWrong(const Arguments& arguments) {
  const bool no_change = arguments.change.change.kind_case() == v1::Change::KIND_NOT_SET;
  if (arguments.command == Command::kSetEta && no_change) return "set-eta needs the new eta. See pilot set-eta --help.";
  if (arguments.command == Command::kSet && no_change)
    return "set needs a knob and its new value. See pilot set --help.";
  if (arguments.command == Command::kBatchTo && no_change) {
    return "batch-to needs the batch to train up to. See pilot batch-to --help.";
  }
  const StartArguments& start = arguments.start;
  const int sources = !start.data.empty() + !start.inputs.empty() + !start.dataset.empty() + !start.server_file.empty();
  if (arguments.command == Command::kStart && sources != 1) {
    return "start needs data from one source: --data, --inputs with --targets, --dataset or --server-file.";
  }
  const PredictArguments& predict = arguments.predict;
  if (arguments.command == Command::kPredict && predict.data.empty() == predict.inputs.empty()) {
    return "predict needs inputs from one source: --data or --inputs.";
  }
  return "";
}

// CLI11 would say only that a command is required.
std::string WrongCommand(const std::vector<std::string>& words) {
  if (words.empty()) return "say what to do; pilot --help lists the commands.";
  const std::string& first = words.front();
  const std::vector<std::string> known = CommandNames();
  if (absl::StartsWith(first, "-") || std::find(known.begin(), known.end(), first) != known.end()) return "";
  return absl::StrCat("there is no command ", first, "; pilot --help lists them.");
}

// "batch-to -5" is a target that is wrong, not an option that is unknown: CLI11 sees no option behind a real minus
// sign.
std::vector<std::string> ProtectNegativeNumbers(std::vector<std::string> words) {
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool is_number = word.size() > 1 && word[0] == '-' && (absl::ascii_isdigit(word[1]) || word[1] == '.');
    if (is_number && words[i - 1][0] != '-') words[i] = "−" + word.substr(1);
  }
  return words;
}

}  // namespace

std::variant<Arguments, ParseExit> ParseCommandLine(const std::vector<std::string>& words) {
  Arguments arguments;
  Grammar grammar(arguments);
  if (const std::string wrong = WrongCommand(words); !wrong.empty()) return ParseExit{kExitUsage, wrong};
  try {
    std::vector<std::string> reversed = ProtectNegativeNumbers(words);
    std::reverse(reversed.begin(), reversed.end());
    grammar.app().parse(std::move(reversed));
  } catch (const CLI::CallForVersion& version) {
    return ParseExit{kExitSuccess, absl::StrCat(version.what(), "\n")};
  } catch (const CLI::Success&) {
    const auto chosen = grammar.app().get_subcommands();
    return ParseExit{kExitSuccess, chosen.empty() ? grammar.app().help() : chosen.front()->help()};
  } catch (const CLI::Error& error) {
    const auto chosen = grammar.app().get_subcommands();
    const std::string hint =
        chosen.empty() ? "pilot --help" : absl::StrCat("pilot ", chosen.front()->get_name(), " --help");
    std::string sentence = error.what();
    if (!absl::EndsWith(sentence, ".")) sentence += ".";
    return ParseExit{kExitUsage, absl::StrCat(sentence, " See ", hint, ".")};
  }
  const std::string wrong = WhatIsWrong(arguments);
  if (!wrong.empty()) return ParseExit{kExitUsage, wrong};
  if (arguments.global.address.empty()) {
    const char* const address = std::getenv("PILOTHOUSE_ADDRESS");
    arguments.global.address = address != nullptr && *address != '\0' ? address : kDefaultAddress;
  }
  return arguments;
}

std::vector<std::string> CommandNames() {
  Arguments unused;
  Grammar grammar(unused);
  std::vector<std::string> names;
  for (const CLI::App* command : grammar.app().get_subcommands([](CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<OptionInfo> OptionsOf(const std::string& command) {
  Arguments unused;
  Grammar grammar(unused);
  std::vector<OptionInfo> options;
  std::vector<const CLI::App*> apps = {&grammar.app()};
  for (const CLI::App* const app : grammar.app().get_subcommands([](const CLI::App*) { return true; })) {
    if (app->get_name() == command) apps.push_back(app);
  }
  for (const CLI::App* const app : apps) {
    for (const CLI::Option* const option : app->get_options([](const CLI::Option*) { return true; })) {
      for (const std::string& name : option->get_lnames()) {
        if (name != "help" || app == &grammar.app())
          options.push_back({"--" + name, option->get_items_expected_max() > 0});
      }
    }
  }
  return options;
}

}  // namespace pilothouse::client
