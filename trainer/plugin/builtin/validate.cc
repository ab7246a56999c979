#include "trainer/plugin/builtin/validate.h"

#include <memory>
#include <utility>

#include "trainer/plugin/builtin/finite_output.h"

namespace pilothouse::trainer {
namespace {

// What was validated last, the run knows.
class Validate final : public StatelessPlugin {
 public:
  absl::Status Run(PluginContext& context) override {
    RunView& run = context.run();
    if (context.done() && !LastIsNew(context)) return absl::OkStatus();
    const absl::StatusOr<Validation> validation = run.Validate();
    if (!validation.ok()) return validation.status();
    PluginOutput output;
    AddFinite(output, "loss", validation->loss);
    if (validation->accuracy.has_value()) AddFinite(output, "accuracy", *validation->accuracy);
    context.Report(std::move(output));
    return absl::OkStatus();
  }

 private:
  static bool LastIsNew(const PluginContext& context) {
    const RunView& run = context.run();
    return context.started() && !(run.validation().has_value() && run.validation()->batch == run.batch());
  }
};

}  // namespace

PluginKind ValidateKind() {
  return {.name = "validate",
          .description = "Scores the parameters on the examples held out, and once more at the end of the run.",
          .usual_schedule = "each(1 epoch)",
          .usual_priority = kMeasurePriority,
          .needs_validation_data = true,
          .validates = true,
          .make = [](const PluginSettings&, const PluginSurroundings&) -> absl::StatusOr<std::unique_ptr<Plugin>> {
            return std::make_unique<Validate>();
          }};
}

}  // namespace pilothouse::trainer
