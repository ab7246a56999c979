#include "trainer/loop/control_schedule.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {

absl::Status ControlSchedule::Wait(Control control) {
  if (waiting_.size() >= kMaxWaitingControls) {
    return MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "options.at_batch",
                     absl::StrCat("Already ", kMaxWaitingControls, " controls wait for their batch; try again later."),
                     {{"limit", absl::StrCat(kMaxWaitingControls)}});
  }
  known_.insert(control.request_id);
  const int64_t batch = *control.at_batch;
  waiting_.emplace(batch, std::move(control));
  return absl::OkStatus();
}

std::vector<Control> ControlSchedule::TakeDue(int64_t batch) { return TakeUpTo(waiting_.upper_bound(batch)); }

std::vector<Control> ControlSchedule::TakeAll() { return TakeUpTo(waiting_.end()); }

std::vector<Control> ControlSchedule::TakeUpTo(std::multimap<int64_t, Control>::iterator end) {
  std::vector<Control> taken;
  for (auto it = waiting_.begin(); it != end; it = waiting_.erase(it)) {
    known_.erase(it->second.request_id);
    taken.push_back(std::move(it->second));
  }
  return taken;
}

void ControlSchedule::RememberApplied(const std::string& request_id) {
  if (!known_.insert(request_id).second) return;
  applied_.push_back(request_id);
  if (applied_.size() <= kMaxRememberedControls) return;
  known_.erase(applied_.front());
  applied_.pop_front();
}

}  // namespace pilothouse::trainer
