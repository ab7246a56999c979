// The settings of a plugin, by name: texts that are read as numbers, times and the like.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_SETTINGS_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_SETTINGS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

inline constexpr size_t kMaxPluginFileNameBytes = 128;

struct PluginSettingFacts {
  std::string name;
  // What it does, its unit and its range, in a few words.
  std::string description;
  // The value where none is given.
  std::string usual = "";
  // One must be given; `usual` is empty.
  bool required = false;
};

// A length of any timeline.
struct Span {
  Timeline timeline = Timeline::kBatches;
  Ticks ticks = 0;
};

// The settings of one plugin: those that were given, and the usual values of the others. All errors are
// PLUGIN_SETTING_INVALID, name the setting and say what would be right.
class PluginSettings {
 public:
  // REQUIRES: every setting of the kind is in `values`.
  explicit PluginSettings(std::map<std::string, std::string> values) : values_(std::move(values)) {}

  // REQUIRES (all): the kind declares a setting of this name.
  const std::string& Text(absl::string_view name) const;
  // Finite.
  absl::StatusOr<double> Number(absl::string_view name, double minimum, double maximum) const;
  absl::StatusOr<int64_t> Integer(absl::string_view name, int64_t minimum, int64_t maximum) const;
  // "true", "yes", "1"; "false", "no", "0".
  absl::StatusOr<bool> Flag(absl::string_view name) const;
  // "30 s", "5 min", "1 h"; above 0.
  absl::StatusOr<std::chrono::nanoseconds> Time(absl::string_view name) const;
  // "500 batches", "20 epochs", "10000 examples", "1 h", "100", which are batches; above 0. What is given in units of
  // time is told on `clock`, which is wall_time or training_time.
  absl::StatusOr<Span> SpanOn(absl::string_view name, Timeline clock) const;
  // One of `choices`.
  absl::StatusOr<std::string> Choice(absl::string_view name, const std::vector<std::string>& choices) const;
  // The name of a file in the run's directory, below the folder the plugin keeps its files in: 1 to 128 letters,
  // digits, '-', '_' and '.', not beginning with '.'.
  absl::StatusOr<std::string> FileName(absl::string_view name) const;

  const std::map<std::string, std::string>& values() const { return values_; }

  // An error that blames a setting; `sentence` says what would be right.
  static absl::Status Invalid(absl::string_view name, absl::string_view value, absl::string_view sentence);

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_SETTINGS_H_
