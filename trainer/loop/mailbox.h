// The way in to the training loop: a bounded queue of controls and queries, from any thread to the training thread.
#ifndef PILOTHOUSE_TRAINER_LOOP_MAILBOX_H_
#define PILOTHOUSE_TRAINER_LOOP_MAILBOX_H_

#include <atomic>
#include <cstddef>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "proto/support/mutex.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/control.h"

namespace pilothouse::trainer {

// Controls and queries together.
inline constexpr size_t kMailboxCapacity = 1024;

using Letter = std::variant<Control, Query, CheckpointOutcome>;

// Thread-safe.
class Mailbox {
 public:
  explicit Mailbox(Clock& clock) : clock_(clock) {}

  // Puts a letter behind the others and wakes the training thread if it waits. TOO_MANY_CONTROLS when the mailbox is
  // full, RunEnded() when it is closed; a refused query is not answered.
  absl::Status Put(Letter letter) ABSL_LOCKS_EXCLUDED(mutex_);

  // What became of a checkpoint; there is always room for it. Dropped when the mailbox is closed.
  void PutOutcome(CheckpointOutcome outcome) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes out what became of checkpoints, wherever it lies among the letters.
  std::vector<CheckpointOutcome> TakeOutcomes() ABSL_LOCKS_EXCLUDED(mutex_);

  // Puts letters that were taken back before all others, in their order.
  void PutBack(std::vector<Letter> letters) ABSL_LOCKS_EXCLUDED(mutex_);

  // The process is to end: the run is to be left so that another one can go on with it. Whoever trains looks at
  // suspending().
  void Suspend() ABSL_LOCKS_EXCLUDED(mutex_);
  bool suspending() const { return suspending_.load(std::memory_order_relaxed); }

  // Costs one load. What another thread has put is seen a moment later at the latest.
  bool empty() const { return !has_letters_.load(std::memory_order_relaxed); }

  // The oldest letters, at most `most`, in the order they were put.
  std::vector<Letter> Take(size_t most) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when there is a letter, the run is to be left, or `deadline` has passed; may return sooner without cause.
  void WaitUntil(TimePoint deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes no more letters, since the run ends as `status`, and returns those that were left.
  std::vector<Letter> Close(RunStatus status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void PutLocked(Letter letter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Letter> TakeLocked(size_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  // Written under the mutex, read without.
  std::atomic<bool> has_letters_{false};
  std::atomic<bool> suspending_{false};
  Mutex mutex_;
  CondVar has_letter_or_closed_;
  std::deque<Letter> letters_ ABSL_GUARDED_BY(mutex_);
  // Why it is closed. Unset: it is not.
  std::optional<RunStatus> closed_ ABSL_GUARDED_BY(mutex_);
};

// The refusal of whatever comes to a run that is ending or has ended. REQUIRES: kStopping, kStopped, kCompleted or
// kFailed.
absl::Status RunEnded(RunStatus status);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_MAILBOX_H_
