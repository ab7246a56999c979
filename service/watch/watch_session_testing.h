// Test support: a run whose clock the test moves, and a watcher of it.
#ifndef PILOTHOUSE_SERVICE_WATCH_WATCH_SESSION_TESTING_H_
#define PILOTHOUSE_SERVICE_WATCH_WATCH_SESSION_TESTING_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "service/journal/journal_testing.h"
#include "service/watch/event_hub.h"
#include "service/watch/watch_session.h"

namespace pilothouse::service {

// A run with a hub, a journal in memory, and a clock that goes when it is told to.
class FakeRun {
 public:
  FakeRun() : hub(std::make_shared<EventHub>("digits", [this] { return now; })) {}

  // Records events without a hub, as a run does that ended or is about to be recovered.
  void Record(v1::Event event) {
    run_.set_batch(event.batch());
    if (event.has_loss()) run_.set_loss(event.loss().value());
    run_.set_last_sequence(event.sequence());
    journal_.push_back(std::make_shared<v1::Event>(std::move(event)));
  }
  void Recover() { hub->SetRun(run_); }

  void Publish(v1::Event event) {
    Record(std::move(event));
    hub->Publish({journal_.back()}, run_);
  }
  void PublishLosses(uint64_t first, uint64_t last, std::chrono::milliseconds apart = std::chrono::milliseconds(0)) {
    for (uint64_t i = first; i <= last; ++i) {
      Publish(LossEvent(i, 1));
      now += apart;
    }
  }

  JournalPage Page(uint64_t after, EventKindSet kinds) const {
    JournalPage page;
    page.last_sequence = page.through = journal_.size();
    for (uint64_t i = after; i < journal_.size(); ++i) {
      if (!kinds.Contains(KindOf(*journal_[i]))) continue;
      page.events.push_back(journal_[i]);
      page.through = i + 1;
      if (page.events.size() == kMaxEventsPerMessage) return page;
    }
    page.through = journal_.size();
    return page;
  }

  SteadyTime now{std::chrono::hours(1000)};
  const std::shared_ptr<EventHub> hub;

 private:
  v1::Run run_ = [] {
    v1::Run run;
    run.set_loss(-1);
    run.set_status(v1::RUN_STATUS_IDLE);
    return run;
  }();
  std::vector<std::shared_ptr<const v1::Event>> journal_;
};

// A watcher of a FakeRun, and all it was ever sent.
class FakeWatcher {
 public:
  FakeWatcher(FakeRun& run, WatchOptions options) : run_(run), session_(*WatchSession::Begin(options, run.hub)) {}

  // Takes one message, if there is one.
  bool Take() {
    for (;;) {
      WatchSession::Step step = session_.Next(run_.now, absl::UnixEpoch());
      if (auto* write = std::get_if<WatchSession::Write>(&step)) {
        Note(write->message);
        return true;
      }
      if (const auto* page = std::get_if<WatchSession::ReadPage>(&step)) {
        EXPECT_GT(page->due, run_.now);
        session_.TakePage(run_.Page(page->after, session_.kinds()));
        continue;
      }
      ended = std::holds_alternative<WatchSession::End>(step);
      return false;
    }
  }
  void TakeAll() {
    while (Take()) {
    }
  }

  std::vector<v1::WatchTrainingResponse> messages;
  std::vector<uint64_t> sequences;
  std::vector<v1::Gap> gaps;
  int heartbeats = 0;
  bool ended = false;

 private:
  void Note(const v1::WatchTrainingResponse& message) {
    for (const v1::Event& event : message.events()) sequences.push_back(event.sequence());
    for (const v1::Gap& gap : message.gaps()) gaps.push_back(gap);
    heartbeats += message.has_heartbeat();
    EXPECT_LE(message.events_size(), 2 * kMaxEventsPerMessage);
    messages.push_back(message);
  }

  FakeRun& run_;
  WatchSession session_;
};

// Every event, losses as often as they are reported.
inline WatchOptions Everything() {
  WatchOptions options;
  options.kinds = EventKindSet::All();
  options.min_interval = absl::ZeroDuration();
  return options;
}

inline WatchOptions EverythingAfter(uint64_t sequence) {
  WatchOptions options = Everything();
  options.after_sequence = sequence;
  return options;
}

inline std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
  std::vector<uint64_t> range;
  for (uint64_t i = first; i <= last; ++i) range.push_back(i);
  return range;
}

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_WATCH_SESSION_TESTING_H_
