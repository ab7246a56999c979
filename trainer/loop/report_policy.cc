#include "trainer/loop/report_policy.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace pilothouse::trainer {
namespace {

bool Same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool IsMultiple(int64_t batch, int64_t every) { return every > 0 && batch % every == 0; }

int64_t NextMultiple(int64_t batch, int64_t every) {
  if (every <= 0) return std::numeric_limits<int64_t>::max();
  return batch - batch % every + every;
}

}  // namespace

bool ReportPolicy::LossDueAt(const Knobs& knobs, int64_t batch) const {
  return !LossReported(batch) && (loss_batch_ < 0 || IsMultiple(batch, knobs.loss_every));
}

TimePoint ReportPolicy::LossTime(const Knobs& knobs, double loss) const {
  const Duration interval = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(knobs.loss_interval));
  return loss_time_ + (Same(loss, loss_) ? std::max(interval, kMaxSilence) : interval);
}

bool ReportPolicy::StateDue(const Knobs& knobs, int64_t batch) const {
  return IsMultiple(batch, knobs.state_every) && !StateReported(batch);
}

int64_t ReportPolicy::NextLossBatch(const Knobs& knobs, int64_t batch) { return NextMultiple(batch, knobs.loss_every); }

int64_t ReportPolicy::NextStateBatch(const Knobs& knobs, int64_t batch) {
  return NextMultiple(batch, knobs.state_every);
}

void ReportPolicy::OnLoss(int64_t batch, double loss, TimePoint now) {
  loss_batch_ = batch;
  loss_ = loss;
  loss_time_ = now;
}

}  // namespace pilothouse::trainer
