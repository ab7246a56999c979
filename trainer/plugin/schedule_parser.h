// The text of a schedule, taken apart. The grammar stands in schedule.h.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_PARSER_H_
#define PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_PARSER_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/schedule_time.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// A set of times as it was written.
struct ScheduleExpression {
  enum class Kind { kEach, kAt, kFrom, kUntil, kAlways, kNone, kNot, kBoth, kEither };

  Kind kind = Kind::kNone;
  // Of its word or operator in the text, from 0.
  size_t position = 0;
  // Of kEach, kFrom and kUntil one, of kAt at least one.
  std::vector<WrittenTime> times;
  std::vector<Ticks> ticks;  // the same
  // Of kNot one, of kBoth and kEither at least two.
  std::vector<ScheduleExpression> parts;
};

struct ParsedSchedule {
  ScheduleExpression expression;
  Timeline timeline = Timeline::kBatches;
};

// As Schedule::Parse; a text that is too complicated in its normal form is not recognised here. What comes back points
// into `text`.
absl::StatusOr<ParsedSchedule> ParseSchedule(absl::string_view text, std::optional<Timeline> timeline);

// SCHEDULE_INVALID: `why`, a sentence without its beginning and its full stop, is wrong at the character `position`,
// from 0.
absl::Status ScheduleError(absl::string_view text, size_t position, absl::string_view why);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_PARSER_H_
