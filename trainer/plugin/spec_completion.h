// From what somebody wrote about a plugin to all that has to be known of it.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_SPEC_COMPLETION_H_
#define PILOTHOUSE_TRAINER_PLUGIN_SPEC_COMPLETION_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/change.h"
#include "trainer/plugin/plugin_kind.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/schedule.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

struct CompletedSpec {
  // Everything is filled in, save the name where none was given.
  PluginSpec spec;
  const PluginKind* kind = nullptr;
  PluginSettings settings;
  // nullopt: it runs at a point that takes none.
  std::optional<Schedule> schedule;
};

// Fills in what is usual and finds whatever is wrong with the spec by itself, apart from other plugins: errors as in
// PluginHost::Attach. Whether the schedule comes is left to CheckComes.
absl::StatusOr<CompletedSpec> CompleteSpec(const PluginSpec& spec, const PluginKinds& kinds,
                                           const PluginSurroundings& surroundings);

// SCHEDULE_INVALID, or PLUGIN_INVALID at a point that takes no schedule.
absl::StatusOr<Schedule> ParseSchedule(absl::string_view text, std::optional<Timeline> timeline, PluginPoint point);

// SCHEDULE_INVALID if no time of the schedule lies after `after`, unless it is "never".
absl::Status CheckComes(const Schedule& schedule, Ticks after, const RunTimelines& timelines);

// The time after which a plugin that is attached now is asked first: now. Before the first batch time 0 itself has not
// come yet for those that run before a batch: −1, unless the timeline is past it (wall time runs on meanwhile).
Ticks FirstAskedAfter(PluginPoint point, Timeline timeline, const RunTimelines& timelines);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_SPEC_COMPLETION_H_
