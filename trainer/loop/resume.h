// What leads a run back to where it was: after its trainer died, when it is taken back, or where a fork begins.
#ifndef PILOTHOUSE_TRAINER_LOOP_RESUME_H_
#define PILOTHOUSE_TRAINER_LOOP_RESUME_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/control.h"

namespace pilothouse::trainer {

// A control as it was applied.
struct AppliedControl {
  // at_batch is unset.
  Control control;
  // After this batch and before the next.
  int64_t batch = 0;
};

// The run was at `batch` at `time`.
struct TimeMark {
  int64_t batch = 0;
  WallTime time;
};

struct ResumePlan {
  // Where to begin. Null: at the beginning of the run, as its spec says.
  std::shared_ptr<const SavedState> checkpoint;
  // What was applied since, in order: nothing else is to change the run until it is back.
  std::vector<AppliedControl> controls;
  // When the run was where since then, oldest first: so that what goes by wall time is not done again.
  std::vector<TimeMark> marks;
  // The run's first target, for one that begins anew.
  int64_t initial_target = 0;
  // The batch to come back to; training up to it is not reported, for it was.
  int64_t through_batch = 0;
  // What was reported of that batch already, and is not to be reported again: its loss, its state vector, and so many
  // outputs and failures of each plugin.
  bool loss_reported = false;
  bool state_reported = false;
  std::map<std::string, int> plugin_reports;
  // How often the run was taken back.
  int64_t line = 0;
  // All controls that the journal holds, also those of branches.
  int64_t controls_recorded = 0;
  // The checkpoints that the journal knows, oldest first.
  std::vector<RecordedCheckpoint> recorded;
  // The run waits where it comes back to, until it is told to go on.
  bool pause = false;
  // What the first status says about it. May be empty.
  std::string message;
};

// What a fork does differently, once it is where it begins: these are its own first controls.
struct ForkStart {
  std::vector<Change> changes;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_RESUME_H_
