#include "trainer/plugin/attached_plugin.h"

#include <chrono>
#include <utility>

namespace pilothouse::trainer {

void AttachedPlugin::AskAfter(Ticks time) {
  asked_through = time;
  next_due = schedule.has_value() ? schedule->NextAfter(time) : kNever;
}

bool AttachedPlugin::IsDue(const RunTimelines& timelines) const {
  if (built_in != nullptr) {
    const int64_t batch = timelines.Now(Timeline::kBatches);
    const auto moment = built_in->NextDueMoment();
    return built_in->NextDueBatch(batch) <= batch ||
           (moment.has_value() && *moment <= timelines.MomentAt(timelines.Now(Timeline::kWallTime)));
  }
  if (owed && timelines.Now(Timeline::kWallTime) < retry_at) return false;
  if (schedule.has_value()) return next_due <= timelines.Now(timeline());
  return point() != PluginPoint::kStart || WaitsForStart();
}

void AttachedPlugin::Count(const PluginCall& call, const RunTimelines& timelines) {
  ++status.runs;
  status.last_batch = timelines.Now(Timeline::kBatches);
  status.last_time = call.took;
  status.total_time += call.took;
  owed = false;
  AskAfter(timelines.Now(timeline()));
}

void AttachedPlugin::Owe(Ticks after, const RunTimelines& timelines) {
  if (!status.spec.required.value_or(false)) return;
  owed = true;
  const bool may_wait = point() == PluginPoint::kBeforeBatch || point() == PluginPoint::kAfterBatch;
  const std::chrono::nanoseconds wait = may_wait ? kRetryAfter : std::chrono::nanoseconds(0);
  retry_at = timelines.Now(Timeline::kWallTime) + wait.count();
  AskAfter(after);
}

std::optional<double> AttachedPlugin::NextDue(const RunTimelines& timelines) const {
  // A validation decides, not the time alone.
  if (built_in == nullptr && point() == PluginPoint::kAfterValidation) return std::nullopt;
  const Ticks due = built_in != nullptr ? built_in->NextDueBatch(timelines.Now(Timeline::kBatches)) : next_due;
  if (due == kNever) return std::nullopt;
  return static_cast<double>(due) / static_cast<double>(TicksPerUnit(timeline()));
}

std::string AttachedPlugin::WaitsFor() const {
  if (built_in != nullptr) return "";
  switch (point()) {
    case PluginPoint::kAfterValidation:
      return "a validation";
    case PluginPoint::kStart:
      return WaitsForStart() ? "the start" : "";
    case PluginPoint::kBeforeStop:
      return "the stop";
    case PluginPoint::kEnd:
      return "the end";
    case PluginPoint::kBeforeBatch:
    case PluginPoint::kAfterBatch:
      break;
  }
  return "";
}

PluginStatus AttachedPlugin::Status(const RunTimelines& timelines) const {
  PluginStatus now = status;
  now.next_due = NextDue(timelines);
  now.now = timelines.Value(timeline());
  now.built_in = built_in != nullptr;
  now.waits_for = WaitsFor();
  return now;
}

SavedPlugin AttachedPlugin::Save(const RunTimelines& timelines) const {
  SavedPlugin saved{Status(timelines), asked_through, failures_in_a_row, owed, retry_at, ""};
  // One that cannot say what it remembers forgets it, and nothing else is lost.
  const absl::Status said = Guarded([&] {
    saved.state = plugin->Save();
    return absl::OkStatus();
  });
  if (!said.ok()) saved.state.clear();
  return saved;
}

absl::Status AttachedPlugin::Restore(const SavedPlugin& saved) {
  const absl::Status remembers = Guarded([&] { return plugin->Restore(saved.state); });
  if (!remembers.ok()) return remembers;
  PluginSpec spec = std::move(status.spec);
  status = saved.status;
  status.spec = std::move(spec);
  failures_in_a_row = saved.failures_in_a_row;
  owed = saved.owed;
  retry_at = saved.retry_at;
  AskAfter(saved.asked_through);
  return absl::OkStatus();
}

}  // namespace pilothouse::trainer
