// Time, injected so that tests can make it pass.
#ifndef PILOTHOUSE_TRAINER_LOOP_CLOCK_H_
#define PILOTHOUSE_TRAINER_LOOP_CLOCK_H_

#include <chrono>

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"

namespace pilothouse::trainer {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using WallTime = std::chrono::system_clock::time_point;

// Whatever is decided by time is decided by Now(), which never goes back; Wall() is for people only.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual TimePoint Now() const = 0;
  virtual WallTime Wall() const = 0;

  // Waits until `condition` is notified or `deadline` has passed; may return sooner without cause.
  virtual void WaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) = 0;
};

// The machine's clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  WallTime Wall() const override { return std::chrono::system_clock::now(); }
  void WaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    condition.WaitUntil(mutex, deadline);
  }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CLOCK_H_
