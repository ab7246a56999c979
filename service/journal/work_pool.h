// A fixed number of threads for work that may block: disk and processes. gRPC's own callback threads must never block.
//
// Thread-safe.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_WORK_POOL_H_
#define PILOTHOUSE_SERVICE_JOURNAL_WORK_POOL_H_

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "proto/support/mutex.h"

namespace pilothouse::service {

class WorkPool {
 public:
  // Starts `threads` threads (1 or more). At most `max_queued` pieces of work wait for one of them.
  WorkPool(int threads, size_t max_queued);
  // As Shutdown.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  // Queues `work`, to be run once on one of the threads, in the order of submission. Returns false, and does not run
  // it, when the queue is full or the pool is shut down. Never blocks.
  bool Submit(absl::AnyInvocable<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes no more work, runs what is queued, and joins the threads. May be called again. Not from the pool's own
  // threads.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_, shutdown_mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t max_queued_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  // Makes a second Shutdown wait for the first.
  Mutex shutdown_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(shutdown_mutex_);
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_WORK_POOL_H_
