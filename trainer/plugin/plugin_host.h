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
#include "trainer/checkpoint/saved_state.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_kind.h"
#include "trainer/plugin/plugin_status.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/schedule.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

struct AttachedPlugin;
struct CompletedSpec;
struct PluginCall;
class PluginAgenda;

// Takes what plugins report and want. Called on the training thread; a wish is applied, or refused, when the call
// returns.
class PluginSink {
 public:
  virtual ~PluginSink() = default;

  virtual void OnOutput(const PluginSpec& plugin, PluginOutput output) = 0;
  virtual void OnFailure(const PluginSpec& plugin, PluginFailure failure) = 0;
  // OK if it was applied, or comes too late to matter. Otherwise why it was refused: that is a failure of the call, and
  // what else the call asked for is dropped, since it may have belonged together.
  virtual absl::Status OnWish(const PluginSpec& plugin, Wish wish) = 0;
};

// Plugins that are due at the same boundary run by priority, lowest first, and at the same priority in the order in
// which they were attached: so that what one decides is seen by those that come after it, and saving, which has the
// highest, comes last and holds what the others decided.
//
// Where a plugin has asked for a validation, those at after_validation run next, before what it wishes is granted: they
// see the parameters that were validated.
//
// A required plugin whose call failed, unless it merely took too long, is called again every ten seconds until a call
// succeeds. After max_failures in a row it pauses the run; whoever resumes it gives it as many tries again. At start it
// pauses the run at once, before the first batch, and at after_validation, where it is next due after a validation.
//
// A plugin may attach and detach plugins, itself too, by what it asks for: OnWish may call Attach, Detach and
// Reschedule. Those that are attached meanwhile are first due at the next boundary. Not thread-safe.
class PluginHost : public Stateful {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  // `timelines` are kept up to date by the owner and, as `kinds`, outlive the host. `clock` measures what plugins take.
  PluginHost(const PluginKinds& kinds, PluginSurroundings surroundings, const RunTimelines& timelines, Clock clock);
  ~PluginHost() override;
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
  absl::Status Check(const DetachPluginChange& change) const;
  absl::Status Check(const ReschedulePluginChange& change) const;

  // What a plugin was due for until now was done, elsewhere. Does nothing if there is no such plugin.
  void HasRun(const std::string& name);

  // How many are attached, besides those that belong to the run itself.
  int64_t attached() const;

  // Whether a plugin at `point` (before_batch or after_batch) is due by where the timelines are. Costs three
  // comparisons, however many plugins with schedules there are, and asks the few that belong to the run itself.
  bool Due(PluginPoint point) const;
  // The next batch at which a plugin at either point is due by batches, examples or epochs; kNever if none is.
  int64_t next_due_batch() const;

  // The next moment at which a plugin that belongs to the run itself is due whatever the batch is; time_point::max() if
  // none is.
  std::chrono::steady_clock::time_point next_due_moment() const;

  // Runs the plugins at `point` that are due; at a point without schedules, all of them. Reports and wishes go to
  // `sink`. While the run is idle (no batch was trained since the last call, and none follows) only those that belong
  // to the run itself are asked: the time the others are asked about next includes the pause. When a plugin has asked
  // for a validation, those at after_validation that are due run right after its call.
  void Run(PluginPoint point, RunView& run, PluginSink& sink, bool idle = false);
  // Runs those that run at start and have not yet. Whether there were any.
  bool RunStart(RunView& run, PluginSink& sink);
  // The run has ended: calls every plugin, save those that belong to the run itself, once more, with done(). What they
  // wish is dropped.
  void RunLast(RunView& run, PluginSink& sink);

  // In the order in which they run.
  std::vector<PluginStatus> List() const;

  // As in saved_plugins.h.
  void Save(SavedState& state) const override;
  // Attaches the plugins that were saved, as they were then, in the place of those that are attached; those that belong
  // to the run itself must have been added before. What has run does not run again. Further errors: as in Attach, save
  // that a schedule may lie in the past, and those of Plugin::Restore.
  absl::Status Restore(const SavedState& state) override;

 private:
  // Looks when the next plugin is due.
  void Reconsider();
  using SharedPlugin = std::shared_ptr<AttachedPlugin>;

  // A plugin as the spec says, not yet among the others.
  absl::StatusOr<SharedPlugin> Make(const PluginSpec& spec) const;
  // The same, and its schedule is to come.
  absl::StatusOr<SharedPlugin> MakeToCome(const PluginSpec& spec) const;
  // Restores those that belong to the run itself, or all others.
  absl::Status RestoreThose(const std::vector<SavedPlugin>& saved, bool built_in);
  absl::Status RestoreOne(const SavedPlugin& saved);
  absl::Status CheckAgainstOthers(const CompletedSpec& completed) const;
  std::string FreeName(const std::string& kind) const;
  void Insert(SharedPlugin plugin);
  // nullptr: there is none of this name.
  SharedPlugin Named(const std::string& name) const;
  // One that can be detached and rescheduled.
  absl::StatusOr<SharedPlugin> Changeable(const std::string& name) const;
  // What to ask it by, if the change is made.
  absl::StatusOr<Schedule> NewSchedule(const ReschedulePluginChange& change) const;
  Ticks FirstAskedAfter(const AttachedPlugin& plugin, Timeline timeline) const;

  // Whether any ran that has a schedule.
  bool RunDue(PluginPoint point, RunView& run, PluginSink& sink, bool idle);
  // Calls the plugin, and passes on what comes of it. `last`: with done().
  void Call(AttachedPlugin& plugin, RunView& run, PluginSink& sink, bool last);
  // Grants what a call asks for; what was refused becomes the call's failure. Whether the run is to pause: it was to
  // end, and cannot.
  static bool Grant(const AttachedPlugin& plugin, PluginCall& call, PluginSink& sink);
  // Tells of a failure and does what follows from it. `last`: nothing does, since it was the plugin's last call.
  // `pause`: it pauses the run, however many there were before.
  static void Fail(AttachedPlugin& plugin, const PluginCall& call, PluginSink& sink, bool last, bool pause);

  const PluginKinds& kinds_;
  PluginSurroundings surroundings_;
  const RunTimelines& timelines_;
  const Clock clock_;
  // In the order in which they run. Shared, because a plugin may be detached while it runs.
  std::vector<SharedPlugin> plugins_;
  const std::unique_ptr<PluginAgenda> agenda_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_HOST_H_
