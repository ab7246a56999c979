#include "service/journal/work_pool.h"

#include <utility>

namespace pilothouse::service {

WorkPool::WorkPool(int threads, size_t max_queued) : max_queued_(max_queued) {
  MutexLock lock(shutdown_mutex_);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkPool::~WorkPool() { Shutdown(); }

bool WorkPool::Submit(absl::AnyInvocable<void()> work) {
  MutexLock lock(mutex_);
  if (shut_down_ || queue_.size() >= max_queued_) return false;
  queue_.push_back(std::move(work));
  changed_.NotifyOne();
  return true;
}

void WorkPool::Shutdown() {
  MutexLock shutdown_lock(shutdown_mutex_);
  {
    MutexLock lock(mutex_);
    shut_down_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkPool::Run() {
  for (;;) {
    absl::AnyInvocable<void()> work;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !shut_down_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace pilothouse::service
