// All watches of a service: how many there are, and their common end.
//
// At shutdown: FinishAll, then the server's Shutdown(deadline), then AwaitNone; then the registry, the pool and the
// hubs may be destroyed.
//
// Thread-safe.
#ifndef PILOTHOUSE_SERVICE_WATCH_WATCH_REGISTRY_H_
#define PILOTHOUSE_SERVICE_WATCH_WATCH_REGISTRY_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <unordered_set>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "proto/support/mutex.h"
#include "service/watch/event_hub.h"
#include "service/watch/watch_ticker.h"

namespace pilothouse::service {

// Watches at once. Each costs at most two messages' worth of memory (kMaxMessageEventBytes in watch_session.h).
inline constexpr size_t kMaxWatchers = 10000;

// A watch, as the registry sees it.
class Watch {
 public:
  virtual ~Watch() = default;
  // Ends the watch with `status`, if it has not ended yet. Returns at once.
  virtual void End(const absl::Status& status) = 0;
};

class WatchRegistry {
 public:
  explicit WatchRegistry(size_t max_watchers = kMaxWatchers, SteadyClock clock = std::chrono::steady_clock::now);
  // REQUIRES: no watch is left (AwaitNone).
  ~WatchRegistry();
  WatchRegistry(const WatchRegistry&) = delete;
  WatchRegistry& operator=(const WatchRegistry&) = delete;

  // TOO_MANY_WATCHERS, or SERVICE_STOPPING after FinishAll; then the watch is not registered.
  absl::Status Add(std::shared_ptr<Watch> watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const std::shared_ptr<Watch>& watch) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends every watch with SERVICE_STOPPING and takes no new ones.
  void FinishAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until the last watch has been removed.
  void AwaitNone() ABSL_LOCKS_EXCLUDED(mutex_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<WatchTicker>& ticker() const { return ticker_; }
  SteadyTime Now() const { return clock_(); }
  const SteadyClock& clock() const { return clock_; }

 private:
  const size_t max_watchers_;
  const SteadyClock clock_;
  const std::shared_ptr<WatchTicker> ticker_;
  mutable Mutex mutex_;
  CondVar emptied_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unordered_set<std::shared_ptr<Watch>> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_WATCH_REGISTRY_H_
