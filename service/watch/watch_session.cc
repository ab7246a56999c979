#include "service/watch/watch_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

// Events that no watcher is ever spared.
bool NeverLeftOut(const v1::Event& event) {
  if (event.has_loss()) return event.loss().at_target();
  if (event.has_state()) return event.state().asked();
  if (event.has_plugin()) return !event.plugin().has_output();
  return true;
}

}  // namespace

absl::StatusOr<WatchSession> WatchSession::Begin(const WatchOptions& options, std::shared_ptr<const EventHub> hub) {
  std::shared_ptr<const v1::Run> snapshot = hub->Snapshot();
  const uint64_t last = snapshot->last_sequence();
  const uint64_t after = options.after_sequence.value_or(last);
  if (after > last) {
    return MakeError(v1::ERROR_REASON_SEQUENCE_OUT_OF_RANGE, "after_sequence",
                     absl::StrCat("after_sequence is ", after, ", but the run's last event has sequence ", last,
                                  ". Is it a sequence of another run?"),
                     {{"after_sequence", absl::StrCat(after)}, {"last_sequence", absl::StrCat(last)}});
  }
  return WatchSession(options, std::move(hub), std::move(snapshot));
}

WatchSession::WatchSession(const WatchOptions& options, std::shared_ptr<const EventHub> hub,
                           std::shared_ptr<const v1::Run> snapshot)
    : options_(options),
      hub_(std::move(hub)),
      max_interval_(absl::ToChronoNanoseconds(options.max_interval)),
      pacer_(options.min_interval),
      snapshot_(std::move(snapshot)),
      cursor_(options.after_sequence.value_or(snapshot_->last_sequence())),
      history_end_(snapshot_->last_sequence()) {}

WatchSession::Step WatchSession::Next(SteadyTime now, absl::Time wall_time) {
  if (snapshot_ != nullptr) {
    *draft_.mutable_snapshot() = *snapshot_;
    draft_.mutable_snapshot()->clear_plugins();
    snapshot_ = nullptr;
    return Send(now);
  }
  const EventHub::Slice ring = ReadRing(now);
  // A gap alone is held back until the watcher is at now: what follows may make it longer.
  if (!draft_.events().empty() || (!draft_.gaps().empty() && cursor_ >= thin_until_)) return Send(now);
  if (ring.closed && cursor_ >= ring.last_sequence) return End{};
  if (now >= heartbeat_due_ && (page_asked_ || !ring.behind_ring)) return SendHeartbeat(now, wall_time);
  if (!ring.behind_ring) return Wait{heartbeat_due_};
  // A watcher that takes longer over a message than max_interval would get nothing but heartbeats, if they came before
  // pages.
  if (now >= heartbeat_due_) heartbeat_due_ = now + max_interval_;
  page_asked_ = true;
  return ReadPage{cursor_, heartbeat_due_};
}

void WatchSession::TakePage(const JournalPage& page) {
  for (const auto& event : page.events) Consider(*event);
  for (const SequenceRange& range : page.damaged) {
    v1::Gap& gap = *draft_.add_gaps();
    gap.set_first(range.first);
    gap.set_last(range.last);
    gap_open_ = false;
  }
  cursor_ = page.through;
}

EventHub::Slice WatchSession::ReadRing(SteadyTime now) {
  for (;;) {
    EventHub::Slice slice = hub_->After(cursor_, kMaxEventsPerMessage);
    ThinIfLagging(slice, now);
    for (const auto& event : slice.events) {
      if (MessageFull()) return slice;
      Consider(*event);
    }
    if (slice.behind_ring || cursor_ >= slice.last_sequence) return slice;
  }
}

void WatchSession::Consider(const v1::Event& event) {
  cursor_ = event.sequence();
  if (!options_.kinds.Contains(KindOf(event)) || !pacer_.Passes(event)) return;
  if (cursor_ <= thin_until_ && !NeverLeftOut(event)) {
    if (!gap_open_) draft_.add_gaps()->set_first(cursor_);
    draft_.mutable_gaps()->rbegin()->set_last(cursor_);
    gap_open_ = true;
    return;
  }
  gap_open_ = false;
  *draft_.add_events() = event;
  draft_bytes_ += static_cast<int64_t>(event.ByteSizeLong());
}

void WatchSession::ThinIfLagging(const EventHub::Slice& slice, SteadyTime now) {
  if (cursor_ < std::max(history_end_, thin_until_)) return;
  if (!slice.waiting_since.has_value() || now - *slice.waiting_since <= kMaxLagTime) return;

  struct Waiting {
    uint64_t sequence;
    int64_t bytes;
  };
  std::vector<Waiting> waiting;
  int64_t bytes = 0;
  LossPacer pacer = pacer_;
  const EventHub::Slice ring = hub_->RingAfter(cursor_);
  for (const auto& event : ring.events) {
    if (!options_.kinds.Contains(KindOf(*event)) || !pacer.Passes(*event)) continue;
    waiting.push_back({event->sequence(), static_cast<int64_t>(event->ByteSizeLong())});
    bytes += waiting.back().bytes;
  }
  if (!ring.behind_ring && waiting.size() <= kMaxLag && bytes <= kMaxLagBytes) return;

  thin_until_ = ring.last_sequence;
  int64_t kept_bytes = 0;
  for (size_t kept = 0; kept < waiting.size() && kept < kKeptEvents; ++kept) {
    const Waiting& newest = waiting[waiting.size() - 1 - kept];
    kept_bytes += newest.bytes;
    if (kept > 0 && kept_bytes > kKeptBytes) break;
    thin_until_ = newest.sequence - 1;
  }
}

bool WatchSession::MessageFull() const {
  return draft_.events_size() >= kMaxEventsPerMessage || draft_bytes_ >= kMaxMessageEventBytes;
}

WatchSession::Step WatchSession::Send(SteadyTime now) {
  heartbeat_due_ = now + max_interval_;
  gap_open_ = false;
  page_asked_ = false;
  draft_bytes_ = 0;
  return Write{std::exchange(draft_, {})};
}

WatchSession::Step WatchSession::SendHeartbeat(SteadyTime now, absl::Time wall_time) {
  const std::shared_ptr<const v1::Run> run = hub_->Snapshot();
  v1::Heartbeat& heartbeat = *draft_.mutable_heartbeat();
  heartbeat.set_status(run->status());
  heartbeat.set_batch(run->batch());
  heartbeat.set_loss(run->loss());
  if (run->has_training_thread_seen_time()) {
    *heartbeat.mutable_training_thread_seen_time() = run->training_thread_seen_time();
  }
  *heartbeat.mutable_time() = google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(wall_time));
  return Send(now);
}

}  // namespace pilothouse::service
