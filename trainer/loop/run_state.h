// Where a run is between two batches.
#ifndef PILOTHOUSE_TRAINER_LOOP_RUN_STATE_H_
#define PILOTHOUSE_TRAINER_LOOP_RUN_STATE_H_

#include <cstdint>

#include "trainer/loop/clock.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/target.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// Changed by the training loop alone; whoever reports or looks at the run reads it. Used on the training thread.
struct RunState {
  int64_t batch = 0;
  double loss = -1;  // of `batch`; −1 before any
  Knobs knobs;
  Target target;
  RunTimelines timelines;
  // The time at this boundary.
  TimePoint now;

  // Time has passed until `time`, of which `trained` was spent on batches.
  void Advance(TimePoint time, Duration trained) {
    now = time;
    timelines.Advance(batch, time, trained);
  }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_RUN_STATE_H_
