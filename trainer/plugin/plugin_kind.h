// Kinds of plugins: what a spec names, with the settings each takes and the values that are usual.
//
//   class CountDown …;
//
//   PluginKind CountDownKind() {
//     return {.name = "count-down",
//             .description = "Ends the run after a number of calls.",
//             .settings = {{.name = "calls", .description = "how many calls, 1 or more", .usual = "10"}},
//             .make = [](const PluginSettings& settings, const PluginSurroundings&)
//                 -> absl::StatusOr<std::unique_ptr<Plugin>> {
//               const absl::StatusOr<int64_t> calls = settings.Integer("calls", 1, 1000);
//               if (!calls.ok()) return calls.status();
//               return std::make_unique<CountDown>(*calls);
//             }};
//   }
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_KIND_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_KIND_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_settings.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// Lower runs first. What others decide is to be seen in what is saved, so measuring comes first, deciding after it, and
// saving last.
inline constexpr int kReportPriority = -100;
inline constexpr int kMeasurePriority = 0;
inline constexpr int kDecidePriority = 100;
inline constexpr int kSavePriority = 900;
inline constexpr int kMaxPriority = 1000;

inline constexpr std::chrono::seconds kUsualAllowance{10};
inline constexpr std::chrono::hours kMaxAllowance{1};
inline constexpr int kUsualMaxFailures = 3;
inline constexpr int kMaxMaxFailures = 1000;

// Ends the sentence of each NO_VALIDATION_DATA.
inline constexpr char kHowToHoldOut[] =
    "Start the run with examples held out: --validation, or validation=… in Python.";

// What a plugin can know of its run when it is made.
struct PluginSurroundings {
  std::string run_id;
  // The run's directory, and the folder in which other runs of the service have theirs, named by run_id. Absolute.
  std::string directory;
  std::string runs_directory;
  int64_t parameters = 0;
  int64_t validation_examples = 0;
  // What validations have beside the loss, as in ScoresOfValidations(). Empty: that is not known.
  std::vector<std::string> scores = {};
  // As Name(OptimizerKind) says.
  std::string optimizer = "gradient_descent";
  // The names of the run's knobs.
  std::vector<std::string> knobs;
  // Of the run, for plugins that draw random numbers.
  uint64_t seed = 0;
  // Where the run is. The host sets it to its own.
  const RunTimelines* timelines = nullptr;
};

// OK if a plugin of this run can look at a view of this name; PLUGIN_SETTING_INVALID, blaming `setting` and listing the
// names, otherwise, also for a score that validations of this run cannot have; NO_VALIDATION_DATA for a validation's
// value where nothing is held out.
absl::Status CheckViewName(absl::string_view view, absl::string_view setting, const PluginSurroundings& surroundings);

// When a plugin runs.
struct PluginTiming {
  std::string schedule;
  // nullopt: as the schedule's units say.
  std::optional<Timeline> timeline;
  PluginPoint point = PluginPoint::kAfterBatch;
};

struct PluginKind {
  // [a-z0-9][a-z0-9-]{0,62}.
  std::string name;
  // One sentence.
  std::string description;
  std::vector<PluginSettingFacts> settings = {};
  std::string usual_schedule = "always";
  PluginPoint usual_point = PluginPoint::kAfterBatch;
  // When it usually runs, where that depends on the settings and on where the run is; usual_schedule and usual_point
  // are then what is usual with the usual settings. What the spec says comes first; the timeline given here holds only
  // where the spec says neither schedule nor timeline. Unset: usual_schedule at usual_point. Errors as `make`'s.
  std::function<absl::StatusOr<PluginTiming>(const PluginSettings&, const PluginSurroundings&)> usual_timing = nullptr;
  int usual_priority = kDecidePriority;
  bool required = false;
  // It makes sense only where examples are held out: NO_VALIDATION_DATA otherwise.
  bool needs_validation_data = false;
  // It validates: those at after_validation have something to wait for.
  bool validates = false;
  // It does something at point end, when the run can be changed no more: PLUGIN_INVALID there otherwise.
  bool acts_at_end = true;
  // The setting that names the file it writes, if it writes one; no two plugins of a run may write the same.
  std::string file_setting = "";
  // Makes a plugin, or says what is wrong with its settings. Checks everything that can be checked before the first
  // call.
  std::function<absl::StatusOr<std::unique_ptr<Plugin>>(const PluginSettings&, const PluginSurroundings&)> make;
};

// The kinds a trainer knows; those that come with it are in builtin/builtin_kinds.h. Built once, before any run; not
// thread-safe while it is.
class PluginKinds {
 public:
  // REQUIRES: no kind has this name yet, and the kind is complete.
  void Register(PluginKind kind);

  // By name.
  const std::map<std::string, PluginKind>& all() const { return kinds_; }
  // PLUGIN_KIND_UNKNOWN, listing the names.
  absl::StatusOr<const PluginKind*> Find(absl::string_view name) const;

  // The settings of a plugin of this kind, from those that were given. PLUGIN_SETTING_INVALID for one that is unknown
  // or missing.
  static absl::StatusOr<PluginSettings> Complete(const PluginKind& kind, std::map<std::string, std::string> given);

 private:
  std::map<std::string, PluginKind> kinds_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_KIND_H_
