#include "trainer/plugin/builtin/stop_when.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "trainer/plugin/builtin/condition.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/metric.h"
#include "trainer/plugin/point.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kMaxTimesInARow = 1'000'000;
// Leaves room for the sign that something was cut.
constexpr int kMaxReasonBytes = kMaxNoteBytes - 3;

class StopWhen final : public Plugin {
 public:
  StopWhen(Condition condition, int64_t wanted) : condition_(std::move(condition)), wanted_(wanted) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return absl::OkStatus();
    const absl::StatusOr<bool> holds = condition_.Holds(context.run());
    if (!holds.ok()) return holds.status();
    in_a_row_ = *holds ? in_a_row_ + 1 : 0;
    if (in_a_row_ >= wanted_) context.SetDone(Reason(context.run()));
    return absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    memory.Integer(in_a_row_);
    return memory.text();
  }

  absl::Status Restore(absl::string_view state) override {
    MemoryReader memory(state);
    in_a_row_ = memory.Integer();
    return memory.Finish();
  }

 private:
  // "loss is 0.009 (< 0.01), validation_accuracy is 0.99 (>= 0.98), 3 times in a row".
  std::string Reason(const RunView& run) const {
    std::string reason;
    for (const Comparison& comparison : condition_.comparisons()) {
      const absl::StatusOr<std::optional<double>> value = run.Value(comparison.view);
      absl::StrAppend(&reason, reason.empty() ? "" : ", ", comparison.view, " is ",
                      value.ok() && value->has_value() ? absl::StrCat(**value) : "unknown", " (", comparison.operation,
                      " ", comparison.number, ")");
    }
    if (wanted_ > 1) absl::StrAppend(&reason, ", ", in_a_row_, " times in a row");
    return Shortened(reason, kMaxReasonBytes);
  }

  const Condition condition_;
  const int64_t wanted_;
  int64_t in_a_row_ = 0;
};

absl::StatusOr<std::unique_ptr<Plugin>> Make(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  absl::StatusOr<Condition> condition = Condition::Parse(settings.Text("when"), "when", surroundings);
  if (!condition.ok()) return condition.status();
  const absl::StatusOr<int64_t> wanted = settings.Integer("for", 1, kMaxTimesInARow);
  if (!wanted.ok()) return wanted.status();
  return std::make_unique<StopWhen>(*std::move(condition), *wanted);
}

// Values of validations change with validations only, so nothing is missed by looking then.
absl::StatusOr<PluginTiming> Timing(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  const absl::StatusOr<Condition> condition = Condition::Parse(settings.Text("when"), "when", surroundings);
  if (!condition.ok()) return condition.status();
  const bool validations = std::all_of(condition->comparisons().begin(), condition->comparisons().end(),
                                       [](const Comparison& comparison) { return IsOfValidation(comparison.view); });
  if (validations) return PluginTiming{"always", std::nullopt, PluginPoint::kAfterValidation};
  return PluginTiming{"each(1)", std::nullopt, PluginPoint::kAfterBatch};
}

}  // namespace

PluginKind StopWhenKind() {
  return {.name = "stop-when",
          .description =
              "Ends the run when a condition is met; looks after each batch, or after each validation if the "
              "condition is about those only.",
          .settings =
              {{.name = "when",
                .description = "the condition, such as \"loss < 0.01\" or \"validation_accuracy >= 0.98 and epoch "
                               "> 5\": views compared with numbers by < <= > >= ==",
                .required = true},
               {.name = "for", .description = "how many looks in a row it has to be met, 1 to 1000000", .usual = "1"}},
          .usual_schedule = "each(1)",
          .usual_timing = Timing,
          .acts_at_end = false,
          .make = Make};
}

}  // namespace pilothouse::trainer
