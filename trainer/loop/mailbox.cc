#include "trainer/loop/mailbox.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {

absl::Status RunEnded(RunStatus status) {
  if (status == RunStatus::kFailed) {
    return MakeError(v1::ERROR_REASON_RUN_ENDED, "", "The run has failed; it takes no more controls.",
                     {{"status", "FAILED"}});
  }
  if (status == RunStatus::kCompleted) {
    return MakeError(v1::ERROR_REASON_RUN_ENDED, "", "The run was ended by a plugin; it takes no more controls.",
                     {{"status", "COMPLETED"}});
  }
  const bool stopping = status == RunStatus::kStopping;
  return MakeError(v1::ERROR_REASON_RUN_ENDED, "",
                   absl::StrCat("The run ", stopping ? "is being" : "was", " stopped; it takes no more controls."),
                   {{"status", stopping ? "STOPPING" : "STOPPED"}});
}

absl::Status Mailbox::Put(Letter letter) {
  MutexLock lock(mutex_);
  if (closed_.has_value()) return RunEnded(*closed_);
  if (letters_.size() >= kMailboxCapacity) {
    return MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
                     absl::StrCat("Already ", kMailboxCapacity, " controls wait for this run; try again shortly."),
                     {{"limit", absl::StrCat(kMailboxCapacity)}});
  }
  PutLocked(std::move(letter));
  return absl::OkStatus();
}

void Mailbox::PutOutcome(CheckpointOutcome outcome) {
  MutexLock lock(mutex_);
  if (!closed_.has_value()) PutLocked(std::move(outcome));
}

std::vector<CheckpointOutcome> Mailbox::TakeOutcomes() {
  MutexLock lock(mutex_);
  std::vector<CheckpointOutcome> outcomes;
  std::deque<Letter> others;
  for (Letter& letter : letters_) {
    if (auto* outcome = std::get_if<CheckpointOutcome>(&letter)) {
      outcomes.push_back(std::move(*outcome));
    } else {
      others.push_back(std::move(letter));
    }
  }
  letters_ = std::move(others);
  has_letters_.store(!letters_.empty(), std::memory_order_relaxed);
  return outcomes;
}

void Mailbox::PutBack(std::vector<Letter> letters) {
  if (letters.empty()) return;
  MutexLock lock(mutex_);
  letters_.insert(letters_.begin(), std::make_move_iterator(letters.begin()), std::make_move_iterator(letters.end()));
  has_letters_.store(true, std::memory_order_relaxed);
}

void Mailbox::PutLocked(Letter letter) {
  letters_.push_back(std::move(letter));
  has_letters_.store(true, std::memory_order_relaxed);
  has_letter_or_closed_.NotifyOne();
}

void Mailbox::Suspend() {
  MutexLock lock(mutex_);
  suspending_.store(true, std::memory_order_relaxed);
  // Training goes on until there is a letter.
  has_letters_.store(true, std::memory_order_relaxed);
  has_letter_or_closed_.NotifyOne();
}

std::vector<Letter> Mailbox::Take(size_t most) {
  MutexLock lock(mutex_);
  return TakeLocked(most);
}

void Mailbox::WaitUntil(TimePoint deadline) {
  MutexLock lock(mutex_);
  if (letters_.empty() && !suspending()) clock_.WaitUntil(mutex_, has_letter_or_closed_, deadline);
}

std::vector<Letter> Mailbox::Close(RunStatus status) {
  MutexLock lock(mutex_);
  closed_ = status;
  return TakeLocked(letters_.size());
}

std::vector<Letter> Mailbox::TakeLocked(size_t most) {
  const auto end = letters_.begin() + static_cast<std::ptrdiff_t>(std::min(most, letters_.size()));
  std::vector<Letter> taken(std::make_move_iterator(letters_.begin()), std::make_move_iterator(end));
  letters_.erase(letters_.begin(), end);
  has_letters_.store(!letters_.empty(), std::memory_order_relaxed);
  return taken;
}

}  // namespace pilothouse::trainer
