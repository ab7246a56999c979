#include "trainer/loop/catch_up.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

#include "trainer/loop/wish_names.h"

namespace pilothouse::trainer {
namespace {

std::optional<WallTime> FirstMark(const ResumePlan& plan) {
  return plan.marks.empty() ? std::nullopt : std::optional(plan.marks.front().time);
}

}  // namespace

CatchUp::CatchUp(std::shared_ptr<const ResumePlan> plan, std::optional<WallTime> begin_time, TimePoint begin)
    : plan_(std::move(plan)),
      controls_(plan_->controls.begin(), plan_->controls.end()),
      begin_time_(begin_time.has_value() ? begin_time : FirstMark(*plan_)),
      begin_(begin),
      time_(begin) {}

std::optional<Control> CatchUp::TakeControl(int64_t batch, bool of_plugins) {
  for (auto it = controls_.begin(); it != controls_.end() && it->batch <= batch; ++it) {
    if (!of_plugins && absl::StartsWith(it->control.origin, kPluginOrigin)) continue;
    Control control = std::move(it->control);
    controls_.erase(it);
    return control;
  }
  return std::nullopt;
}

std::optional<Control> CatchUp::TakeControl(int64_t batch, const std::string& name) {
  for (auto it = controls_.begin(); it != controls_.end() && it->batch <= batch; ++it) {
    if (!WishNames::IsOf(it->control.request_id, name)) continue;
    Control control = std::move(it->control);
    controls_.erase(it);
    return control;
  }
  return std::nullopt;
}

TimePoint CatchUp::TimeAt(int64_t batch) {
  for (; next_mark_ < plan_->marks.size() && plan_->marks[next_mark_].batch <= batch; ++next_mark_) {
    // The machine's clock may have been set back meanwhile.
    const Duration passed =
        std::chrono::duration_cast<Duration>(plan_->marks[next_mark_].time - begin_time_.value_or(WallTime()));
    time_ = std::max(time_, begin_ + passed);
  }
  return time_;
}

bool CatchUp::HasCheckpoint(const std::string& request_id) const {
  return std::any_of(plan_->recorded.begin(), plan_->recorded.end(),
                     [&](const RecordedCheckpoint& checkpoint) { return checkpoint.facts.request_id == request_id; });
}

bool KnownReports::Take(int64_t batch, const std::string& plugin) {
  if (batch != batch_) return batch < batch_;
  const auto count = counts_.find(plugin);
  return count != counts_.end() && count->second-- > 0;
}

}  // namespace pilothouse::trainer
