// What a watcher asked for, checked.
#ifndef PILOTHOUSE_SERVICE_WATCH_WATCH_OPTIONS_H_
#define PILOTHOUSE_SERVICE_WATCH_WATCH_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pilothouse/v1/training_control.pb.h"
#include "proto/journal/event_kind.h"

namespace pilothouse::service {

inline constexpr absl::Duration kDefaultMinInterval = absl::Milliseconds(50);
inline constexpr absl::Duration kDefaultMaxInterval = absl::Seconds(1);
inline constexpr absl::Duration kShortestMaxInterval = absl::Milliseconds(100);
inline constexpr absl::Duration kLongestInterval = absl::Hours(1);

struct WatchOptions {
  // Unset: from now.
  std::optional<uint64_t> after_sequence;
  EventKindSet kinds;
  absl::Duration min_interval = kDefaultMinInterval;
  absl::Duration max_interval = kDefaultMaxInterval;
};

// INTERVAL_INVALID for an interval out of its range, SPEC_INVALID for an unknown kind. Pure.
absl::StatusOr<WatchOptions> ParseWatchRequest(const v1::WatchTrainingRequest& request);

// The kinds that WatchTraining and ReadHistory ask for: none means all but STATE. SPEC_INVALID. Pure.
absl::StatusOr<EventKindSet> ParseEventKinds(const google::protobuf::RepeatedField<int>& kinds);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_WATCH_OPTIONS_H_
