// What one watcher is sent, and when: a cursor into the run's events and the rules of WatchTraining. Without threads,
// clocks or gRPC: whoever carries it asks for the next step, does it, and asks again.
//
// The first message is a snapshot. Then come the wanted events after the cursor, in order: from the hub's ring, or from
// the journal where the ring no longer reaches back. A silence of max_interval is broken by a heartbeat.
//
// A watcher that takes too little too late is brought to now: when more than kMaxLag wanted events (or kMaxLagBytes of
// them, or more than the ring holds) wait, the oldest for more than kMaxLagTime, then the losses, the periodic
// states and the outputs of plugins among them are left out, save the newest and those at the target, and told as gaps.
// What the journal has lost is told as a gap, too.
// Age alone does not thin, nor does a burst; nor is a watcher thinned while it reads the history it asked for with
// after_sequence.
#ifndef PILOTHOUSE_SERVICE_WATCH_WATCH_SESSION_H_
#define PILOTHOUSE_SERVICE_WATCH_WATCH_SESSION_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pilothouse/v1/training_control.pb.h"
#include "service/journal/journal.h"
#include "service/watch/event_hub.h"
#include "service/watch/loss_pacer.h"
#include "service/watch/watch_options.h"

namespace pilothouse::service {

// A message holds no more events once it has so many or so many bytes of them.
inline constexpr int kMaxEventsPerMessage = 512;
inline constexpr int64_t kMaxMessageEventBytes = 1 << 20;

inline constexpr int kMaxLag = 256;
inline constexpr int64_t kMaxLagBytes = 1 << 20;
inline constexpr std::chrono::seconds kMaxLagTime{1};
// What is left of the events that wait when a watcher is brought to now: at most so many, and so many bytes, of the
// newest (but one at least), beside those that are never left out.
inline constexpr int kKeptEvents = 64;
inline constexpr int64_t kKeptBytes = 256 << 10;

// Not thread-safe.
class WatchSession {
 public:
  // Send this. Ask for the next step when it has been taken.
  struct Write {
    v1::WatchTrainingResponse message;
  };
  // Read the journal after this sequence: a page of kinds(), of at most kMaxEventsPerMessage and kMaxMessageEventBytes.
  // Give it to TakePage, and ask again; or at `due`, if it is not there by then. No second page is wanted before the
  // first is taken.
  struct ReadPage {
    uint64_t after;
    SteadyTime due;
  };
  // Nothing for now. Ask again when the hub has news, or at `due`.
  struct Wait {
    SteadyTime due;
  };
  // The run's last event has been sent.
  struct End {};
  using Step = std::variant<Write, ReadPage, Wait, End>;

  // SEQUENCE_OUT_OF_RANGE if after_sequence lies beyond the newest event.
  static absl::StatusOr<WatchSession> Begin(const WatchOptions& options, std::shared_ptr<const EventHub> hub);

  // `now` paces, `wall_time` is told in heartbeats.
  Step Next(SteadyTime now, absl::Time wall_time);

  // REQUIRES: `page` is what was asked for last.
  void TakePage(const JournalPage& page);

  EventKindSet kinds() const { return options_.kinds; }

 private:
  WatchSession(const WatchOptions& options, std::shared_ptr<const EventHub> hub,
               std::shared_ptr<const v1::Run> snapshot);

  // Moves the cursor over the ring, as far as it and the message reach. Returns what the ring said last.
  EventHub::Slice ReadRing(SteadyTime now);
  // Decides on the event after the cursor, and moves the cursor over it.
  void Consider(const v1::Event& event);
  // If the watcher lags, sets thin_until_.
  void ThinIfLagging(const EventHub::Slice& slice, SteadyTime now);
  bool MessageFull() const;
  Step Send(SteadyTime now);
  Step SendHeartbeat(SteadyTime now, absl::Time wall_time);

  const WatchOptions options_;
  const std::shared_ptr<const EventHub> hub_;
  const std::chrono::nanoseconds max_interval_;
  LossPacer pacer_;
  // The first message's; then null.
  std::shared_ptr<const v1::Run> snapshot_;
  // Everything up to here is sent, in `draft_`, or decided against.
  uint64_t cursor_;
  // Up to here is what the watcher asked for as history.
  const uint64_t history_end_;
  // Up to here, events are left out to bring the watcher to now.
  uint64_t thin_until_ = 0;
  // The next message, and the serialized size of its events.
  v1::WatchTrainingResponse draft_;
  int64_t draft_bytes_ = 0;
  // The last gap in `draft_` reaches up to the cursor: what is left out next makes it longer.
  bool gap_open_ = false;
  // Since the last message, a page was asked for.
  bool page_asked_ = false;
  SteadyTime heartbeat_due_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_WATCH_SESSION_H_
