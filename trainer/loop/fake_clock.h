// Test support: a clock that stands still until it is told to go on, or somebody waits.
#ifndef PILOTHOUSE_TRAINER_LOOP_FAKE_CLOCK_H_
#define PILOTHOUSE_TRAINER_LOOP_FAKE_CLOCK_H_

#include <functional>
#include <map>
#include <utility>

#include "trainer/loop/clock.h"

namespace pilothouse::trainer {

// Everything happens on one thread: a wait makes time pass at once, up to the deadline or to the next thing that is to
// happen before it. Not thread-safe.
class FakeClock final : public Clock {
 public:
  TimePoint Now() const override {
    ++reads_;
    return now_;
  }
  WallTime Wall() const override { return wall_; }

  void WaitUntil(Mutex& mutex, CondVar&, TimePoint deadline) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    mutex.Unlock();
    const bool something_happens = !happenings_.empty() && happenings_.begin()->first <= deadline;
    AdvanceTo(something_happens ? happenings_.begin()->first : deadline);
    mutex.Lock();
  }

  // `what` happens `after` the beginning, when time has come there.
  void At(Duration after, std::function<void()> what) { happenings_.emplace(TimePoint() + after, std::move(what)); }

  void Advance(Duration by) { AdvanceTo(now_ + by); }
  void StepWallClock(Duration by) { wall_ += std::chrono::duration_cast<WallTime::duration>(by); }

  Duration SinceBeginning() const { return now_ - TimePoint(); }
  // How often Now() was called.
  int64_t reads() const { return reads_; }

 private:
  void AdvanceTo(TimePoint time) {
    while (!happenings_.empty() && happenings_.begin()->first <= time) {
      auto next = happenings_.extract(happenings_.begin());
      SetNow(next.key());
      next.mapped()();
    }
    SetNow(time);
  }

  void SetNow(TimePoint time) {
    if (time <= now_) return;
    StepWallClock(time - now_);
    now_ = time;
  }

  TimePoint now_;
  WallTime wall_;
  std::multimap<TimePoint, std::function<void()>> happenings_;
  mutable int64_t reads_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_FAKE_CLOCK_H_
