// One thread that does tasks one after the other.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_TASK_THREAD_H_
#define PILOTHOUSE_TRAINER_CHANNEL_TASK_THREAD_H_

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"

namespace pilothouse::trainer {

// Thread-safe. How many tasks wait at most is for its user to bound.
class TaskThread {
 public:
  TaskThread();
  // Tasks that have not begun are dropped.
  ~TaskThread();
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // Never waits.
  void Post(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  // An empty function when there is nothing more to do. Waits.
  std::function<void()> Next() ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_TASK_THREAD_H_
