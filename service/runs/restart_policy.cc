#include "service/runs/restart_policy.h"

#include <algorithm>

namespace pilothouse::service {

void RestartPolicy::OnBatch(int64_t batch) {
  if (batch > furthest_death_) restarts_ = 0;
}

void RestartPolicy::OnTakenBack(int64_t batch) {
  restarts_ = 0;
  furthest_death_ = std::min(furthest_death_, batch);
}

void RestartPolicy::OnWell(Time now) {
  if (!well_since_.has_value()) well_since_ = now;
  if (now - *well_since_ >= kRestartMemory) restarts_ = 0;
}

std::optional<std::chrono::milliseconds> RestartPolicy::OnDeath(int64_t batch, Time now) {
  if (well_since_.has_value()) OnWell(now);
  well_since_.reset();
  furthest_death_ = std::max(furthest_death_, batch);
  if (restarts_ >= most_) return std::nullopt;
  std::chrono::milliseconds delay = kFirstRestartDelay;
  for (int i = 0; i < restarts_ && delay < kLongestRestartDelay; ++i) delay *= 2;
  ++restarts_;
  return std::min(delay, kLongestRestartDelay);
}

}  // namespace pilothouse::service
