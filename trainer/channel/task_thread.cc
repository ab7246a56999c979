#include "trainer/channel/task_thread.h"

#include <utility>

namespace pilothouse::trainer {

TaskThread::TaskThread() : thread_([this] { Work(); }) {}

TaskThread::~TaskThread() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void TaskThread::Post(std::function<void()> task) {
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.NotifyOne();
}

void TaskThread::Work() {
  while (const std::function<void()> task = Next()) task();
}

std::function<void()> TaskThread::Next() {
  MutexLock lock(mutex_);
  while (tasks_.empty() && !ending_) changed_.Wait(mutex_);
  if (ending_) return nullptr;
  std::function<void()> task = std::move(tasks_.front());
  tasks_.pop_front();
  return task;
}

}  // namespace pilothouse::trainer
