#include "trainer/channel/report_buffer.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace pilothouse::trainer {
namespace {

bool IsPlainLoss(const Report& report) {
  const auto* loss = std::get_if<LossReport>(&report.kind);
  return loss != nullptr && !loss->at_target;
}

bool IsScheduledState(const Report& report) {
  const auto* state = std::get_if<StateReport>(&report.kind);
  return state != nullptr && !state->asked;
}

bool IsPluginOutput(const Report& report) {
  const auto* plugin = std::get_if<PluginReport>(&report.kind);
  return plugin != nullptr && std::holds_alternative<PluginOutput>(plugin->what);
}

}  // namespace

int64_t ReportBuffer::StateBytes(const Report& report) const {
  return std::holds_alternative<StateReport>(report.kind) ? state_bytes_ : 0;
}

void ReportBuffer::Add(Report report) {
  const bool is_state = std::holds_alternative<StateReport>(report.kind);
  buffered_state_bytes_ += StateBytes(report);
  reports_.push_back(std::make_shared<const Report>(std::move(report)));
  if (is_state && buffered_state_bytes_ > kMaxBufferedStateBytes) Thin(IsScheduledState);
  if (adds_before_thinning_ > 0) --adds_before_thinning_;
  if (reports_.size() > kMaxBufferedReports && adds_before_thinning_ == 0) {
    Thin([](const Report& old) { return IsPlainLoss(old) || IsScheduledState(old) || IsPluginOutput(old); });
    adds_before_thinning_ = kMaxBufferedReports / 8;
  }
}

void ReportBuffer::Thin(const std::function<bool(const Report&)>& may_go) {
  const auto first_free =
      reports_.begin() + static_cast<std::ptrdiff_t>(std::max({taken_, ever_sent_, promised_}) - taken_);
  bool drop = true;
  // From the newest backwards, gathering what stays at the end.
  auto stays = reports_.end();
  for (auto it = reports_.end(); it != first_free;) {
    --it;
    if (may_go(**it)) drop = !drop;
    if (may_go(**it) && drop) {
      buffered_state_bytes_ -= StateBytes(**it);
    } else {
      *--stays = std::move(*it);
    }
  }
  reports_.erase(first_free, stays);
}

uint64_t ReportBuffer::BeginStream() {
  promised_ = reports_.empty() ? 0 : newest();
  return promised_;
}

bool ReportBuffer::HasToSend() const { return sent_ < newest() && sent_ - taken_ < kMaxUntakenReports; }

std::vector<NumberedReport> ReportBuffer::NextToSend() {
  std::vector<NumberedReport> next;
  int64_t bytes = 0;
  while (HasToSend() && next.size() < kMaxReportsPerMessage) {
    const std::shared_ptr<const Report>& report = reports_[sent_ - taken_];
    bytes += StateBytes(*report);
    if (bytes > kMaxStateBytesPerMessage && !next.empty()) break;
    next.push_back({++sent_, report});
  }
  ever_sent_ = std::max(ever_sent_, sent_);
  return next;
}

void ReportBuffer::Taken(uint64_t number) {
  // What was never sent cannot have been taken.
  number = std::min(number, ever_sent_);
  for (; taken_ < number; ++taken_) {
    buffered_state_bytes_ -= StateBytes(*reports_.front());
    reports_.pop_front();
  }
  sent_ = std::max(sent_, taken_);
}

}  // namespace pilothouse::trainer
