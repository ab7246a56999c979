#include "clients/cpp/pilot/completion.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/command_line.h"
#include "clients/cpp/pilothouse_client/client.h"

namespace pilothouse::client {
namespace {

constexpr int kMaxRuns = 100;

// Works without the bash-completion package. COMP_WORDBREAKS holds '=' and ':', which bash alone would split at.
constexpr char kBash[] = R"(_pilot() {
  local answers
  mapfile -t answers < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ "${answers[0]}" = ":files" ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
  else
    COMPREPLY=("${answers[@]}")
  fi
}
complete -F _pilot pilot
)";

constexpr char kZsh[] = R"(#compdef pilot
_pilot() {
  local -a answers
  answers=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "${answers[1]}" == ":files" ]]; then
    _files
  elif [[ -n "${answers[1]}" ]]; then
    compadd -- "${answers[@]}"
  fi
}
if ! whence compdef >/dev/null; then autoload -Uz compinit && compinit; fi
compdef _pilot pilot
)";

constexpr char kFish[] = R"(function __pilot_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answers ($words[1] __complete $words[2..-1] 2>/dev/null)
  if test "$answers[1]" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\n' $answers
  end
end
complete -c pilot -f -a '(__pilot_complete)'
)";

// Those that every run has, and those that some optimizers have.
constexpr const char* kKnobs[] = {"eta",
                                  "loss_interval",
                                  "loss_every",
                                  "state_every",
                                  "checkpoint_interval",
                                  "checkpoint_every",
                                  "weight_decay",
                                  "clip_norm",
                                  "clip_value",
                                  "momentum",
                                  "beta1",
                                  "beta2",
                                  "epsilon",
                                  "rho"};

// By the option, or by the command and the option where its values are others there.
const std::map<std::string, std::vector<std::string>>& OptionValues() {
  static const auto& values = *new std::map<std::string, std::vector<std::string>>{
      {"--optimizer", {"gradient-descent", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad"}},
      {"--eta-schedule", {"constant", "cosine", "exponential", "one-cycle"}},
      {"--loss", {"cross-entropy", "binary-cross-entropy", "mse", "half-mse", "huber"}},
      {"--precision", {"float32", "float64"}},
      {"--initializer", {"scaled", "normal", "glorot", "he", "zeros"}},
      {"--batch-size", {"full"}},
      {"--split", {"random", "tail", "stratified"}},
      {"--model", {"last", "best"}},
      {"--part", {"test", "validation"}},
      {"fork --at", {"best"}},
      {"--kinds", {"loss", "status", "control", "state", "plugin", "checkpoint"}},
      {"--timeline", {"batches", "examples", "epochs", "wall_time", "training_time"}},
      {"--point", {"start", "before_batch", "after_batch", "after_validation", "before_stop", "end"}},
      {"--format", {"csv", "jsonl", "jsons", "tensorboard"}},
      {"--data", {kCompleteFiles}},
      {"--data-dir", {kCompleteFiles}},
      {"--inputs", {kCompleteFiles}},
      {"--targets", {kCompleteFiles}},
      {"--weights", {kCompleteFiles}},
      {"--output", {kCompleteFiles}},
  };
  return values;
}

const OptionInfo* Find(const std::vector<OptionInfo>& options, const std::string& name) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const OptionInfo& o) { return o.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::vector<std::string> Beginning(const std::string& prefix, const std::vector<std::string>& candidates) {
  std::vector<std::string> fitting;
  std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(fitting), [&](const std::string& candidate) {
    return candidate == kCompleteFiles || absl::StartsWith(candidate, prefix);
  });
  return fitting;
}

// What stands before the word that is being typed.
struct Before {
  // "watch", "plugin add".
  std::string command;
  std::string address;
  // Words of the command that are neither options nor their values.
  size_t positionals = 0;
  // Set where the word is this option's value.
  std::string option;
};

Before Read(const std::vector<std::string>& words) {
  Before before;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (absl::StartsWith(word, "-")) {
      const std::vector<OptionInfo> options = OptionsOf(before.command);
      const OptionInfo* const option = Find(options, word);
      if (option == nullptr || !option->takes_value) continue;
      ++i;
      if (i + 1 == words.size()) before.option = word;
      if (word == "--address" && i + 1 < words.size()) before.address = words[i];
    } else if (before.command.empty() || !CommandNames(before.command).empty()) {
      absl::StrAppend(&before.command, before.command.empty() ? "" : " ", word);
    } else {
      ++before.positionals;
    }
  }
  return before;
}

bool TakesRun(const std::string& command) {
  return command != "start" && command != "runs" && command != "completion" && command != "plugin kinds";
}

}  // namespace

std::string CompletionScript(const std::string& shell) {
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  return kBash;
}

std::vector<std::string> Complete(const std::vector<std::string>& words,
                                  const std::function<std::vector<std::string>(const std::string&)>& run_ids) {
  if (words.empty()) return CommandNames();
  const std::string& typed = words.back();
  const Before before = Read(words);
  if (!before.option.empty()) {
    auto values = OptionValues().find(absl::StrCat(before.command, " ", before.option));
    if (values == OptionValues().end()) values = OptionValues().find(before.option);
    return values == OptionValues().end() ? std::vector<std::string>() : Beginning(typed, values->second);
  }
  if (absl::StartsWith(typed, "-")) {
    std::vector<std::string> names;
    for (const OptionInfo& option : OptionsOf(before.command)) names.push_back(option.name);
    return Beginning(typed, names);
  }
  if (const std::vector<std::string> commands = CommandNames(before.command); !commands.empty()) {
    return Beginning(typed, commands);
  }
  if (before.command == "completion") return Beginning(typed, {"bash", "zsh", "fish"});
  // A file stands alone or after the run.
  if (before.command == "export" && before.positionals == 1) return {kCompleteFiles};
  std::vector<std::string> candidates;
  if (TakesRun(before.command) && before.positionals == 0) candidates = run_ids(before.address);
  if (before.command == "set" && before.positionals <= 1) {
    candidates.insert(candidates.end(), std::begin(kKnobs), std::end(kKnobs));
  }
  if (before.command == "set-eta" && before.positionals <= 1) candidates.push_back("schedule");
  if (before.command == "rewind" && before.positionals <= 1) candidates.push_back("best");
  return Beginning(typed, candidates);
}

std::vector<std::string> FetchRunIds(const std::string& address) {
  std::string where = address;
  if (where.empty()) {
    const char* const usual = std::getenv("PILOTHOUSE_ADDRESS");
    where = usual != nullptr && *usual != '\0' ? usual : "localhost";
  }
  ClientOptions options;
  options.connect_timeout = options.timeout = absl::Seconds(1);
  const absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(where, options);
  if (!client.ok()) return {};
  const absl::StatusOr<v1::ListRunsResponse> runs = (*client)->ListRuns(kMaxRuns, "");
  if (!runs.ok()) return {};
  std::vector<std::string> ids;
  for (const v1::Run& run : runs->runs()) ids.push_back(run.run_id());
  return ids;
}

}  // namespace pilothouse::client
