// One run's live events, on their way from the run's thread to its watchers.
//
// The hub holds the newest snapshot of the run and a bounded ring of its newest events; it pushes nothing. Watchers are
// told that there is something new and read from the ring at their own pace; who falls out of the ring reads the
// journal. Hence publishing costs the same whatever the watchers do.
//
// Thread-safe. Its lock is a leaf: nothing is called while it is held.
#ifndef PILOTHOUSE_SERVICE_WATCH_EVENT_HUB_H_
#define PILOTHOUSE_SERVICE_WATCH_EVENT_HUB_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/support/mutex.h"

namespace pilothouse::service {

// The ring holds at most so many events and so many bytes of them as serialized (but at least one event).
inline constexpr size_t kRingEvents = 4096;
inline constexpr size_t kRingBytes = 8 << 20;

using SteadyTime = std::chrono::steady_clock::time_point;
using SteadyClock = std::function<SteadyTime()>;

class EventHub {
 public:
  // Is told that the run has something new.
  class Listener {
   public:
    virtual ~Listener() = default;
    // Called on the publisher's thread: must return at once, without waiting for a lock that is held during work.
    virtual void OnNews() = 0;
  };

  // What waits in the ring after some sequence.
  struct Slice {
    // Consecutive, in order.
    std::vector<std::shared_ptr<const v1::Event>> events;
    // Events right after the sequence asked for have left the ring: they are to be read from the journal.
    bool behind_ring = false;
    // When the oldest event after that sequence which is still in the ring was published. Unset: there is none.
    std::optional<SteadyTime> waiting_since;
    // Sequence of the newest event; 0: none.
    uint64_t last_sequence = 0;
    // No events will follow.
    bool closed = false;
  };

  explicit EventHub(std::string run_id, SteadyClock clock = std::chrono::steady_clock::now);

  const std::string& run_id() const { return run_id_; }

  // Makes `now` the newest snapshot and appends `events`, as one change. They are in the journal already, and their
  // sequences continue those before. REQUIRES: not closed.
  void Publish(std::vector<std::shared_ptr<const v1::Event>> events, const v1::Run& now) ABSL_LOCKS_EXCLUDED(mutex_);

  // Changes the snapshot where there is no event to tell of it (training_thread_seen_time). A hub for a run that has a
  // past is given it here, before its first watcher: events up to now.last_sequence are read from the journal.
  void SetRun(const v1::Run& now) ABSL_LOCKS_EXCLUDED(mutex_);

  // The run has reported its last event. Watches end with OK once they have delivered it. May be called again.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // The newest snapshot; its last_sequence is that of the newest event published.
  v1::Run Run() const { return *Snapshot(); }
  // The same without a copy.
  std::shared_ptr<const v1::Run> Snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);

  // At most `max_events` events right after `after`; none where they have left the ring.
  Slice After(uint64_t after, size_t max_events) const ABSL_LOCKS_EXCLUDED(mutex_);
  // All events after `after` that are in the ring.
  Slice RingAfter(uint64_t after) const ABSL_LOCKS_EXCLUDED(mutex_);

  // A listener is held until it is unsubscribed, and may be called once more by a publication already under way.
  void Subscribe(std::shared_ptr<Listener> listener) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unsubscribe(const Listener* listener) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::shared_ptr<const v1::Event> event;
    size_t bytes;
    SteadyTime published;
  };

  void Append(std::shared_ptr<const v1::Event> event, SteadyTime published) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetRunLocked(std::shared_ptr<v1::Run> now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As After, with the events even where some before them have left the ring.
  Slice Cut(uint64_t after, size_t max_events) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string run_id_;
  const SteadyClock clock_;
  mutable Mutex mutex_;
  std::shared_ptr<const v1::Run> run_ ABSL_GUARDED_BY(mutex_);
  // Consecutive sequences, ending with last_sequence_.
  std::deque<Entry> ring_ ABSL_GUARDED_BY(mutex_);
  size_t ring_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  // The run's past is known, or there is none.
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Listener>> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_EVENT_HUB_H_
