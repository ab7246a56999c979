#include "trainer/plugin/builtin/validate.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trainer/plugin/builtin/finite_output.h"

namespace pilothouse::trainer {
namespace {

// What was validated last, the run knows.
class Validate final : public StatelessPlugin {
 public:
  explicit Validate(bool confusion) : confusion_(confusion) {}

  absl::Status Run(PluginContext& context) override {
    RunView& run = context.run();
    if (context.done() && !LastIsNew(context)) return absl::OkStatus();
    const absl::StatusOr<Validation> validation = run.Validate();
    if (!validation.ok()) return validation.status();
    PluginOutput output;
    AddFinite(output, "loss", validation->loss);
    for (const ScoreFacts& score : ScoresOfValidations()) {
      const std::optional<double>& value = (*validation).*score.value;
      if (value.has_value()) AddFinite(output, score.name, *value);
    }
    if (confusion_) AddConfusion(*validation, output);
    context.Report(std::move(output));
    return absl::OkStatus();
  }

 private:
  static void AddConfusion(const Validation& validation, PluginOutput& output) {
    for (auto& value : ConfusionValues(validation)) output.values.push_back(std::move(value));
    if (!validation.confusion.empty()) return;
    absl::StrAppend(&output.message, output.message.empty() ? "" : "; ",
                    "confusion is counted only where each example has one class, of up to ", kMaxConfusionClasses);
  }
  static bool LastIsNew(const PluginContext& context) {
    const RunView& run = context.run();
    return context.started() && !(run.validation().has_value() && run.validation()->batch == run.batch());
  }

  const bool confusion_;
};

}  // namespace

PluginKind ValidateKind() {
  return {
      .name = "validate",
      .description = "Scores the parameters on the examples held out, and once more at the end of the run.",
      .settings = {{.name = "confusion",
                    .description = "also how many examples of each class were taken for each other one, as "
                                   "confusion.<class>.<predicted>; of up to 30 classes",
                    .usual = "no"}},
      .usual_schedule = "each(1 epoch)",
      .usual_priority = kMeasurePriority,
      .needs_validation_data = true,
      .validates = true,
      .make = [](const PluginSettings& settings, const PluginSurroundings&) -> absl::StatusOr<std::unique_ptr<Plugin>> {
        const absl::StatusOr<bool> confusion = settings.Flag("confusion");
        if (!confusion.ok()) return confusion.status();
        return std::make_unique<Validate>(*confusion);
      }};
}

}  // namespace pilothouse::trainer
