// How far a run is to train, and whether it trains or waits.
#ifndef PILOTHOUSE_TRAINER_LOOP_TARGET_H_
#define PILOTHOUSE_TRAINER_LOOP_TARGET_H_

#include <cstdint>

#include "absl/status/status.h"
#include "trainer/loop/control.h"

namespace pilothouse::trainer {

// Invariant: while a run trains, its target is its resume target. Not thread-safe.
class Target {
 public:
  // What a checkpoint keeps of it.
  struct Saved {
    int64_t batch = 0;
    int64_t resume_batch = 0;
    bool paused = false;
    bool diverged = false;
  };

  // REQUIRES: 0 <= batch <= kMaxTarget.
  explicit Target(int64_t batch = 0) : now_{batch, batch, false, false} {}
  explicit Target(const Saved& saved) : now_(saved) {}

  // The batch to train up to, and where a resume leads: the last target that lay ahead when it was set.
  int64_t batch() const { return now_.batch; }
  int64_t resume_batch() const { return now_.resume_batch; }

  // Changes the target of a run that is at `batch`. On TARGET_INVALID nothing has changed.
  absl::Status Apply(const TargetChange& change, int64_t batch);

  // The loss became NaN or infinite: wait until a target that lies ahead is set, or Recover.
  void Diverge() { now_.diverged = true; }
  // Others took the place of the parameters that diverged.
  void Recover() { now_.diverged = false; }

  const Saved& Save() const { return now_; }

  // kNone: the run trains.
  IdleReason IdleReasonAt(int64_t batch) const;

 private:
  Saved now_;
};

// OK if the change can be applied at some batch, else TARGET_INVALID.
absl::Status CheckTargetChange(const TargetChange& change);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_TARGET_H_
