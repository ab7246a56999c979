// Schedules: sets of times on a timeline.
//
//   absl::StatusOr<Schedule> schedule = Schedule::Parse("each(10) & ~at(20, 30)");
//   schedule->DueIn(5, 25)     // true: 10 lies in (5, 25]
//   schedule->NextAfter(10)    // 40
//
// The grammar, with the loosest operator first; spaces may stand anywhere between words:
//
//   schedule = both { "|" both }                  times that are in either set
//   both     = other { "&" other }                times that are in both
//   other    = "~" other | "(" schedule ")" | set    "~": times that are not in the set
//   set      = "each" "(" time ")"                the multiples of a time above 0, with 0
//            | "at" "(" time { "," time } ")"     these times
//            | "from" "(" time ")"                this time and all later ones
//            | "until" "(" time ")"               this time and all earlier ones
//            | "always" | "never"                 all times; none
//   time     = number [ unit ]
//   unit     = batch(es) | example(s) | epoch(s) | ms | s | sec | second(s) | min | minute(s) | h | hour(s) | d |
//   day(s)
//
// Times are at least 0, and exact: whole batches and examples, epochs to the millionth, seconds to the nanosecond.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// Bounds of one schedule: parentheses and "~" inside each other, and pieces of its normal form.
inline constexpr int kMaxScheduleDepth = 64;
inline constexpr int kMaxSchedulePieces = 1024;

// The set in a form that is quick to ask.
class TimeSet;

// Immutable and cheap to copy; safe to use from any thread.
class Schedule {
 public:
  // Every time of `timeline`.
  static Schedule Always(Timeline timeline);

  // Without a timeline, the units in the text decide; without units, kBatches. SCHEDULE_INVALID, with the position of
  // the first character that does not fit (1-based) as metadata and pointed at in the sentence, for a text that does
  // not follow the grammar, is longer than kMaxPluginTextBytes, mixes timelines, has a unit of another timeline than
  // the one given (the sentence then says which timeline to give), or is too complicated.
  static absl::StatusOr<Schedule> Parse(absl::string_view text, std::optional<Timeline> timeline = std::nullopt);

  // Whether a time of the set lies in (after, through]. −1 as `after` includes the beginning. REQUIRES: through is at
  // most kMaxTicks.
  bool DueIn(Ticks after, Ticks through) const { return NextAfter(after) <= through; }
  // The first time of the set after `time`, which may be −1; kNever if there is none.
  Ticks NextAfter(Ticks time) const;
  // Whether `time` is in the set.
  bool Contains(Ticks time) const { return NextAfter(time - 1) == time; }

  Timeline timeline() const { return timeline_; }
  // As it was given, without spaces at its ends.
  const std::string& text() const { return text_; }
  // It was given as the single word "never": on purpose, as opposed to by mistake.
  bool IsNever() const;

 private:
  Schedule(std::string text, Timeline timeline, std::shared_ptr<const TimeSet> set);

  std::string text_;
  Timeline timeline_;
  std::shared_ptr<const TimeSet> set_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_H_
