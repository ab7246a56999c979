#include "trainer/channel/report_buffer.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "trainer/channel/report_size.h"

namespace pilothouse::trainer {
namespace {

bool IsPlainLoss(const Report& report) {
  const auto* loss = std::get_if<LossReport>(&report.kind);
  return loss != nullptr && !loss->at_target;
}

// Of a checkpoint that was written well.
bool TellsOfCheckpoint(const Report& report) {
  const auto* checkpoint = std::get_if<CheckpointReport>(&report.kind);
  return checkpoint != nullptr && checkpoint->outcome.status.ok() && !checkpoint->repeated;
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
  if (report.plugins.has_value() && buffered_bytes_ > kMaxBufferedBytes) DropNewestList();
  const int64_t bytes = SizeOf(report);
  buffered_bytes_ += bytes;
  buffered_state_bytes_ += StateBytes(report);
  reports_.push_back({std::make_shared<const Report>(std::move(report)), bytes});
  if (is_state && buffered_state_bytes_ > kMaxBufferedStateBytes) Thin(IsScheduledState);
  if (buffered_bytes_ > thin_above_bytes_) ThinOutputs();
  if (adds_before_thinning_ > 0) --adds_before_thinning_;
  if (reports_.size() > kMaxBufferedReports && adds_before_thinning_ == 0) {
    Thin([](const Report& old) { return IsPlainLoss(old) || IsScheduledState(old) || IsPluginOutput(old); });
    adds_before_thinning_ = kMaxBufferedReports / 8;
  }
}

std::deque<ReportBuffer::Waiting>::iterator ReportBuffer::FirstFree() {
  return reports_.begin() + static_cast<std::ptrdiff_t>(std::max({taken_, ever_sent_, promised_}) - taken_);
}

void ReportBuffer::Thin(const std::function<bool(const Report&)>& may_go) {
  const auto first_free = FirstFree();
  bool drop = true;
  // From the newest backwards, gathering what stays at the end.
  auto stays = reports_.end();
  for (auto it = reports_.end(); it != first_free;) {
    --it;
    const bool goes = may_go(*it->report);
    if (goes) drop = !drop;
    if (goes && drop) {
      buffered_bytes_ -= it->bytes;
      buffered_state_bytes_ -= StateBytes(*it->report);
    } else {
      *--stays = std::move(*it);
    }
  }
  reports_.erase(first_free, stays);
}

void ReportBuffer::ThinOutputs() {
  Thin(IsPluginOutput);
  thin_above_bytes_ = std::max(kMaxBufferedBytes, buffered_bytes_ + kMaxBufferedBytes / 8);
}

void ReportBuffer::DropNewestList() {
  const auto first_free = FirstFree();
  for (auto it = reports_.end(); it != first_free;) {
    --it;
    if (!it->report->plugins.has_value()) continue;
    buffered_bytes_ -= it->bytes;
    // Another one: somebody may just be writing down what Untaken gave.
    Report without = *it->report;
    without.plugins.reset();
    it->report = std::make_shared<const Report>(std::move(without));
    it->bytes = SizeOf(*it->report);
    buffered_bytes_ += it->bytes;
    return;
  }
}

uint64_t ReportBuffer::BeginStream() {
  promised_ = reports_.empty() ? 0 : newest();
  return promised_;
}

bool ReportBuffer::HasToSend() const {
  return sent_ < newest() && sent_ - taken_ < kMaxUntakenReports && untaken_bytes_ < kMaxUntakenBytes;
}

std::vector<NumberedReport> ReportBuffer::NextToSend() {
  std::vector<NumberedReport> next;
  int64_t bytes = 0;
  while (HasToSend() && next.size() < kMaxReportsPerMessage) {
    const Waiting& waiting = reports_[sent_ - taken_];
    bytes += AllBytes(waiting);
    if (bytes > kMaxReportBytesPerMessage && !next.empty()) break;
    untaken_bytes_ += AllBytes(waiting);
    next.push_back({++sent_, waiting.report});
  }
  ever_sent_ = std::max(ever_sent_, sent_);
  return next;
}

int64_t ReportBuffer::checkpoints_untaken() const {
  return std::count_if(reports_.begin(), reports_.end(),
                       [](const Waiting& waiting) { return TellsOfCheckpoint(*waiting.report); });
}

std::vector<NumberedReport> ReportBuffer::Untaken() const {
  std::vector<NumberedReport> untaken;
  untaken.reserve(reports_.size());
  for (const Waiting& waiting : reports_) untaken.push_back({taken_ + untaken.size() + 1, waiting.report});
  return untaken;
}

void ReportBuffer::Taken(uint64_t number) {
  // What was never sent cannot have been taken.
  number = std::min(number, ever_sent_);
  for (; taken_ < number; ++taken_) {
    const Waiting& first = reports_.front();
    // A service may have it of an earlier stream.
    if (taken_ < sent_) untaken_bytes_ -= AllBytes(first);
    buffered_bytes_ -= first.bytes;
    buffered_state_bytes_ -= StateBytes(*first.report);
    if (TellsOfCheckpoint(*first.report)) ++checkpoints_taken_;
    reports_.pop_front();
  }
  sent_ = std::max(sent_, taken_);
  thin_above_bytes_ = std::clamp(buffered_bytes_ + kMaxBufferedBytes / 8, kMaxBufferedBytes, thin_above_bytes_);
}

}  // namespace pilothouse::trainer
