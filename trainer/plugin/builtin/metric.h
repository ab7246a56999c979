// The number by which a plugin judges a run, and the settings that say which.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_METRIC_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_METRIC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/progress.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// Whether a view is a value of the last validation.
bool IsOfValidation(absl::string_view view);

// The setting "goal", and whether more of `metric` is better by what it says.
PluginSettingFacts GoalSetting();
absl::StatusOr<bool> ReadMaximise(const PluginSettings& settings, absl::string_view metric);

// What a metric was after a batch.
struct Reading {
  double value = 0;
  int64_t batch = 0;
};

// Not thread-safe.
class Metric {
 public:
  // Errors: those of CheckViewName, PLUGIN_SETTING_INVALID. REQUIRES: the kind has MetricSettings.
  static absl::StatusOr<Metric> From(const PluginSettings& settings, const PluginSurroundings& surroundings);

  const std::string& name() const { return name_; }
  bool maximise() const { return maximise_; }

  // What is to be looked at now: nullopt if there is no value, or if it belongs to a validation that was looked at
  // already. PLUGIN_SETTING_INVALID if the run's validations do not have it.
  absl::StatusOr<std::optional<Reading>> Look(const RunView& run);
  // "validation_loss has not improved for 10 validations".
  std::string NoGain(int64_t looks) const;

  void Save(MemoryWriter& memory) const { memory.Integer(last_validation_); }
  void Restore(MemoryReader& memory) { last_validation_ = memory.Integer(); }

 private:
  Metric(std::string name, bool maximise) : name_(std::move(name)), maximise_(maximise) {}

  std::string name_;
  bool maximise_;
  // The batch of the validation that was looked at last; −1: none was.
  int64_t last_validation_ = -1;
};

// The settings "metric", "goal" and "min_gain".
std::vector<PluginSettingFacts> MetricSettings();
// After each validation for a value of validations; else once each epoch.
absl::StatusOr<PluginTiming> MetricTiming(const PluginSettings& settings, const PluginSurroundings& surroundings);

// A metric, and how long it has been without a gain.
struct Plateau {
  Metric metric;
  Progress progress;
  // Looks without gain that are too many, 1 or more.
  int64_t patience;

  // Reads the next value, if there is one; otherwise nothing has changed and the answer is false.
  absl::StatusOr<bool> Look(const RunView& run);
  bool reached() const { return progress.looks_without_gain() >= patience; }

  void Save(MemoryWriter& memory) const;
  void Restore(MemoryReader& memory);
};

// Those of MetricSettings, "min_relative_gain" and "patience".
std::vector<PluginSettingFacts> PlateauSettings(absl::string_view usual_patience);
// Errors as Metric::From's. REQUIRES: the kind has PlateauSettings.
absl::StatusOr<Plateau> PlateauFrom(const PluginSettings& settings, const PluginSurroundings& surroundings);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_METRIC_H_
