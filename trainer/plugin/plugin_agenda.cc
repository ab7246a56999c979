#include "trainer/plugin/plugin_agenda.h"

#include <algorithm>

namespace pilothouse::trainer {

void PluginAgenda::Rebuild(const std::vector<std::shared_ptr<AttachedPlugin>>& plugins, const RunTimelines& timelines) {
  *this = PluginAgenda();
  for (const std::shared_ptr<AttachedPlugin>& plugin : plugins) {
    const PluginPoint point = plugin->point();
    if (point == PluginPoint::kStart && plugin->IsDue(timelines)) starts_wait_ = true;
    if (point != PluginPoint::kBeforeBatch && point != PluginPoint::kAfterBatch) continue;
    DueTimes& due = point == PluginPoint::kBeforeBatch ? before_batch_ : after_batch_;
    if (plugin->built_in != nullptr) {
      built_in_.push_back(plugin);
    } else {
      Add(*plugin, timelines, due);
    }
  }
}

void PluginAgenda::Add(const AttachedPlugin& plugin, const RunTimelines& timelines, DueTimes& due) {
  if (plugin.next_due == kNever) return;
  if (plugin.owed) {
    due.wall_time = std::min(due.wall_time, plugin.retry_at);
    return;
  }
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

bool PluginAgenda::Due(PluginPoint point, const RunTimelines& timelines) const {
  const DueTimes& due = point == PluginPoint::kBeforeBatch ? before_batch_ : after_batch_;
  if (timelines.Now(Timeline::kBatches) >= due.batch || timelines.Now(Timeline::kWallTime) >= due.wall_time ||
      timelines.Now(Timeline::kTrainingTime) >= due.training_time) {
    return true;
  }
  return std::any_of(built_in_.begin(), built_in_.end(),
                     [&](const auto& plugin) { return plugin->point() == point && plugin->IsDue(timelines); });
}

int64_t PluginAgenda::next_due_batch(const RunTimelines& timelines) const {
  // Those at start are due at the next boundary, whichever that is.
  if (starts_wait_) return 0;
  int64_t next = std::min(before_batch_.batch, after_batch_.batch);
  for (const std::shared_ptr<AttachedPlugin>& plugin : built_in_) {
    next = std::min(next, plugin->built_in->NextDueBatch(timelines.Now(Timeline::kBatches)));
  }
  return next;
}

std::chrono::steady_clock::time_point PluginAgenda::next_due_moment() const {
  auto next = std::chrono::steady_clock::time_point::max();
  for (const std::shared_ptr<AttachedPlugin>& plugin : built_in_) {
    if (const auto moment = plugin->built_in->NextDueMoment()) next = std::min(next, *moment);
  }
  return next;
}

}  // namespace pilothouse::trainer
