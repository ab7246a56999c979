// What can be said of an eta schedule without reading it.
#ifndef PILOTHOUSE_PROTO_SUPPORT_CONSTANT_SCHEDULE_H_
#define PILOTHOUSE_PROTO_SUPPORT_CONSTANT_SCHEDULE_H_

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace pilothouse {

// Whether a schedule, written as in RunSpec, leaves eta what it was at first. REQUIRES: a trainer has accepted it. Pure
// and thread-safe.
inline bool IsConstantSchedule(absl::string_view schedule) {
  schedule = absl::StripAsciiWhitespace(schedule);
  return schedule.empty() || schedule.substr(0, schedule.find_first_of(" \t\r\n")) == "constant";
}

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_CONSTANT_SCHEDULE_H_
