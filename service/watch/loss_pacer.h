// How often a watcher gets losses: the rule of WatchTrainingRequest.min_interval.
#ifndef PILOTHOUSE_SERVICE_WATCH_LOSS_PACER_H_
#define PILOTHOUSE_SERVICE_WATCH_LOSS_PACER_H_

#include <cmath>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "pilothouse/v1/event.pb.h"

namespace pilothouse::service {

// A value: a copy paces on from where the original stands. Not thread-safe.
class LossPacer {
 public:
  explicit LossPacer(absl::Duration min_interval) : min_interval_(min_interval) {}

  // Whether `event` is to be sent. A loss is not if it was reported less than min_interval after the last one that was;
  // times of reporting are compared, so that history and live events are thinned alike. A loss at the target always is,
  // one that is NaN or infinite, every other kind, and a loss from before the last one (somebody has set the clock
  // back).
  bool Passes(const v1::Event& event) {
    if (!event.has_loss()) return true;
    const absl::Time time = absl::FromUnixSeconds(event.time().seconds()) + absl::Nanoseconds(event.time().nanos());
    const bool soon = last_.has_value() && time >= *last_ && time - *last_ < min_interval_;
    if (soon && !event.loss().at_target() && std::isfinite(event.loss().value())) return false;
    last_ = time;
    return true;
  }

 private:
  const absl::Duration min_interval_;
  std::optional<absl::Time> last_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_LOSS_PACER_H_
