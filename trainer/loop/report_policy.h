// When the loop reports: losses, state vectors and heartbeats.
#ifndef PILOTHOUSE_TRAINER_LOOP_REPORT_POLICY_H_
#define PILOTHOUSE_TRAINER_LOOP_REPORT_POLICY_H_

#include <cstdint>
#include <optional>

#include "trainer/loop/clock.h"
#include "trainer/loop/knobs.h"

namespace pilothouse::trainer {

// After so long without a report of any kind comes a heartbeat; so long after its last report comes an unchanged loss.
inline constexpr Duration kMaxSilence = std::chrono::seconds(1);

// Decides from what was reported when; reports nothing itself. Not thread-safe.
class ReportPolicy {
 public:
  // While training: whether the loss of `batch`, which has just been trained, is to be reported whatever the time is:
  // the first one, and that of every loss_every-th batch.
  bool LossDueAt(const Knobs& knobs, int64_t batch) const;
  // When `loss` is to be reported whatever the batch is: when the loss interval has passed since the last report of a
  // loss, or, if it has not changed, when a second has passed (or the loss interval, if that is longer).
  TimePoint LossTime(const Knobs& knobs, double loss) const;
  // Whether the state vector after `batch` is to be reported: at every state_every-th batch, and never twice.
  bool StateDue(const Knobs& knobs, int64_t batch) const;

  // The first batch after `batch` at which a loss, or a state, is due whatever the time is.
  static int64_t NextLossBatch(const Knobs& knobs, int64_t batch);
  static int64_t NextStateBatch(const Knobs& knobs, int64_t batch);

  bool LossReported(int64_t batch) const { return loss_batch_ == batch; }
  bool StateReported(int64_t batch) const { return state_batch_ == batch; }

  // When silence is to be broken by a heartbeat.
  TimePoint HeartbeatTime() const { return last_sign_ + kMaxSilence; }

  // To be told of what was reported. OnSign is for every report and heartbeat.
  void OnLoss(int64_t batch, double loss, TimePoint now);
  void OnState(int64_t batch) { state_batch_ = batch; }
  void OnSign(TimePoint now) { last_sign_ = now; }

 private:
  int64_t loss_batch_ = -1;   // of the last report of a loss; −1: none yet
  int64_t state_batch_ = -1;  // of the last report of a state; −1: none yet
  double loss_ = 0;
  TimePoint loss_time_;
  TimePoint last_sign_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_REPORT_POLICY_H_
