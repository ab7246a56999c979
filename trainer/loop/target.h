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
  // REQUIRES: 0 <= batch <= kMaxTarget.
  explicit Target(int64_t batch = 0) : batch_(batch), resume_batch_(batch) {}

  // The batch to train up to, and where a resume leads: the last target that lay ahead when it was set.
  int64_t batch() const { return batch_; }
  int64_t resume_batch() const { return resume_batch_; }

  // Changes the target of a run that is at `batch`. On TARGET_INVALID nothing has changed.
  absl::Status Apply(const TargetChange& change, int64_t batch);

  // The loss became NaN or infinite: wait until a target that lies ahead is set, or Recover.
  void Diverge() { diverged_ = true; }
  // Others took the place of the parameters that diverged.
  void Recover() { diverged_ = false; }

  // kNone: the run trains.
  IdleReason IdleReasonAt(int64_t batch) const;

 private:
  int64_t batch_;
  int64_t resume_batch_;
  bool paused_ = false;
  bool diverged_ = false;
};

// OK if the change can be applied at some batch, else TARGET_INVALID.
absl::Status CheckTargetChange(const TargetChange& change);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_TARGET_H_
