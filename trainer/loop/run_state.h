// Where a run is between two batches.
#ifndef PILOTHOUSE_TRAINER_LOOP_RUN_STATE_H_
#define PILOTHOUSE_TRAINER_LOOP_RUN_STATE_H_

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/scheduled_eta.h"
#include "trainer/loop/target.h"
#include "trainer/plugin/change.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// Changed by the training loop alone; whoever reports or looks at the run reads it. Used on the training thread.
struct RunState final : Stateful {
  // At the beginning of a run.
  RunState(const Knobs& first_knobs, ScheduledEta eta, int64_t first_target, BatchSizes batch_sizes, TimePoint time)
      : knobs(first_knobs),
        scheduled_eta(std::move(eta)),
        target(first_target),
        timelines(batch_sizes, time),
        now(time),
        sizes(batch_sizes) {
    FollowSchedule();
  }

  int64_t batch = 0;
  double loss = -1;  // of `batch`; −1 before any
  // Eta is the one that the next batch is trained with.
  Knobs knobs;
  ScheduledEta scheduled_eta;
  Target target;
  RunTimelines timelines;
  // The time at this boundary.
  TimePoint now;
  // When it was saved, by the machine's clock.
  WallTime saved_time;
  BatchSizes sizes;

  // Returns eta.
  double FollowSchedule() {
    scheduled_eta.Follow(batch, knobs);
    return knobs.update.eta;
  }
  // REQUIRES: knobs.Check is OK.
  void Set(const KnobChange& change) {
    if (change.follow_schedule) return scheduled_eta.Follow(batch, knobs);
    knobs.Set(change.name, change.value);
    scheduled_eta.Changed(batch, knobs);
  }

  // Time has passed until `time`, of which `trained` was spent on batches.
  void Advance(TimePoint time, Duration trained) {
    now = time;
    timelines.Advance(batch, time, trained);
  }

  // As texts "batch" and "loop".
  void Save(SavedState& state) const override;
  // The timelines go on from `now`.
  absl::Status Restore(const SavedState& state) override;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_RUN_STATE_H_
