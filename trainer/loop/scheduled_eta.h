// What keeps eta as a run's schedule says, for as long as nobody sets it by hand.
#ifndef PILOTHOUSE_TRAINER_LOOP_SCHEDULED_ETA_H_
#define PILOTHOUSE_TRAINER_LOOP_SCHEDULED_ETA_H_

#include <cstdint>
#include <utility>

#include "trainer/loop/knobs.h"
#include "trainer/optim/eta_schedule.h"

namespace pilothouse::trainer {

// A run's knobs hold, between two batches, the eta that the next one is trained with. So that a loop need not ask for
// it after each batch, it is known through which batch it holds. A value type; allocates nothing after construction.
class ScheduledEta {
 public:
  // REQUIRES: initial_eta is finite and above 0, batches_per_epoch >= 1.
  ScheduledEta(EtaSchedule schedule, double initial_eta, int64_t batches_per_epoch)
      : schedule_(std::move(schedule)), initial_eta_(initial_eta), batches_per_epoch_(batches_per_epoch) {}

  // Once this batch has been trained, Follow is due. kForeverBatch: never, as things stand.
  int64_t through() const { return through_; }
  double initial_eta() const { return initial_eta_; }

  // The run is at `batch`: eta is what the schedule says for the batch after it, and follows it from now on.
  void Follow(int64_t batch, Knobs& knobs) {
    const EtaSchedule::Value value = schedule_.At(batch + 1, initial_eta_, batches_per_epoch_);
    knobs.update.eta = value.eta;
    knobs.eta_follows_schedule = true;
    through_ = value.through;
  }

  // To be called when the knobs have become others otherwise: they were set, or restored.
  void Changed(int64_t batch, const Knobs& knobs) {
    through_ =
        knobs.eta_follows_schedule ? schedule_.At(batch + 1, initial_eta_, batches_per_epoch_).through : kForeverBatch;
  }

 private:
  EtaSchedule schedule_;
  double initial_eta_;
  int64_t batches_per_epoch_;
  int64_t through_ = kForeverBatch;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_SCHEDULED_ETA_H_
