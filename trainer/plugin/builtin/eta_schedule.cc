#include "trainer/plugin/builtin/eta_schedule.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/text.h"
#include "trainer/plugin/builtin/eta_steps.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/span_text.h"
#include "trainer/plugin/point.h"

namespace pilothouse::trainer {
namespace {

constexpr double kMaxFactor = 1000;
// Of a setting that is quoted in a note.
constexpr size_t kMaxQuotedBytes = 80;

// Sets eta where a step begins.
class SteppedEta final : public Plugin {
 public:
  SteppedEta(Timeline timeline, std::vector<EtaStep> steps) : timeline_(timeline), steps_(std::move(steps)) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return absl::OkStatus();
    const Ticks now = context.run().timelines().Now(timeline_);
    int64_t step = -1;
    for (const EtaStep& each : steps_) step += each.from <= now ? 1 : 0;
    // Within a step nothing is asked for: what a person sets holds until the next one.
    if (step == applied_) return absl::OkStatus();
    applied_ = step;
    if (step < 0) return absl::OkStatus();
    const EtaStep& begun = steps_[static_cast<size_t>(step)];
    context.Ask(KnobChange{"eta", begun.eta},
                absl::StrCat("eta is ", begun.eta, " from ", SpanText(timeline_, begun.from), " ",
                             TimelineName(timeline_), " on"));
    return absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    memory.Integer(applied_);
    return memory.text();
  }

  absl::Status Restore(absl::string_view state) override {
    MemoryReader memory(state);
    applied_ = memory.Integer();
    return memory.Finish();
  }

 private:
  const Timeline timeline_;
  const std::vector<EtaStep> steps_;
  // The step that was asked for last, by its place; −1: none.
  int64_t applied_ = -1;
};

// Multiplies eta whenever it is due.
class ScaledEta final : public StatelessPlugin {
 public:
  ScaledEta(double factor, std::string every) : factor_(factor), every_(std::move(every)) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return absl::OkStatus();
    const absl::StatusOr<double> eta = context.run().Knob("eta");
    if (!eta.ok()) return eta.status();
    const double scaled = *eta * factor_;
    // As far as numbers reach: beyond it lie 0 and infinity, which are no eta.
    if (!std::isnormal(scaled)) return absl::OkStatus();
    context.Ask(KnobChange{"eta", scaled}, absl::StrCat("eta times ", factor_, " every ", every_));
    return absl::OkStatus();
  }

 private:
  const double factor_;
  const std::string every_;
};

// What the settings say. Exactly one of the two is there.
struct Plan {
  Timeline timeline = Timeline::kBatches;
  std::vector<EtaStep> steps;
  std::optional<Span> every;
  double factor = 1;
};

absl::StatusOr<Plan> ReadScaling(const PluginSettings& settings) {
  const absl::StatusOr<double> factor =
      settings.Number("factor", std::numeric_limits<double>::denorm_min(), kMaxFactor);
  if (!factor.ok()) return factor.status();
  const absl::StatusOr<Span> every = settings.SpanOn("every", Timeline::kWallTime);
  if (!every.ok()) return every.status();
  return Plan{.timeline = every->timeline, .steps = {}, .every = *every, .factor = *factor};
}

absl::StatusOr<Plan> ReadPlan(const PluginSettings& settings) {
  const std::string& etas = settings.Text("etas");
  const bool scaled = !settings.Text("factor").empty() || !settings.Text("every").empty();
  if (etas.empty() == !scaled) {
    return PluginSettings::Invalid(
        "etas", etas,
        "Give either \"etas\", such as \"50:0.01, 70:0.005\", or \"factor\" and \"every\", such "
        "as 0.5 and \"1000 batches\".");
  }
  const absl::StatusOr<std::string> unit = settings.Choice("unit", {"batches", "epochs"});
  if (!unit.ok()) return unit.status();
  if (scaled) return ReadScaling(settings);
  const Timeline timeline = *TimelineOf(*unit);
  absl::StatusOr<std::vector<EtaStep>> steps = ParseEtaSteps(etas, "etas", timeline);
  if (!steps.ok()) return steps.status();
  return Plan{.timeline = timeline, .steps = *std::move(steps), .every = std::nullopt, .factor = 1};
}

absl::StatusOr<std::unique_ptr<Plugin>> Make(const PluginSettings& settings, const PluginSurroundings&) {
  absl::StatusOr<Plan> plan = ReadPlan(settings);
  if (!plan.ok()) return plan.status();
  if (plan->every.has_value())
    return std::make_unique<ScaledEta>(plan->factor, Shortened(settings.Text("every"), kMaxQuotedBytes));
  return std::make_unique<SteppedEta>(plan->timeline, std::move(plan->steps));
}

// Exactly where something changes, so that the batches between cost nothing. Where a step has begun already it is taken
// at the next boundary, which is the first at which a plugin that is attached now can be due.
absl::StatusOr<PluginTiming> Timing(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  const absl::StatusOr<Plan> plan = ReadPlan(settings);
  if (!plan.ok()) return plan.status();
  PluginTiming timing{"", plan->timeline, PluginPoint::kAfterBatch};
  if (plan->every.has_value()) {
    timing.schedule = absl::StrCat("each(", SpanText(plan->timeline, plan->every->ticks), ")");
    return timing;
  }
  const Ticks now = surroundings.timelines->Now(plan->timeline);
  std::string times;
  if (plan->steps.front().from <= now) times = SpanText(plan->timeline, now + 1);
  for (const EtaStep& step : plan->steps) {
    if (step.from <= now) continue;
    // Without spaces, so that it is never longer than the setting was.
    absl::StrAppend(&times, times.empty() ? "" : ",", SpanText(plan->timeline, step.from));
  }
  timing.schedule = absl::StrCat("at(", times, ")");
  return timing;
}

}  // namespace

PluginKind EtaScheduleKind() {
  return {
      .name = "eta-schedule",
      .description =
          "Sets eta at given batches or epochs, or multiplies it again and again; between, it can be set by "
          "hand; the first eta that it sets ends an eta schedule that the run was started with.",
      .settings = {{.name = "etas",
                    .description = "when each eta begins, above 0, and the eta: \"50:0.01, 70:0.005\", in any order"},
                   {.name = "unit", .description = "what etas counts: batches or epochs", .usual = "batches"},
                   {.name = "factor", .description = "instead of etas: what eta is multiplied by, above 0, up to 1000"},
                   {.name = "every", .description = "with factor: how often, such as \"1000 batches\", \"5 epochs\""}},
      // Takes the place of one that is made from the settings.
      .usual_schedule = "always",
      .usual_timing = Timing,
      .acts_at_end = false,
      .make = Make};
}

}  // namespace pilothouse::trainer
