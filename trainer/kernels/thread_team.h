// Threads that share the work of one.
#ifndef PILOTHOUSE_TRAINER_KERNELS_THREAD_TEAM_H_
#define PILOTHOUSE_TRAINER_KERNELS_THREAD_TEAM_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace pilothouse::trainer {

// Most threads of a team, the calling one among them.
inline constexpr int kMaxThreads = 64;

// A team waits for its next work without rest for some microseconds, since in training that comes soon; then it sleeps.
// Used by one thread at a time.
class ThreadTeam {
 public:
  // REQUIRES: 1 <= threads <= kMaxThreads. A team of one has no threads of its own. It is smaller than asked for where
  // the system gives no more threads.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls part(0) to part(threads() − 1), each on another thread, the first on this one. Returns when all have.
  void Run(absl::FunctionRef<void(int)> part);

 private:
  // False where the system has no thread to give.
  bool AddWorker(int index);
  void Work(int index);

  // Written before `round_` goes up, and read after.
  const absl::FunctionRef<void(int)>* part_ = nullptr;
  // Goes up with each Run(), and once more at the end, when there is no part.
  std::atomic<uint32_t> round_{0};
  std::atomic<uint32_t> unfinished_{0};
  std::vector<std::thread> workers_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_THREAD_TEAM_H_
