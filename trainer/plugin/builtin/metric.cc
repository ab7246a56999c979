#include "trainer/plugin/builtin/metric.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/validation.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kMaxPatience = 1'000'000;
constexpr absl::string_view kOfValidation = "validation_";

// To minimise an accuracy by oversight would end a run for getting better.
bool MoreIsBetter(absl::string_view metric) {
  if (!absl::ConsumePrefix(&metric, kOfValidation)) return false;
  const auto scores = ScoresOfValidations();
  return std::any_of(scores.begin(), scores.end(),
                     [&](const ScoreFacts& score) { return metric == score.name && score.more_is_better; });
}

}  // namespace

bool IsOfValidation(absl::string_view view) { return absl::StartsWith(view, kOfValidation); }

PluginSettingFacts GoalSetting() {
  return {.name = "goal",
          .description =
              "minimise or maximise; auto: maximise accuracies, validation_roc_auc and validation_r2, "
              "minimise anything else",
          .usual = "auto"};
}

absl::StatusOr<bool> ReadMaximise(const PluginSettings& settings, absl::string_view metric) {
  const absl::StatusOr<std::string> goal = settings.Choice("goal", {"auto", "minimise", "maximise"});
  if (!goal.ok()) return goal.status();
  return *goal == "maximise" || (*goal == "auto" && MoreIsBetter(metric));
}

absl::StatusOr<Metric> Metric::From(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  const std::string& name = settings.Text("metric");
  const absl::Status known = CheckViewName(name, "metric", surroundings);
  if (!known.ok()) return known;
  const absl::StatusOr<bool> maximise = ReadMaximise(settings, name);
  if (!maximise.ok()) return maximise.status();
  return Metric(name, *maximise);
}

absl::StatusOr<std::optional<Reading>> Metric::Look(const RunView& run) {
  const absl::StatusOr<std::optional<double>> value = run.Value(name_);
  if (!value.ok()) return value.status();
  if (!IsOfValidation(name_)) {
    return value->has_value() ? std::optional<Reading>({**value, run.batch()}) : std::nullopt;
  }
  if (!run.validation().has_value() || run.validation()->batch == last_validation_) return std::optional<Reading>();
  if (!value->has_value()) {
    return PluginSettings::Invalid(
        "metric", name_, absl::StrCat("The validations of this run have no ", name_, ": watch validation_loss."));
  }
  last_validation_ = run.validation()->batch;
  return Reading{**value, last_validation_};
}

std::string Metric::NoGain(int64_t looks) const {
  return absl::StrCat(name_, " has not improved for ", looks, IsOfValidation(name_) ? " validation" : " look",
                      looks == 1 ? "" : "s");
}

std::vector<PluginSettingFacts> MetricSettings() {
  return {{.name = "metric",
           .description = "the number to watch: any view, such as validation_loss, validation_accuracy, loss",
           .usual = "validation_loss"},
          GoalSetting(),
          {.name = "min_gain", .description = "better by no more than this is no gain, 0 or more", .usual = "0"}};
}

absl::StatusOr<PluginTiming> MetricTiming(const PluginSettings& settings, const PluginSurroundings&) {
  if (IsOfValidation(settings.Text("metric")))
    return PluginTiming{"always", std::nullopt, PluginPoint::kAfterValidation};
  return PluginTiming{"each(1 epoch)", std::nullopt, PluginPoint::kAfterBatch};
}

absl::StatusOr<bool> Plateau::Look(const RunView& run) {
  const absl::StatusOr<std::optional<Reading>> reading = metric.Look(run);
  if (!reading.ok()) return reading.status();
  if (!reading->has_value()) return false;
  progress.Look((*reading)->value, (*reading)->batch);
  return true;
}

void Plateau::Save(MemoryWriter& memory) const {
  metric.Save(memory);
  progress.Save(memory);
}

void Plateau::Restore(MemoryReader& memory) {
  metric.Restore(memory);
  progress.Restore(memory);
}

std::vector<PluginSettingFacts> PlateauSettings(absl::string_view usual_patience) {
  std::vector<PluginSettingFacts> settings = MetricSettings();
  settings.push_back({.name = "min_relative_gain",
                      .description = "better by no more than this part of the best is no gain, 0 to 1",
                      .usual = "0.001"});
  settings.push_back({.name = "patience",
                      .description = "looks without gain that are waited for, up to 1000000; 0 counts as 1",
                      .usual = std::string(usual_patience)});
  return settings;
}

absl::StatusOr<Plateau> PlateauFrom(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  absl::StatusOr<Metric> metric = Metric::From(settings, surroundings);
  if (!metric.ok()) return metric.status();
  const absl::StatusOr<double> gain = settings.Number("min_gain", 0, std::numeric_limits<double>::max());
  if (!gain.ok()) return gain.status();
  const absl::StatusOr<double> relative = settings.Number("min_relative_gain", 0, 1);
  if (!relative.ok()) return relative.status();
  const absl::StatusOr<int64_t> patience = settings.Integer("patience", 0, kMaxPatience);
  if (!patience.ok()) return patience.status();
  const GainRules rules{metric->maximise(), *gain, *relative};
  return Plateau{*std::move(metric), Progress(rules), std::max<int64_t>(*patience, 1)};
}

}  // namespace pilothouse::trainer
