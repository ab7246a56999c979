#include "trainer/plugin/builtin/early_stopping.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/metric.h"

namespace pilothouse::trainer {
namespace {

class EarlyStopping final : public Plugin {
 public:
  explicit EarlyStopping(Plateau plateau) : plateau_(std::move(plateau)) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return absl::OkStatus();
    const absl::StatusOr<bool> looked = plateau_.Look(context.run());
    if (!looked.ok()) return looked.status();
    if (!*looked) return absl::OkStatus();
    const bool improved = plateau_.progress.looks_without_gain() == 0;
    if (improved || plateau_.reached()) Report(context);
    if (plateau_.reached()) context.SetDone(Reason());
    return absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    plateau_.Save(memory);
    return memory.text();
  }

  absl::Status Restore(absl::string_view state) override {
    MemoryReader memory(state);
    plateau_.Restore(memory);
    return memory.Finish();
  }

 private:
  void Report(PluginContext& context) const {
    PluginOutput output;
    const Progress& progress = plateau_.progress;
    if (progress.best().has_value()) output.values.emplace_back("best", *progress.best());
    output.values.emplace_back("looks_without_gain", static_cast<double>(progress.looks_without_gain()));
    context.Report(std::move(output));
  }

  std::string Reason() const {
    const Progress& progress = plateau_.progress;
    const std::string no_gain = plateau_.metric.NoGain(progress.looks_without_gain());
    if (!progress.best().has_value()) return absl::StrCat(no_gain, "; it never was a finite number");
    return absl::StrCat(no_gain, "; the best was ", *progress.best(), " at batch ", progress.best_batch());
  }

  Plateau plateau_;
};

}  // namespace

PluginKind EarlyStoppingKind() {
  return {.name = "early-stopping",
          .description = "Ends the run when a metric has not improved for a number of looks.",
          .settings = PlateauSettings("10"),
          .usual_schedule = "always",
          .usual_point = PluginPoint::kAfterValidation,
          .usual_timing = MetricTiming,
          .acts_at_end = false,
          .make = [](const PluginSettings& settings,
                     const PluginSurroundings& surroundings) -> absl::StatusOr<std::unique_ptr<Plugin>> {
            absl::StatusOr<Plateau> plateau = PlateauFrom(settings, surroundings);
            if (!plateau.ok()) return plateau.status();
            return std::make_unique<EarlyStopping>(*std::move(plateau));
          }};
}

}  // namespace pilothouse::trainer
