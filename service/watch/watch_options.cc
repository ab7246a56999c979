#include "service/watch/watch_options.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/duration.pb.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

absl::StatusOr<absl::Duration> ParseInterval(const google::protobuf::Duration& interval, absl::string_view field,
                                             absl::Duration shortest) {
  const absl::Duration value = absl::Seconds(interval.seconds()) + absl::Nanoseconds(interval.nanos());
  if (value >= shortest && value <= kLongestInterval) return value;
  const std::string shown = absl::FormatDuration(value);
  return MakeError(v1::ERROR_REASON_INTERVAL_INVALID, field,
                   absl::StrCat(field, " must lie between ", absl::FormatDuration(shortest), " and ",
                                absl::FormatDuration(kLongestInterval), "; got ", shown, "."),
                   {{"value", shown}});
}

}  // namespace

absl::StatusOr<EventKindSet> ParseEventKinds(const google::protobuf::RepeatedField<int>& kinds) {
  EventKindSet parsed;
  for (const int kind : kinds) {
    if (kind == v1::EVENT_KIND_UNSPECIFIED || !v1::EventKind_IsValid(kind)) {
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, "kinds",
                       absl::StrCat("There is no event kind ", kind,
                                    ". Ask for LOSS, STATUS, CONTROL, STATE, PLUGIN or CHECKPOINT."),
                       {{"kind", absl::StrCat(kind)}});
    }
    parsed.Add(static_cast<v1::EventKind>(kind));
  }
  if (!parsed.empty()) return parsed;
  parsed = EventKindSet::All();
  parsed.Remove(v1::EVENT_KIND_STATE);
  return parsed;
}

absl::StatusOr<WatchOptions> ParseWatchRequest(const v1::WatchTrainingRequest& request) {
  WatchOptions options;
  if (request.has_after_sequence()) options.after_sequence = request.after_sequence();
  const absl::StatusOr<EventKindSet> kinds = ParseEventKinds(request.kinds());
  if (!kinds.ok()) return kinds.status();
  options.kinds = *kinds;
  if (request.has_min_interval()) {
    const auto interval = ParseInterval(request.min_interval(), "min_interval", absl::ZeroDuration());
    if (!interval.ok()) return interval.status();
    options.min_interval = *interval;
  }
  if (request.has_max_interval()) {
    const auto interval = ParseInterval(request.max_interval(), "max_interval", kShortestMaxInterval);
    if (!interval.ok()) return interval.status();
    options.max_interval = *interval;
  }
  return options;
}

}  // namespace pilothouse::service
