#include "clients/cpp/pilot/command_line.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/grammar.h"

namespace pilothouse::client {
namespace {

constexpr char kDefaultAddress[] = "localhost:50051";

std::string WhatIsWrongWithPlugin(const Arguments& arguments) {
  const v1::Change& change = arguments.change.change;
  if (arguments.command == Command::kPluginAdd && change.attach_plugin().plugin().kind().empty()) {
    return "plugin add needs the kind of plugin to attach. See pilot plugin add --help.";
  }
  if (arguments.command == Command::kPluginRemove && change.detach_plugin().name().empty()) {
    return "plugin remove needs the name of a plugin. See pilot plugin remove --help.";
  }
  if (arguments.command == Command::kPluginSchedule && change.reschedule_plugin().name().empty()) {
    return "plugin schedule needs the name of a plugin and its new schedule. See pilot plugin schedule --help.";
  }
  return "";
}

std::string WhatIsWrongWithExport(const ExportArguments& given) {
  if (given.file.empty()) return "export needs the file to write, or - for standard output. See pilot export --help.";
  if (given.format == ExportFormat::kUnspecified) {
    return absl::StrCat("the name ", given.file,
                        " does not say which format to write; say --format csv, jsonl, jsons or tensorboard.");
  }
  if (given.file == "-" && given.format == ExportFormat::kTensorBoard) {
    return "tensorboard is written to a folder, not to standard output; say which folder.";
  }
  return "";
}

// What options alone cannot express.
std::string WhatIsWrong(const Arguments& arguments) {
  const bool no_change = arguments.change.change.kind_case() == v1::Change::KIND_NOT_SET;
  if (arguments.command == Command::kSetEta && no_change)
    return "set-eta needs the new eta, or the word schedule. See pilot set-eta --help.";
  if (arguments.command == Command::kSet && no_change)
    return "set needs a knob and its new value. See pilot set --help.";
  if (arguments.command == Command::kBatchTo && no_change) {
    return "batch-to needs the batch to train up to. See pilot batch-to --help.";
  }
  if (arguments.command == Command::kRewind && no_change) {
    return "rewind needs the batch to go back to. See pilot rewind --help.";
  }
  if (arguments.fork.at_best && !arguments.fork.request.branch().empty()) {
    return "the best parameters are looked for on the present line, not on a branch; leave --branch out, or say the "
           "batch with --at.";
  }
  if (const std::string wrong = WhatIsWrongWithPlugin(arguments); !wrong.empty()) return wrong;
  if (arguments.command == Command::kExport) return WhatIsWrongWithExport(arguments.export_to);
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
  std::string command;
  for (size_t i = 0; true; ++i) {
    const std::vector<std::string> known = CommandNames(command);
    const std::string help = absl::StrCat("pilot ", command, command.empty() ? "" : " ", "--help");
    if (known.empty()) return "";
    if (i == words.size()) return absl::StrCat("say what to do; ", help, " lists the commands.");
    if (absl::StartsWith(words[i], "-")) return "";
    absl::StrAppend(&command, command.empty() ? "" : " ", words[i]);
    if (std::find(known.begin(), known.end(), words[i]) == known.end()) {
      return absl::StrCat("there is no command ", command, "; ", help, " lists them.");
    }
  }
}

// The app of a command: "", "start", "plugin add". Null: there is none.
CLI::App* FindApp(Grammar& grammar, const std::string& command) {
  CLI::App* app = &grammar.app();
  for (const absl::string_view name : absl::StrSplit(command, ' ', absl::SkipEmpty())) {
    const auto found = app->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == std::string(name); });
    if (found.empty()) return nullptr;
    app = found.front();
  }
  return app;
}

// "pilot plugin add --help", of what was chosen.
std::string HelpCommand(const CLI::App& app) {
  std::string command = "pilot";
  for (const CLI::App* chosen = &app; !chosen->get_subcommands().empty();) {
    chosen = chosen->get_subcommands().front();
    absl::StrAppend(&command, " ", chosen->get_name());
  }
  return command + " --help";
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
    std::string sentence = error.what();
    // The library's words for an option that takes one value.
    if (const size_t at = sentence.find(": At Most 1 required"); at != std::string::npos) {
      sentence = absl::StrCat(sentence.substr(0, at), " is given more than once; give it once");
    }
    if (!absl::EndsWith(sentence, ".")) sentence += '.';
    return ParseExit{kExitUsage, absl::StrCat(sentence, " See ", HelpCommand(grammar.app()), ".")};
  }
  ExportArguments& export_to = arguments.export_to;
  if (export_to.format == ExportFormat::kUnspecified) export_to.format = FormatOfFile(export_to.file);
  const std::string wrong = WhatIsWrong(arguments);
  if (!wrong.empty()) return ParseExit{kExitUsage, wrong};
  if (arguments.global.address.empty()) {
    const char* const address = std::getenv("PILOTHOUSE_ADDRESS");
    arguments.global.address = address != nullptr && *address != '\0' ? address : kDefaultAddress;
  }
  return arguments;
}

std::vector<std::string> CommandNames(const std::string& command) {
  Arguments unused;
  Grammar grammar(unused);
  std::vector<std::string> names;
  const CLI::App* const app = FindApp(grammar, command);
  if (app == nullptr) return names;
  for (const CLI::App* const sub : app->get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

std::vector<OptionInfo> OptionsOf(const std::string& command) {
  Arguments unused;
  Grammar grammar(unused);
  std::vector<OptionInfo> options;
  std::vector<const CLI::App*> apps = {&grammar.app()};
  const CLI::App* const given = FindApp(grammar, command);
  if (given != nullptr && given != apps.front()) apps.push_back(given);
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
