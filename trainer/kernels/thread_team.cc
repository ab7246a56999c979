#include "trainer/kernels/thread_team.h"

#include <system_error>

namespace pilothouse::trainer {
namespace {

// Some tens of microseconds at most: products follow each other sooner, and whoever else wants the core gets it soon.
constexpr int kSpins = 500;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns when `value` is no longer `old`, with what it is then.
uint32_t AwaitChange(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    Pause();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

ThreadTeam::ThreadTeam(int threads) {
  workers_.reserve(static_cast<size_t>(threads - 1));
  // Where the system gives no more threads, those that there are do the work.
  for (int i = 1; i < threads; ++i) {
    if (!AddWorker(i)) break;
  }
}

bool ThreadTeam::AddWorker(int index) {
  try {
    workers_.emplace_back([this, index] { Work(index); });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

ThreadTeam::~ThreadTeam() {
  part_ = nullptr;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadTeam::Run(absl::FunctionRef<void(int)> part) {
  if (!workers_.empty()) {
    part_ = &part;
    unfinished_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }
  part(0);
  uint32_t left = unfinished_.load(std::memory_order_acquire);
  while (left > 0) left = AwaitChange(unfinished_, left);
}

void ThreadTeam::Work(int index) {
  for (uint32_t round = 0;;) {
    round = AwaitChange(round_, round);
    if (part_ == nullptr) return;
    (*part_)(index);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }
}

}  // namespace pilothouse::trainer
