// Times as they are written in schedules: "100", "0.5 epochs", "30 s".
#ifndef PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_TIME_H_
#define PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_TIME_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

struct TimeUnit {
  absl::string_view name;
  // The timeline that it decides where none is given: of the two that count time, wall time.
  Timeline timeline;
  Ticks ticks;
};

// nullptr: no unit has this name, whatever the case of its letters.
const TimeUnit* FindTimeUnit(absl::string_view name);
// The units, for people.
inline constexpr char kTimeUnits[] = "batches, examples, epochs, ms, s, min, h and d";

// Whether times in `unit` can be told on `timeline`.
bool Fits(const TimeUnit& unit, Timeline timeline);

// A time, read but not yet told in ticks: which unit a number without one has is known only at the end of the text.
struct WrittenTime {
  absl::string_view number;        // digits, and a point between digits at most
  const TimeUnit* unit = nullptr;  // nullptr: the timeline's
  absl::string_view text;          // all of it, for messages
  size_t position = 0;             // of its first character, from 0
};

// Exact. The status of a time that is finer than a tick or above kMaxTicks says so as the end of a sentence, without
// full stop. REQUIRES: the unit, if there is one, fits the timeline.
absl::StatusOr<Ticks> TicksOf(const WrittenTime& time, Timeline timeline);

// The time's text in quotes, made fit for messages.
std::string Quoted(const WrittenTime& time);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_SCHEDULE_TIME_H_
