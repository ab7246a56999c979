// The plugins of a run: which there are, when each is due, and what comes of it.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_HOST_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_HOST_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_kind.h"
#include "trainer/plugin/schedule.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

struct PluginFailure {
  std::string message;
  int failures_in_a_row = 0;
  bool detached = false;
  bool paused = false;
};

// Takes what plugins report and want. Called on the training thread; a wish is applied (or refused) when the call
// returns.
class PluginSink {
 public:
  virtual ~PluginSink() = default;

  virtual void OnOutput(const PluginSpec& plugin, PluginOutput output) = 0;
  virtual void OnFailure(const PluginSpec& plugin, PluginFailure failure) = 0;
  virtual void OnWish(const PluginSpec& plugin, Wish wish) = 0;
};

// Fields as in v1::PluginStatus.
struct PluginStatus {
  PluginSpec spec;  // complete
  int64_t runs = 0;
  int64_t failures = 0;
  std::optional<int64_t> last_batch;
  std::chrono::nanoseconds total_time{0};
  std::chrono::nanoseconds last_time{0};
  std::optional<double> next_due;
  double now = 0;
  bool built_in = false;
  std::string last_failure;
  int64_t attached_batch = 0;
  std::string waits_for;
};

// A plugin as a checkpoint keeps it.
struct SavedPlugin {
  PluginStatus status;
  Ticks asked_through = 0;
  int failures_in_a_row = 0;
  std::string state;  // what Plugin::Save gave
};

// Plugins that are due at the same boundary run by priority, lowest first, and at the same priority in the order in
// which they were attached: so that what one decides is seen by those that come after it, and saving, which has the
// highest, comes last and holds what the others decided.
//
// A plugin may attach and detach plugins, itself too, by what it asks for: OnWish may call Attach, Detach and
// Reschedule. Those that are attached meanwhile are first due at the next boundary. Not thread-safe.
class PluginHost {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  // `timelines` are kept up to date by the owner and, as `kinds`, outlive the host. `clock` measures what plugins take.
  PluginHost(const PluginKinds& kinds, PluginSurroundings surroundings, const RunTimelines& timelines, Clock clock);
  ~PluginHost();
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;

  // Adds a plugin that belongs to the run itself, as `spec`, which is complete, says.
  void AddBuiltIn(PluginSpec spec, std::unique_ptr<BuiltInPlugin> plugin);

  // Return the plugin's name. Whatever is wrong with a spec is found here: PLUGIN_INVALID, PLUGIN_ALREADY_EXISTS,
  // PLUGIN_KIND_UNKNOWN, PLUGIN_SETTING_INVALID, SCHEDULE_INVALID (also for one that never comes, unless it is
  // "never"), TOO_MANY_PLUGINS, NO_VALIDATION_DATA; nothing has changed then.
  absl::StatusOr<std::string> Attach(const PluginSpec& spec);
  // PLUGIN_NOT_FOUND, listing the names; PLUGIN_INVALID for one that belongs to the run itself.
  absl::StatusOr<std::string> Detach(const std::string& name);
  // Further errors: SCHEDULE_INVALID, as in Attach. The new schedule is asked about times after now.
  absl::StatusOr<std::string> Reschedule(const ReschedulePluginChange& change);
  // What each of the three would say now, without doing it.
  absl::Status Check(const PluginSpec& spec) const;

  // How many are attached, besides those that belong to the run itself.
  int64_t attached() const;

  // Whether a plugin at `point` (before_batch or after_batch) is due by where the timelines are. Costs three
  // comparisons, however many plugins there are.
  bool Due(PluginPoint point) const;
  // The next batch at which a plugin at either point is due by batches, examples or epochs; kNever if none is.
  int64_t next_due_batch() const;

  // The next moment at which a plugin that belongs to the run itself is due whatever the batch is; time_point::max() if
  // none is.
  std::chrono::steady_clock::time_point next_due_moment() const;

  // Runs the plugins at `point` that are due; at a point without schedules, all of them. Reports and wishes go to
  // `sink`. While the run is idle (no batch was trained since the last call, and none follows) only those that belong
  // to the run itself are asked: the time the others are asked about next includes the pause. When a plugin has asked
  // for a validation, those at after_validation that are due run right after it.
  void Run(PluginPoint point, RunView& run, PluginSink& sink, bool idle = false);
  // Runs those that run at start and have not yet.
  void RunStart(RunView& run, PluginSink& sink);
  // The run has ended: calls every plugin once more, with done().
  void RunLast(RunView& run, PluginSink& sink);

  // In the order in which they run.
  std::vector<PluginStatus> List() const;

  std::vector<SavedPlugin> Save() const;
  // Attaches what Save gave, as it was then; errors as in Attach, and those of Plugin::Restore.
  absl::Status Restore(const std::vector<SavedPlugin>& saved);

 private:
  struct Attached;
  struct Agenda;

  std::unique_ptr<Agenda> agenda_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_HOST_H_
