// One thread that wakes watches: when their run has news, and when their heartbeat is due. It sleeps when there is
// nothing.
//
// It exists so that a publisher does not do its watchers' work: waking one costs the publisher an entry in a queue.
//
// Thread-safe. Its lock is a leaf: clients are called without it.
#ifndef PILOTHOUSE_SERVICE_WATCH_WATCH_TICKER_H_
#define PILOTHOUSE_SERVICE_WATCH_WATCH_TICKER_H_

#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"
#include "service/watch/event_hub.h"

namespace pilothouse::service {

class WatchTicker {
 public:
  // Both are called on the ticker's thread and must not block.
  class Client {
   public:
    virtual ~Client() = default;
    virtual void OnWake() = 0;
    virtual void OnTimer() = 0;
  };

  WatchTicker();
  // As Stop.
  ~WatchTicker();
  WatchTicker(const WatchTicker&) = delete;
  WatchTicker& operator=(const WatchTicker&) = delete;

  // Calls OnWake soon, once for each call; a client bounds the queue by asking again only after it was woken.
  void Wake(std::shared_ptr<Client> client) ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls OnTimer once when `due` has passed. A client has one timer: setting it again moves it. The client is not kept
  // alive.
  void SetTimer(const std::shared_ptr<Client>& client, SteadyTime due) ABSL_LOCKS_EXCLUDED(mutex_);
  void CancelTimer(const Client* client) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the thread and forgets all clients. Not from the ticker's own thread. May be called again.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using TimerKey = std::pair<SteadyTime, const Client*>;

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void EraseTimer(const Client* client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits for work, and takes it: true with a client to call (null if it is gone), false to end.
  bool Next(std::shared_ptr<Client>& client, bool& timer) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<Client>> wakes_ ABSL_GUARDED_BY(mutex_);
  std::map<TimerKey, std::weak_ptr<Client>> timers_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<const Client*, SteadyTime> due_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_WATCH_TICKER_H_
