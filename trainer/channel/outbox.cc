#include "trainer/channel/outbox.h"

#include <algorithm>
#include <utility>

namespace pilothouse::trainer {
namespace {

bool IsLast(const Report& report) {
  const auto* status = std::get_if<StatusReport>(&report.kind);
  if (status == nullptr) return false;
  return status->status == RunStatus::kStopped || status->status == RunStatus::kCompleted ||
         status->status == RunStatus::kFailed;
}

bool IsGoodCheckpoint(const Report& report) {
  const auto* checkpoint = std::get_if<CheckpointReport>(&report.kind);
  return checkpoint != nullptr && checkpoint->outcome.status.ok();
}

}  // namespace

void Outbox::set_state_bytes(int64_t bytes) {
  MutexLock lock(mutex_);
  reports_.set_state_bytes(bytes);
}

void Outbox::ContinueAfter(uint64_t number) {
  MutexLock lock(mutex_);
  reports_.ContinueAfter(number);
}

void Outbox::OnReport(Report report) {
  MutexLock lock(mutex_);
  to_keep_ = to_keep_ || (!answered_ && IsGoodCheckpoint(report));
  last_report_added_ = last_report_added_ || IsLast(report);
  reports_.Add(std::move(report));
  changed_.NotifyOne();
}

void Outbox::OnHeartbeat(const Heartbeat& heartbeat) {
  MutexLock lock(mutex_);
  heartbeat_ = heartbeat;
  changed_.NotifyOne();
}

void Outbox::OnRefusal(Refusal refusal) {
  MutexLock lock(mutex_);
  if (refusals_.size() >= kMaxWaitingRefusals) refusals_.pop_front();
  refusals_.push_back(std::move(refusal));
  changed_.NotifyOne();
}

void Outbox::AddAnswer(StreamId stream, v1::Answer answer, QueryTicket ticket) {
  MutexLock lock(mutex_);
  if (stream != stream_ || !stream_lives_ || answers_.size() >= kMaxWaitingAnswers) return;
  answers_.emplace_back(std::move(answer), std::move(ticket));
  changed_.NotifyOne();
}

Outbox::StreamId Outbox::stream() const {
  MutexLock lock(mutex_);
  return stream_;
}

bool Outbox::Lives(StreamId stream) const {
  MutexLock lock(mutex_);
  return stream == stream_ && stream_lives_;
}

uint64_t Outbox::BeginStream() {
  MutexLock lock(mutex_);
  ++stream_;
  stream_lives_ = true;
  return reports_.BeginStream();
}

void Outbox::ResendUntaken() {
  MutexLock lock(mutex_);
  answered_ = true;
  to_keep_ = false;
  reports_.ResendUntaken();
}

void Outbox::Taken(uint64_t number) {
  MutexLock lock(mutex_);
  reports_.Taken(number);
  changed_.NotifyOne();
  if (reports_.empty()) all_taken_or_given_up_.NotifyAll();
}

std::vector<NumberedReport> Outbox::ToKeep(bool ending) {
  MutexLock lock(mutex_);
  // Whoever went on from the first of those that belong together would miss the others.
  if (held_ || !(to_keep_ || ending)) return {};
  to_keep_ = false;
  given_to_keep_ = reports_.checkpoints_taken() + reports_.checkpoints_untaken();
  return reports_.Untaken();
}

void Outbox::Kept() {
  MutexLock lock(mutex_);
  announced_ = given_to_keep_;
}

void Outbox::KeptNoMore() {
  MutexLock lock(mutex_);
  announced_ = 0;
}

void Outbox::NotKept() {
  MutexLock lock(mutex_);
  to_keep_ = to_keep_ || !answered_;
}

bool Outbox::AwaitAllTaken() {
  MutexLock lock(mutex_);
  while (!given_up_ && !reports_.empty()) all_taken_or_given_up_.Wait(mutex_);
  return !given_up_;
}

void Outbox::GiveUp() {
  MutexLock lock(mutex_);
  given_up_ = true;
  all_taken_or_given_up_.NotifyAll();
}

std::optional<Outgoing> Outbox::Next() {
  MutexLock lock(mutex_);
  while (stream_lives_) {
    if (std::optional<Outgoing> next = TakeNext()) return next;
    changed_.Wait(mutex_);
  }
  return std::nullopt;
}

std::optional<Outgoing> Outbox::TakeNext() {
  if (!refusals_.empty()) {
    Refusal refusal = std::move(refusals_.front());
    refusals_.pop_front();
    return refusal;
  }
  if (!answers_.empty()) {
    v1::Answer answer = std::move(answers_.front().first);
    answers_.pop_front();
    return answer;
  }
  if (reports_.HasToSend() && !held_) return reports_.NextToSend();
  // A heartbeat tells of a batch that earlier reports must not be overtaken by.
  if (heartbeat_.has_value() && reports_.all_sent()) return *std::exchange(heartbeat_, std::nullopt);
  return std::nullopt;
}

void Outbox::EndStream() {
  MutexLock lock(mutex_);
  stream_lives_ = false;
  // What was kept was forgotten when the service answered.
  if (std::exchange(answered_, false)) to_keep_ = !reports_.empty();
  answers_.clear();
  changed_.NotifyAll();
}

bool Outbox::Congested() const {
  MutexLock lock(mutex_);
  return reports_.congested();
}

void Outbox::Hold(bool held) {
  MutexLock lock(mutex_);
  held_ = held;
  changed_.NotifyOne();
}

int64_t Outbox::CheckpointsRecorded() const {
  MutexLock lock(mutex_);
  return reports_.checkpoints_taken();
}

int64_t Outbox::CheckpointsAnnounced() const {
  MutexLock lock(mutex_);
  return std::max(announced_, reports_.checkpoints_taken());
}

bool Outbox::LastReportAdded() const {
  MutexLock lock(mutex_);
  return last_report_added_;
}

bool Outbox::LastReportTaken() const {
  MutexLock lock(mutex_);
  return last_report_added_ && reports_.empty();
}

bool Outbox::AllTaken() const {
  MutexLock lock(mutex_);
  return reports_.empty();
}

}  // namespace pilothouse::trainer
