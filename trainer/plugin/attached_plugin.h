// A plugin of a run: what it is, when it was asked, when it is next due.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_ATTACHED_PLUGIN_H_
#define PILOTHOUSE_TRAINER_PLUGIN_ATTACHED_PLUGIN_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_call.h"
#include "trainer/plugin/plugin_kind.h"
#include "trainer/plugin/plugin_status.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/schedule.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// How long a required plugin that failed between two batches waits before it is called again: what is in its way (a
// file system that does not answer, say) may pass, and each failure is journaled.
inline constexpr std::chrono::seconds kRetryAfter{10};

struct AttachedPlugin {
  // next_due, now and waits_for are filled in by Status().
  PluginStatus status;
  // nullptr: it belongs to the run itself.
  const PluginKind* kind = nullptr;
  std::unique_ptr<Plugin> plugin;
  // The plugin, if it belongs to the run itself, else nullptr.
  const BuiltInPlugin* built_in = nullptr;
  std::optional<Schedule> schedule;
  // Its schedule has been asked about all times up to this one.
  Ticks asked_through = 0;
  // The first time of its schedule after that: schedules are asked once per call of their plugin, not once per batch.
  Ticks next_due = kNever;
  int failures_in_a_row = 0;
  // It is required and its last call did not do what it was for: it is due, from this moment of the wall time on, until
  // one does.
  bool owed = false;
  Ticks retry_at = 0;
  // Detaching may happen while it runs.
  bool attached = true;

  PluginPoint point() const { return status.spec.point.value_or(PluginPoint::kAfterBatch); }
  // What it counts by; batches if it has no schedule.
  Timeline timeline() const { return schedule.has_value() ? schedule->timeline() : Timeline::kBatches; }

  // From now on it is asked about times after `time`.
  void AskAfter(Ticks time);
  // Whether it is to run at its point now.
  bool IsDue(const RunTimelines& timelines) const;
  // It was called.
  void Count(const PluginCall& call, const RunTimelines& timelines);
  // The call did not do what it was for. If the plugin is required, it is asked about the same times again, those after
  // `after`, a little later.
  void Owe(Ticks after, const RunTimelines& timelines);

  PluginStatus Status(const RunTimelines& timelines) const;
  SavedPlugin Save(const RunTimelines& timelines) const;
  // Goes on as it was saved. Errors: those of Plugin::Restore.
  absl::Status Restore(const SavedPlugin& saved);

 private:
  std::optional<double> NextDue(const RunTimelines& timelines) const;
  std::string WaitsFor() const;
  bool WaitsForStart() const { return status.runs == 0 || owed; }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_ATTACHED_PLUGIN_H_
