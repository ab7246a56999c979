// When the next plugin of a run is due: what the loop compares with once per batch, however many plugins there are.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_AGENDA_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_AGENDA_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/plugin/attached_plugin.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

class PluginAgenda {
 public:
  // Looks through all plugins. Needed whenever something ran, was attached, detached or rescheduled.
  void Rebuild(const std::vector<std::shared_ptr<AttachedPlugin>>& plugins, const RunTimelines& timelines);

  // As in PluginHost.
  bool Due(PluginPoint point, const RunTimelines& timelines) const;
  int64_t next_due_batch(const RunTimelines& timelines) const;
  std::chrono::steady_clock::time_point next_due_moment() const;
  // Whether a plugin waits for its call at start.
  bool starts_wait() const { return starts_wait_; }

 private:
  // The first times at which some plugin is due.
  struct DueTimes {
    int64_t batch = kNever;
    Ticks wall_time = kNever;
    Ticks training_time = kNever;
  };

  static void Add(const AttachedPlugin& plugin, const RunTimelines& timelines, DueTimes& due);

  DueTimes before_batch_;
  DueTimes after_batch_;
  // Those that belong to the run itself, a handful. They are asked anew each time, since what makes them due (a knob, a
  // loss that was reported) changes without the host.
  std::vector<std::shared_ptr<AttachedPlugin>> built_in_;
  bool starts_wait_ = false;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_AGENDA_H_
