#include "clients/cpp/pilot/grammar.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/help_text.h"
#include "clients/cpp/pilot/option_values.h"
#include "clients/cpp/pilot/text.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {
namespace {

constexpr int kHelpColumns = 110;
constexpr int kOptionColumns = 30;
constexpr int kCommandColumns = 16;

std::string Padded(const std::string& text, int columns) {
  const int space = columns - DisplayWidth(text);
  return space > 0 ? text + std::string(space, ' ') : text + "  ";
}

absl::StatusOr<uint64_t> ParseSequence(const std::string& text) {
  uint64_t sequence = 0;
  if (absl::SimpleAtoi(text, &sequence)) return sequence;
  return absl::InvalidArgumentError(absl::StrCat("expected the sequence of an event; got \"", text, "\"."));
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const {
  const std::string& usage = usages_.at(app);
  return absl::StrCat("Usage: ", usage, "\n\n", app->get_description(), "\n\n", make_groups(app, mode),
                      make_subcommands(app, mode), "\n", app->get_footer(), "\n");
}

std::string HelpFormatter::make_group(std::string group, bool, std::vector<const CLI::Option*> options) const {
  std::string text = absl::StrCat(group, ":\n");
  for (const CLI::Option* const option : options) {
    const std::string name = absl::StrCat("  ", option->get_name(false, true), option->get_type_size() > 0 ? " " : "",
                                          option->get_type_size() > 0 ? option->get_type_name() : "");
    absl::StrAppend(&text,
                    WrapText(Padded(name, kOptionColumns), option->get_description(), kOptionColumns, kHelpColumns));
  }
  return text;
}

std::string HelpFormatter::make_subcommand(const CLI::App* sub) const {
  const std::vector<std::string> lines = absl::StrSplit(sub->get_description(), absl::MaxSplits('\n', 1));
  return absl::StrCat(Padded("  " + sub->get_name(), kCommandColumns), lines[0], "\n");
}

Grammar::Grammar(Arguments& arguments) : arguments_(arguments), app_(kMainText, "pilot") {
  app_.formatter(formatter_);
  formatter_->SetUsage(&app_, "pilot COMMAND [OPTIONS]");
  app_.footer(kMainFooter);
  app_.set_help_flag("-h,--help", "Show this help");
  app_.set_version_flag("--version", "pilot " PILOTHOUSE_VERSION, "Show the version");
  app_.require_subcommand(1);
  AddGlobalOptions();
  AddStart();
  AddLooking();
  AddWatch();
  AddHistory();
  AddSteering();
  AddPlugins();
  AddLineage();
  AddAnswers();
  AddCompletion();
}

void Grammar::AddGlobalOptions() {
  AddText(&app_, "--address", &arguments_.global.address, "HOST:PORT",
          "Where the service is: host, host:port or unix:/path (default localhost:50051)");
  app_.add_flag("--json", arguments_.global.json, "Print JSON, for programs");
  AddValue(&app_, "--timeout", ParseDuration, &arguments_.global.timeout, "TIME",
           "How long to wait for an answer, such as 10s (default 30s; longer for data, checkpoint, rewind, fork and "
           "--at-batch)");
}

CLI::App* Grammar::AddCommand(const std::string& name, Command command, const std::string& group,
                              const std::string& text, const std::string& usage, const std::string& footer) {
  CLI::App* const app = app_.add_subcommand(name, text);
  SetUp(app, group, usage, footer);
  app->final_callback([this, command] { arguments_.command = command; });
  return app;
}

void Grammar::SetUp(CLI::App* app, const std::string& group, const std::string& usage, const std::string& footer) {
  app->group(group);
  app->fallthrough();
  app->set_help_flag("-h,--help", "Show this help");
  app->footer(footer + (footer.empty() ? "" : "\n\n") +
              "--address, --json and --timeout may be given too; see pilot --help.");
  formatter_->SetUsage(app, usage);
}

void Grammar::AddRun(CLI::App* app) { app->add_option("RUN", arguments_.run)->group(""); }

void Grammar::AddWords(CLI::App* app, size_t count, std::function<void(const std::vector<std::string>&)> use) {
  app->add_option_function<std::vector<std::string>>(
         "WORDS",
         [this, app, count, use = std::move(use)](const std::vector<std::string>& words) {
           if (words.size() < count || words.size() > count + 1) {
             throw CLI::ArgumentMismatch(absl::StrCat(app->get_name(), " does not take ", words.size(), " arguments"));
           }
           if (words.size() > count) arguments_.run = words[0];
           use(std::vector<std::string>(words.end() - static_cast<std::ptrdiff_t>(count), words.end()));
         },
         "")
      ->group("");
}

void Grammar::AddChangeOptions(CLI::App* app, const std::string& at) {
  ChangeOptions& options = arguments_.change.options;
  AddValue(app, at, ParseBatch, &options.at_batch, "N", "Take effect after batch N, exactly; the answer comes then");
  AddText(app, "--note", &options.note, "TEXT", "Why, for the journal");
  AddText(app, "--request-id", &options.request_id, "ID",
          "Asking again with the same id gives the same receipt, not a second change");
}

void Grammar::AddWatch() {
  CLI::App* const watch =
      AddCommand("watch", Command::kWatch, "Watching", kWatchText, "pilot watch [RUN] [OPTIONS]", kWatchFooter);
  AddRun(watch);
  AddWatchOptions(watch);
}

void Grammar::AddWatchOptions(CLI::App* app) {
  WatchArguments& given = arguments_.watch;
  CLI::Option* const from_start = app->add_flag("--from-start", given.from_start, "Begin with the run's first event");
  AddValue(app, "--after-sequence", ParseSequence, &given.after_sequence, "N",
           "Begin after the event of this sequence (default: now)")
      ->excludes(from_start);
  AddValue(
      app, "--kinds", ParseKinds, &given.kinds, "KINDS",
      "Only these: loss, status, control, state, plugin, checkpoint, separated by commas (default: all but state)");
  AddValue(app, "--min-interval", ParseDuration, &given.min_interval, "TIME",
           "Leave out losses that follow faster than this (default 50ms)");
  AddValue(app, "--give-up", ParseDuration, &given.give_up, "TIME",
           "End with exit code 3 after so long without a connection (default: never)");
}

void Grammar::AddLooking() {
  CLI::App* const runs = AddCommand("runs", Command::kRuns, "Watching", kRunsText, "pilot runs [OPTIONS]", "");
  runs->add_flag("--all", arguments_.all_runs, "All runs, not only the newest 20");
  runs->add_flag("--tree", arguments_.run_tree, "All runs as a tree: what was forked from what, and kept branches");
  CLI::App* const state =
      AddCommand("state", Command::kState, "Watching", kStateText, "pilot state [RUN] [OPTIONS]", kStateFooter);
  AddRun(state);
  state->add_flag("--vector", arguments_.state_vector, "All parameters too");
  AddModel(state, "Whose state: last (default), best, or a file in the run's folder saved, by its name");
}

void Grammar::AddSteering() {
  const char group[] = "Steering";
  v1::Change& change = arguments_.change.change;
  CLI::App* const set_eta = AddCommand("set-eta", Command::kSetEta, group, kSetEtaText,
                                       "pilot set-eta [RUN] VALUE|schedule [OPTIONS]", kSetEtaFooter);
  AddWords(set_eta, 1, [&change](const std::vector<std::string>& words) {
    const absl::StatusOr<v1::KnobChange> eta = ParseEtaChange(words[0]);
    if (!eta.ok()) Refuse("eta", eta.status());
    *change.mutable_knob() = *eta;
  });
  CLI::App* const set =
      AddCommand("set", Command::kSet, group, kSetText, "pilot set [RUN] KNOB VALUE [OPTIONS]", kSetFooter);
  AddWords(set, 2, [&change](const std::vector<std::string>& words) {
    const absl::StatusOr<double> value = ParseNumber(words[1]);
    if (!value.ok()) Refuse(words[0], value.status());
    change.mutable_knob()->set_name(words[0]);
    change.mutable_knob()->set_value(*value);
  });
  CLI::App* const batch_to = AddCommand("batch-to", Command::kBatchTo, group, kBatchToText,
                                        "pilot batch-to [RUN] TARGET [OPTIONS]", kBatchToFooter);
  AddWords(batch_to, 1, [&change](const std::vector<std::string>& words) {
    const absl::StatusOr<v1::TargetChange> target = ParseTarget(words[0]);
    if (!target.ok()) Refuse("target", target.status());
    *change.mutable_target() = *target;
  });
  CLI::App* const pause = AddCommand("pause", Command::kPause, group, kPauseText, "pilot pause [RUN] [OPTIONS]", "");
  CLI::App* const resume =
      AddCommand("resume", Command::kResume, group, kResumeText, "pilot resume [RUN] [OPTIONS]", "");
  CLI::App* const stop = AddCommand("stop", Command::kStop, group, kStopText, "pilot stop [RUN] [OPTIONS]", "");
  pause->parse_complete_callback([&change] { change.mutable_target()->mutable_pause(); });
  resume->parse_complete_callback([&change] { change.mutable_target()->mutable_resume(); });
  stop->parse_complete_callback([&change] { change.mutable_stop(); });
  for (CLI::App* const app : {pause, resume, stop}) AddRun(app);
  for (CLI::App* const app : {set_eta, set, batch_to, pause, resume, stop}) AddChangeOptions(app);
}

void Grammar::AddCompletion() {
  CLI::App* const completion = AddCommand("completion", Command::kCompletion, "Setting up", kCompletionText,
                                          "pilot completion bash|zsh|fish", kCompletionFooter);
  completion->add_option("SHELL", arguments_.shell)
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->group("");
}

}  // namespace pilothouse::client
