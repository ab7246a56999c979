#include "trainer/plugin/builtin/exchange.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "trainer/net/random.h"
#include "trainer/plugin/builtin/list_setting.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/metric.h"
#include "trainer/plugin/builtin/published_state.h"

namespace pilothouse::trainer {
namespace {

constexpr size_t kMaxRunIdBytes = 63;
constexpr double kMaxMargin = 1e6;
constexpr double kMaxPerturb = 1000;
constexpr int64_t kMaxMinBatches = int64_t{1} << 53;
// What a file of parameters may hold besides them and the running statistics of batch norms: its header, and what
// standardisation needs.
constexpr int64_t kMaxExtraBytes = 4 << 20;

struct Options {
  std::vector<std::string> others;
  std::string metric;
  bool maximise = false;
  double margin = 0;
  double perturb = 1;
  int64_t min_batches = 0;
};

struct Candidate {
  std::string run_id;
  PublishedState state;
};

class Exchange final : public Plugin {
 public:
  Exchange(Options options, PluginSurroundings surroundings)
      : options_(std::move(options)), surroundings_(std::move(surroundings)) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return absl::OkStatus();
    const absl::StatusOr<double> own = OwnValue(context.run());
    if (!own.ok()) return own.status();
    if (absl::Status status = Publish(context.run(), *own); !status.ok()) return status;
    std::vector<std::string> passed_over;
    std::optional<Candidate> best;
    std::string message = Decide(context, *own, passed_over, best);
    if (!passed_over.empty()) {
      absl::StrAppend(&message, " Nothing to be had of: ", absl::StrJoin(passed_over, ", "), ".");
    }
    PluginOutput output;
    if (std::isfinite(*own)) output.values.emplace_back("own", *own);
    if (best.has_value()) output.values.emplace_back("best_other", best->state.value);
    output.values.emplace_back("exchanges", static_cast<double>(exchanges_));
    output.message = Shortened(message, kMaxPluginTextBytes - sizeof("…"));
    context.Report(std::move(output));
    return absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    memory.Integer(exchanges_);
    memory.Integer(last_exchange_);
    return memory.text();
  }

  absl::Status Restore(absl::string_view saved) override {
    MemoryReader memory(saved);
    exchanges_ = memory.Integer();
    last_exchange_ = memory.Integer();
    return memory.Finish();
  }

 private:
  // A validation is made for it, so that what is published belongs to the parameters that are.
  absl::StatusOr<double> OwnValue(RunView& run) const {
    if (IsOfValidation(options_.metric)) {
      if (const absl::StatusOr<Validation> made = run.Validate(); !made.ok()) return made.status();
    }
    const absl::StatusOr<std::optional<double>> value = run.Value(options_.metric);
    if (!value.ok()) return value.status();
    if (value->has_value()) return **value;
    return PluginSettings::Invalid(
        "metric", options_.metric,
        absl::StrCat("The run has no ", options_.metric, " to be compared with others by; choose another metric."));
  }

  absl::Status Publish(RunView& run, double own) const {
    // What was published before is of more use to the others than a state that has diverged.
    if (!std::isfinite(own)) return absl::OkStatus();
    const absl::StatusOr<double> eta = run.Knob("eta");
    if (!eta.ok()) return eta.status();
    return PublishState(
        run.directory(), *run.Parameters(),
        {run.batch(), options_.metric, own, surroundings_.validation_examples, *eta, surroundings_.optimizer, ""});
  }

  std::string DirectoryOf(const std::string& run_id) const {
    return absl::StrCat(surroundings_.runs_directory, "/", run_id);
  }

  // What was learnt from here must not be what another run is measured on.
  bool IsMeasuredAlike(const PublishedState& state) const {
    return state.metric == options_.metric &&
           (!IsOfValidation(options_.metric) || state.validation_examples == surroundings_.validation_examples);
  }

  // Of those that were not passed over. Of several that are as good as each other, the one that is named first.
  std::optional<Candidate> BestOther(std::vector<std::string>& passed_over) const {
    std::optional<Candidate> best;
    for (const std::string& run_id : options_.others) {
      if (std::find(passed_over.begin(), passed_over.end(), run_id) != passed_over.end()) continue;
      absl::StatusOr<PublishedState> state = ReadPublishedState(DirectoryOf(run_id));
      if (!state.ok() || !IsMeasuredAlike(*state)) {
        passed_over.push_back(run_id);
      } else if (!best.has_value() || IsBetter(state->value, best->state.value, 0)) {
        best = Candidate{run_id, *std::move(state)};
      }
    }
    return best;
  }

  bool IsBetter(double value, double than, double margin) const {
    if (!std::isfinite(than)) return true;
    const double gain = options_.maximise ? value - than : than - value;
    return gain > margin * std::abs(than);
  }

  // Asks for what is to be changed, and says what that is. `best` becomes the one that it decided about.
  std::string Decide(PluginContext& context, double own, std::vector<std::string>& passed_over,
                     std::optional<Candidate>& best) {
    RunView& run = context.run();
    best = BestOther(passed_over);
    if (!best.has_value()) return "No other run has a state to be had yet.";
    const std::string compared = absl::StrCat(options_.metric, " ", own, ", and ", best->state.value, " of run ",
                                              best->run_id, " at batch ", best->state.batch);
    if (!IsBetter(best->state.value, own, options_.margin)) return absl::StrCat("Kept its own state: ", compared, ".");
    if (run.batch() - last_exchange_ < options_.min_batches) {
      return absl::StrCat("Waits until batch ", last_exchange_ + options_.min_batches, ": ", compared, ".");
    }
    // Of running statistics there are no more than of parameters.
    const int64_t most = 2 * surroundings_.parameters * static_cast<int64_t>(sizeof(double)) + kMaxExtraBytes;
    absl::StatusOr<std::string> file = CopyPublishedState(DirectoryOf(best->run_id), best->run_id, best->state,
                                                          run.directory(), *run.Parameters(), most);
    if (!file.ok()) {
      // Most likely it is being replaced by a newer one just now, or belongs to another network: the next best, then.
      passed_over.push_back(best->run_id);
      return absl::StrCat("Could not take over a state. ", file.status().message(), " ",
                          Decide(context, own, passed_over, best));
    }
    const std::string note = absl::StrCat("took over a better state: ", compared);
    context.Ask(ParametersChange{*std::move(file), best->state.sha256, best->run_id, best->state.batch}, note);
    const double eta = Perturbed(best->state.eta);
    ++exchanges_;
    last_exchange_ = run.batch();
    const std::string taken = absl::StrCat("Takes over a better state: ", compared);
    if (best->state.optimizer != surroundings_.optimizer) {
      return absl::StrCat(taken, "; keeps its own eta, since that run has the optimizer ", best->state.optimizer, ".");
    }
    context.Ask(KnobChange{"eta", eta}, note);
    return absl::StrCat(taken, "; goes on with eta ", eta, ".");
  }

  double Perturbed(double eta) const {
    const RandomStream random(surroundings_.seed, RandomPurpose::kPerturbation, static_cast<uint64_t>(exchanges_));
    return random.Below(2, 0) == 0 ? eta * options_.perturb : eta / options_.perturb;
  }

  const Options options_;
  const PluginSurroundings surroundings_;
  int64_t exchanges_ = 0;
  // The batch at which it took over a state last.
  int64_t last_exchange_ = 0;
};

bool IsRunId(absl::string_view text) {
  const auto fits = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; };
  return !text.empty() && text.size() <= kMaxRunIdBytes && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), fits);
}

absl::StatusOr<std::vector<std::string>> ReadOthers(const PluginSettings& settings, const std::string& own) {
  absl::StatusOr<std::vector<std::string>> others = ListSetting(settings, "with");
  if (!others.ok()) return others.status();
  for (const std::string& run_id : *others) {
    if (!IsRunId(run_id)) {
      return PluginSettings::Invalid("with", run_id, absl::StrCat("\"", run_id, "\" is not the id of a run."));
    }
    if (run_id == own) {
      return PluginSettings::Invalid("with", run_id, "A run exchanges states with others, not with itself.");
    }
  }
  return others;
}

absl::Status ReadMetric(const PluginSettings& settings, const PluginSurroundings& surroundings, Options& options) {
  options.metric = settings.Text("metric");
  if (options.metric == "auto") options.metric = surroundings.validation_examples > 0 ? "validation_loss" : "loss";
  if (absl::Status status = CheckViewName(options.metric, "metric", surroundings); !status.ok()) return status;
  const absl::StatusOr<bool> maximise = ReadMaximise(settings, options.metric);
  if (!maximise.ok()) return maximise.status();
  options.maximise = *maximise;
  return absl::OkStatus();
}

absl::StatusOr<Options> ReadOptions(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  Options options;
  absl::StatusOr<std::vector<std::string>> others = ReadOthers(settings, surroundings.run_id);
  if (!others.ok()) return others.status();
  options.others = *std::move(others);
  if (absl::Status status = ReadMetric(settings, surroundings, options); !status.ok()) return status;
  const absl::StatusOr<double> margin = settings.Number("margin", 0, kMaxMargin);
  if (!margin.ok()) return margin.status();
  options.margin = *margin;
  const absl::StatusOr<double> perturb = settings.Number("perturb", 1, kMaxPerturb);
  if (!perturb.ok()) return perturb.status();
  options.perturb = *perturb;
  const absl::StatusOr<int64_t> min_batches = settings.Integer("min_batches", 0, kMaxMinBatches);
  if (!min_batches.ok()) return min_batches.status();
  options.min_batches = *min_batches;
  return options;
}

std::vector<PluginSettingFacts> Settings() {
  return {
      {.name = "with", .description = "ids of the other runs, with commas between them", .required = true},
      {.name = "metric",
       .description = "the number to judge by, any view; auto: validation_loss where examples are held out, else loss",
       .usual = "auto"},
      GoalSetting(),
      {.name = "margin",
       .description = "how much better another must be, as a part of the own value's size, 0 or more",
       .usual = "0"},
      {.name = "perturb", .description = "eta becomes the other's times or divided by this, 1 to 1000", .usual = "1.2"},
      {.name = "min_batches",
       .description = "batches to learn before anything is taken over, at first and again after each time",
       .usual = "0"}};
}

}  // namespace

PluginKind ExchangeKind() {
  return {
      .name = "exchange",
      .description =
          "Shows the run's state to other runs, and goes on from the best one's parameters where that is better; the "
          "copies stay in the folder exchanged, since the journal refers to them; the first eta that it takes over "
          "ends an eta schedule that the run was started with.",
      .settings = Settings(),
      .usual_schedule = "each(500)",
      // After those that decide, before what is saved.
      .usual_priority = kSavePriority - 100,
      .validates = true,
      .acts_at_end = false,
      .make = [](const PluginSettings& settings,
                 const PluginSurroundings& surroundings) -> absl::StatusOr<std::unique_ptr<Plugin>> {
        absl::StatusOr<Options> options = ReadOptions(settings, surroundings);
        if (!options.ok()) return options.status();
        return std::make_unique<Exchange>(*std::move(options), surroundings);
      }};
}

}  // namespace pilothouse::trainer
