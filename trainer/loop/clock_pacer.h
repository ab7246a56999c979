// How many batches to train between two looks at the clock.
#ifndef PILOTHOUSE_TRAINER_LOOP_CLOCK_PACER_H_
#define PILOTHOUSE_TRAINER_LOOP_CLOCK_PACER_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "trainer/loop/clock.h"

namespace pilothouse::trainer {

// Reading a clock costs a fifth of the smallest network's batch. So it is read about once in kClockPeriod: after every
// batch where batches are slow, seldom where they are fast. Not thread-safe.
class ClockPacer {
 public:
  static constexpr Duration kClockPeriod = std::chrono::milliseconds(1);
  // Bounds how long reports are late when batches suddenly become slow.
  static constexpr int64_t kMaxBatches = 16384;

  // 1 to kMaxBatches.
  int64_t batches() const { return batches_; }

  // `trained` batches took `elapsed`. Grows by no more than doubling, since one short measurement says little.
  void Record(int64_t trained, Duration elapsed) {
    const double fitting = static_cast<double>(trained) * static_cast<double>(kClockPeriod.count()) /
                           static_cast<double>(std::max<Duration::rep>(elapsed.count(), 1));
    const int64_t most = std::min(2 * batches_, kMaxBatches);
    batches_ = std::clamp(static_cast<int64_t>(std::min(fitting, static_cast<double>(most))), int64_t{1}, most);
  }

 private:
  int64_t batches_ = 1;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CLOCK_PACER_H_
