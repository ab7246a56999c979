#include "trainer/plugin/builtin/reduce_eta.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/metric.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kMaxCooldown = 1'000'000;

struct Reduction {
  double factor = 0;
  double minimum = 0;
  int64_t cooldown = 0;
};

class ReduceEta final : public Plugin {
 public:
  ReduceEta(Plateau plateau, Reduction reduction) : plateau_(std::move(plateau)), reduction_(reduction) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return absl::OkStatus();
    const absl::StatusOr<bool> looked = plateau_.Look(context.run());
    if (!looked.ok()) return looked.status();
    if (!*looked) return absl::OkStatus();
    if (cooldown_left_ > 0) {
      --cooldown_left_;
      plateau_.progress.ForgetLooks();
    }
    return plateau_.reached() ? Reduce(context) : absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    plateau_.Save(memory);
    memory.Integer(cooldown_left_);
    return memory.text();
  }

  absl::Status Restore(absl::string_view state) override {
    MemoryReader memory(state);
    plateau_.Restore(memory);
    cooldown_left_ = memory.Integer();
    return memory.Finish();
  }

 private:
  absl::Status Reduce(PluginContext& context) {
    const absl::StatusOr<double> eta = context.run().Knob("eta");
    if (!eta.ok()) return eta.status();
    const int64_t looks = plateau_.progress.looks_without_gain();
    plateau_.progress.ForgetLooks();
    const double reduced = std::max(*eta * reduction_.factor, reduction_.minimum);
    // A person may have set eta below the minimum: it is not raised.
    if (reduced >= *eta) return absl::OkStatus();
    cooldown_left_ = reduction_.cooldown;
    context.Ask(KnobChange{"eta", reduced}, plateau_.metric.NoGain(looks));
    return absl::OkStatus();
  }

  Plateau plateau_;
  const Reduction reduction_;
  int64_t cooldown_left_ = 0;
};

absl::StatusOr<Reduction> ReductionFrom(const PluginSettings& settings) {
  const absl::StatusOr<double> factor =
      settings.Number("factor", std::numeric_limits<double>::denorm_min(), std::nextafter(1.0, 0.0));
  if (!factor.ok()) {
    return PluginSettings::Invalid("factor", settings.Text("factor"),
                                   "The setting \"factor\" takes a number above 0 and below 1.");
  }
  const absl::StatusOr<double> minimum =
      settings.Number("minimum", std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::max());
  if (!minimum.ok()) return minimum.status();
  const absl::StatusOr<int64_t> cooldown = settings.Integer("cooldown", 0, kMaxCooldown);
  if (!cooldown.ok()) return cooldown.status();
  return Reduction{*factor, *minimum, *cooldown};
}

std::vector<PluginSettingFacts> Settings() {
  std::vector<PluginSettingFacts> settings = PlateauSettings("5");
  settings.push_back({.name = "factor", .description = "eta is multiplied by it, above 0, below 1", .usual = "0.5"});
  settings.push_back({.name = "minimum", .description = "eta is not lowered below it, above 0", .usual = "1e-8"});
  settings.push_back({.name = "cooldown",
                      .description = "looks after lowering eta that are not held against it, 0 to 1000000",
                      .usual = "0"});
  return settings;
}

}  // namespace

PluginKind ReduceEtaKind() {
  return {.name = "reduce-eta",
          .description =
              "Lowers eta when a metric has not improved for a number of looks; the first time ends an eta "
              "schedule that the run was started with.",
          .settings = Settings(),
          .usual_schedule = "always",
          .usual_point = PluginPoint::kAfterValidation,
          .usual_timing = MetricTiming,
          .acts_at_end = false,
          .make = [](const PluginSettings& settings,
                     const PluginSurroundings& surroundings) -> absl::StatusOr<std::unique_ptr<Plugin>> {
            absl::StatusOr<Plateau> plateau = PlateauFrom(settings, surroundings);
            if (!plateau.ok()) return plateau.status();
            const absl::StatusOr<Reduction> reduction = ReductionFrom(settings);
            if (!reduction.ok()) return reduction.status();
            return std::make_unique<ReduceEta>(*std::move(plateau), *reduction);
          }};
}

}  // namespace pilothouse::trainer
