#include "trainer/plugin/plugin_agenda.h"

namespace pilothouse::trainer {

void PluginAgenda::Rebuild(const std::vector<std::shared_ptr<AttachedPlugin>>& plugins, const RunTimelines& timelines) {
  *this = PluginAgenda();
  for (const std::shared_ptr<AttachedPlugin>& plugin : plugins) {
    const PluginPoint point = plugin->point();
    if (point == PluginPoint::kStart && plugin->IsDue(timelines)) starts_wait_ = true;
    if (point != PluginPoint::kBeforeBatch && point != PluginPoint::kAfterBatch) continue;
    DueTimes& due = point == PluginPoint::kBeforeBatch ? before_batch_ : after_batch_;
    if (plugin->built_in != nullptr) {
      AddBuiltIn(*plugin->built_in, timelines, due);
    } else {
      Add(*plugin, timelines, due);
    }
  }
}

void PluginAgenda::Add(const AttachedPlugin& plugin, const RunTimelines& timelines, DueTimes& due) {
  if (plugin.next_due == kNever) return;
  switch (plugin.timeline()) {
    case Timeline::kBatches:
    case Timeline::kExamples:
    case Timeline::kEpochs:
      due.batch = std::min(due.batch, timelines.BatchAt(plugin.timeline(), plugin.next_due));
      break;
    case Timeline::kWallTime:
      due.wall_time = std::min(due.wall_time, plugin.next_due);
      break;
    case Timeline::kTrainingTime:
      due.training_time = std::min(due.training_time, plugin.next_due);
      break;
  }
}

void PluginAgenda::AddBuiltIn(const BuiltInPlugin& plugin, const RunTimelines& timelines, DueTimes& due) {
  due.batch = std::min(due.batch, plugin.NextDueBatch(timelines.Now(Timeline::kBatches)));
  const auto moment = plugin.NextDueMoment();
  if (!moment.has_value()) return;
  moment_ = std::min(moment_, *moment);
  const std::chrono::nanoseconds wall_time = *moment - timelines.MomentAt(0);
  due.wall_time = std::min(due.wall_time, Ticks{wall_time.count()});
}

bool PluginAgenda::Due(PluginPoint point, const RunTimelines& timelines) const {
  const DueTimes& due = point == PluginPoint::kBeforeBatch ? before_batch_ : after_batch_;
  return timelines.Now(Timeline::kBatches) >= due.batch || timelines.Now(Timeline::kWallTime) >= due.wall_time ||
         timelines.Now(Timeline::kTrainingTime) >= due.training_time;
}

}  // namespace pilothouse::trainer
