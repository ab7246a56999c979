#include "service/watch/watch_session.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/support/error.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

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
  void PublishLosses(uint64_t first, uint64_t last, milliseconds apart = milliseconds(0)) {
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
WatchOptions Everything() {
  WatchOptions options;
  options.kinds = EventKindSet::All();
  options.min_interval = absl::ZeroDuration();
  return options;
}

WatchOptions EverythingAfter(uint64_t sequence) {
  WatchOptions options = Everything();
  options.after_sequence = sequence;
  return options;
}

std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
  std::vector<uint64_t> range;
  for (uint64_t i = first; i <= last; ++i) range.push_back(i);
  return range;
}

TEST(WatchSession, BeginsWithASnapshotThatHasLossMinusOneBeforeAnyTraining) {
  FakeRun run;
  run.Recover();
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  ASSERT_EQ(watcher.messages.size(), 1u);
  EXPECT_TRUE(watcher.messages[0].has_snapshot());
  EXPECT_EQ(watcher.messages[0].snapshot().loss(), -1);
  EXPECT_EQ(watcher.messages[0].snapshot().batch(), 0);
  EXPECT_FALSE(watcher.messages[0].has_heartbeat());
}

TEST(WatchSession, SendsWhatHappensFromNowOnWhenNoSequenceIsNamed) {
  FakeRun run;
  run.PublishLosses(1, 3);
  FakeWatcher watcher(run, Everything());
  run.PublishLosses(4, 5);
  watcher.TakeAll();
  EXPECT_EQ(watcher.messages[0].snapshot().last_sequence(), 3u);
  EXPECT_THAT(watcher.sequences, ElementsAre(4, 5));
}

TEST(WatchSession, RefusesASequenceTheRunHasNotReached) {
  FakeRun run;
  run.PublishLosses(1, 3);
  const absl::Status status = WatchSession::Begin(EverythingAfter(4), run.hub).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_SEQUENCE_OUT_OF_RANGE);
  EXPECT_EQ(ToError(status).metadata().at("last_sequence"), "3");
  EXPECT_EQ(ToError(status).metadata().at("after_sequence"), "4");
  EXPECT_TRUE(WatchSession::Begin(EverythingAfter(3), run.hub).ok());
}

TEST(WatchSession, ContinuesFromAnyEventWithNothingLostAndNothingTwice) {
  std::mt19937 random(20260501);
  for (int round = 0; round < 60; ++round) {
    FakeRun run;
    // A past that only the journal has, one that the ring has or once had, and one still to come.
    const uint64_t recorded = random() % 2000;
    const uint64_t published = recorded + random() % 6000;
    const uint64_t total = published + random() % 3000;
    for (uint64_t i = 1; i <= recorded; ++i) run.Record(LossEvent(i, 1));
    run.Recover();
    run.PublishLosses(recorded + 1, published);
    const uint64_t after = random() % (published + 1);
    FakeWatcher watcher(run, EverythingAfter(after));
    for (uint64_t next = published + 1; next <= total;) {
      const uint64_t last = std::min<uint64_t>(total, next + random() % 700);
      run.PublishLosses(next, last);
      next = last + 1;
      for (unsigned i = random() % 4; i > 0; --i) watcher.Take();
    }
    run.hub->Close();
    watcher.TakeAll();
    EXPECT_EQ(watcher.sequences, Range(after + 1, total)) << "round " << round;
    EXPECT_THAT(watcher.gaps, IsEmpty());
    EXPECT_TRUE(watcher.ended);
  }
}

TEST(WatchSession, SendsOnlyTheKindsAskedFor) {
  FakeRun run;
  WatchOptions options = EverythingAfter(0);
  options.kinds = {v1::EVENT_KIND_CONTROL, v1::EVENT_KIND_STATUS};
  run.PublishLosses(1, 10'000);
  run.Publish(EtaEvent(10'001, "a", 0.1));
  run.Publish(StateEvent(10'002, 10, true));
  run.Publish(StatusEvent(10'003, v1::RUN_STATUS_IDLE));
  FakeWatcher watcher(run, options);
  watcher.TakeAll();
  EXPECT_THAT(watcher.sequences, ElementsAre(10'001, 10'003));
}

TEST(WatchSession, LeavesOutLossesReportedTooSoonButNotTheOneAtTheTargetOrThatDiverged) {
  FakeRun run;
  WatchOptions options = Everything();
  options.min_interval = absl::Milliseconds(50);
  FakeWatcher watcher(run, options);
  const auto loss_at = [](uint64_t sequence, int64_t reported_ms, bool at_target = false, double value = 0.5) {
    v1::Event event = LossEvent(sequence, value, at_target);
    *event.mutable_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(reported_ms);
    return event;
  };
  run.Publish(loss_at(1, 1000));
  run.Publish(loss_at(2, 1049));
  run.Publish(loss_at(3, 1050));
  run.Publish(EtaEvent(4, "a", 0.1));
  run.Publish(loss_at(5, 1051));
  run.Publish(loss_at(6, 1052, /*at_target=*/true));
  run.Publish(loss_at(7, 1101));
  run.Publish(loss_at(8, 10));  // somebody set the clock back
  run.Publish(loss_at(9, 60));
  run.Publish(loss_at(10, 61, /*at_target=*/false, std::nan("")));
  run.Publish(loss_at(11, 62, /*at_target=*/false, -HUGE_VAL));
  watcher.TakeAll();
  EXPECT_THAT(watcher.sequences, ElementsAre(1, 3, 4, 6, 8, 9, 10, 11));
  EXPECT_THAT(watcher.gaps, IsEmpty());
}

TEST(WatchSession, BreaksEverySecondOfSilenceWithAHeartbeat) {
  FakeRun run;
  run.Recover();
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  std::vector<int> heartbeats;
  for (int i = 1; i <= 35; ++i) {
    run.now += milliseconds(100);
    watcher.TakeAll();
    heartbeats.push_back(watcher.heartbeats);
  }
  EXPECT_EQ(heartbeats[8], 0);
  EXPECT_EQ(heartbeats[9], 1);
  EXPECT_EQ(heartbeats[19], 2);
  EXPECT_EQ(heartbeats[29], 3);
  EXPECT_EQ(heartbeats[34], 3);
  EXPECT_EQ(watcher.messages.back().heartbeat().loss(), -1);
  EXPECT_EQ(watcher.messages.back().heartbeat().status(), v1::RUN_STATUS_IDLE);

  run.PublishLosses(1, 1);
  watcher.TakeAll();
  run.now += milliseconds(999);
  watcher.TakeAll();
  EXPECT_EQ(watcher.heartbeats, 3) << "an event breaks the silence, too";
}

TEST(WatchSession, EndsAfterTheLastEventOfTheRun) {
  FakeRun run;
  FakeWatcher watcher(run, Everything());
  run.PublishLosses(1, 600);
  run.hub->Close();
  while (watcher.Take()) EXPECT_FALSE(watcher.ended);
  EXPECT_EQ(watcher.sequences, Range(1, 600));
  EXPECT_TRUE(watcher.ended);
}

TEST(WatchSession, ReadsARunThatHasEndedFromTheJournal) {
  FakeRun run;
  for (uint64_t i = 1; i <= 1500; ++i) run.Record(LossEvent(i, 1));
  run.Recover();
  run.hub->Close();
  FakeWatcher everything(run, EverythingAfter(0));
  everything.TakeAll();
  EXPECT_EQ(everything.sequences, Range(1, 1500));
  EXPECT_TRUE(everything.ended);
  FakeWatcher from_now(run, Everything());
  from_now.TakeAll();
  EXPECT_EQ(from_now.messages.size(), 1u);
  EXPECT_TRUE(from_now.ended);
}

// Every sequence is sent or lies in a gap, none is both, and a message has no more gaps than it needs.
void ExpectSentOrTold(const FakeWatcher& watcher, uint64_t first, uint64_t last) {
  EXPECT_TRUE(std::is_sorted(watcher.sequences.begin(), watcher.sequences.end()));
  std::vector<uint64_t> told = watcher.sequences;
  for (const v1::WatchTrainingResponse& message : watcher.messages) {
    for (int i = 0; i < message.gaps_size(); ++i) {
      const v1::Gap& gap = message.gaps(i);
      for (uint64_t sequence = gap.first(); sequence <= gap.last(); ++sequence) told.push_back(sequence);
      if (i > 0) {
        EXPECT_GT(gap.first(), message.gaps(i - 1).last() + 1);
      }
    }
  }
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, Range(first, last));
}

class LagTest : public testing::TestWithParam<uint64_t> {};

TEST_P(LagTest, BringsAWatcherThatLagsToNowAndTellsWhatItMissed) {
  const uint64_t total = GetParam();
  FakeRun run;
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  std::vector<uint64_t> essential;
  for (uint64_t i = 1; i <= total; ++i) {
    const bool rare = i % 97 == 0;
    if (rare) essential.push_back(i);
    run.Publish(!rare        ? LossEvent(i, 1)
                : i % 4 == 0 ? EtaEvent(i, std::to_string(i), 0.1)
                : i % 4 == 1 ? StatusEvent(i, v1::RUN_STATUS_IDLE)
                : i % 4 == 2 ? StateEvent(i, 10, true)
                             : LossEvent(i, 1, true));
    run.now += milliseconds(10);
  }
  watcher.TakeAll();
  ExpectSentOrTold(watcher, 1, total);
  EXPECT_TRUE(std::includes(watcher.sequences.begin(), watcher.sequences.end(), essential.begin(), essential.end()));
  const std::vector<uint64_t> newest = Range(total - kKeptEvents + 1, total);
  EXPECT_TRUE(std::includes(watcher.sequences.begin(), watcher.sequences.end(), newest.begin(), newest.end()));
  EXPECT_LE(watcher.sequences.size(), essential.size() + kKeptEvents);
  ASSERT_THAT(watcher.gaps, testing::Not(IsEmpty()));
  EXPECT_EQ(watcher.gaps[0].first(), 1u);
  EXPECT_EQ(watcher.gaps[0].last(), 96u);
  // Each gap is told no later than the events behind it.
  uint64_t sent = 0;
  for (const auto& message : watcher.messages) {
    for (const v1::Gap& gap : message.gaps()) EXPECT_GT(gap.last(), sent);
    if (!message.events().empty()) sent = message.events().rbegin()->sequence();
  }

  run.PublishLosses(total + 1, total + 10);
  const size_t gaps = watcher.gaps.size();
  watcher.TakeAll();
  EXPECT_EQ(watcher.gaps.size(), gaps) << "a watcher that keeps up again gets everything again";
}

// Within the ring; beyond it, where the journal has to help; and with more kept events than one message holds.
INSTANTIATE_TEST_SUITE_P(Backlogs, LagTest, testing::Values(400, 4000, 10'000, 80'000));

TEST(WatchSession, TellsALongLagInOneGap) {
  FakeRun run;
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  run.PublishLosses(1, 50'000, milliseconds(10));
  watcher.TakeAll();
  EXPECT_EQ(watcher.messages.size(), 2u);
  ASSERT_EQ(watcher.gaps.size(), 1u);
  EXPECT_EQ(watcher.gaps[0].first(), 1u);
  EXPECT_EQ(watcher.gaps[0].last(), 50'000u - kKeptEvents);
}

TEST(WatchSession, DoesNotTakeABurstForALag) {
  FakeRun run;
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  run.now += seconds(100);
  run.PublishLosses(1, 9000);
  watcher.TakeAll();
  EXPECT_EQ(watcher.sequences, Range(1, 9000));
}

TEST(WatchSession, DoesNotThinTheFewEventsThatWaitedLong) {
  FakeRun run;
  FakeWatcher watcher(run, Everything());
  run.PublishLosses(1, kMaxLag, seconds(10));
  watcher.TakeAll();
  EXPECT_EQ(watcher.sequences, Range(1, kMaxLag));
}

TEST(WatchSession, SendsAllOfTheHistoryAskedForHoweverSlowlyItIsTaken) {
  FakeRun run;
  run.PublishLosses(1, 6000, milliseconds(10));
  FakeWatcher watcher(run, EverythingAfter(0));
  uint64_t next = 6001;
  while (watcher.sequences.empty() || watcher.sequences.back() < 6000) {
    ASSERT_TRUE(watcher.Take());
    run.PublishLosses(next, next + 99, milliseconds(100));
    next += 100;
  }
  EXPECT_EQ(watcher.heartbeats, 0) << "there was always something better to send";
  watcher.TakeAll();
  ExpectSentOrTold(watcher, 1, next - 1);
  const std::vector<uint64_t> history = Range(1, 6000);
  EXPECT_TRUE(std::includes(watcher.sequences.begin(), watcher.sequences.end(), history.begin(), history.end()));
  ASSERT_THAT(watcher.gaps, testing::Not(IsEmpty())) << "what came meanwhile is another matter";
}

TEST(WatchSession, CountsBytesAsLagAndKeepsTheStatesAskedFor) {
  FakeRun run;
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  for (uint64_t i = 1; i <= 20; ++i) {
    run.Publish(StateEvent(i, 100 << 10, /*asked=*/i == 3));
    run.now += seconds(1);
  }
  watcher.TakeAll();
  ExpectSentOrTold(watcher, 1, 20);
  EXPECT_THAT(watcher.sequences, ElementsAre(3, 19, 20));
}

TEST(WatchSession, LeavesOutWhatPluginsReportedWhereItLagsButNeverThatOneFailed) {
  FakeRun run;
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  for (uint64_t i = 1; i <= 1000; ++i) {
    run.Publish(i % 100 == 0 ? PluginFailureEvent(i) : PluginOutputEvent(i));
    run.now += milliseconds(10);
  }
  watcher.TakeAll();
  ExpectSentOrTold(watcher, 1, 1000);
  std::vector<uint64_t> expected;
  for (uint64_t i = 100; i + kKeptEvents <= 1000; i += 100) expected.push_back(i);
  for (uint64_t i = 1000 - kKeptEvents + 1; i <= 1000; ++i) expected.push_back(i);
  EXPECT_EQ(watcher.sequences, expected);
}

TEST(WatchSession, LeavesPluginsOutOfItsSnapshot) {
  FakeRun run;
  v1::Run now;
  now.add_plugins()->mutable_spec()->set_name("held-out");
  run.hub->SetRun(now);
  FakeWatcher watcher(run, Everything());
  watcher.TakeAll();
  ASSERT_TRUE(watcher.messages.at(0).has_snapshot());
  EXPECT_EQ(watcher.messages[0].snapshot().plugins_size(), 0);
  EXPECT_EQ(run.hub->Run().plugins_size(), 1) << "who asks for them is told";
}

TEST(WatchSession, BoundsAMessageByTheBytesOfItsEvents) {
  FakeRun run;
  FakeWatcher watcher(run, EverythingAfter(0));
  for (uint64_t i = 1; i <= 7; ++i) run.Publish(StateEvent(i, 500 << 10, true));
  watcher.TakeAll();
  ASSERT_EQ(watcher.messages.size(), 4u);
  EXPECT_EQ(watcher.messages[1].events_size(), 3);
  EXPECT_EQ(watcher.messages[2].events_size(), 3);
  EXPECT_EQ(watcher.messages[3].events_size(), 1);
}

TEST(WatchSession, SendsHeartbeatsWhileItReadsThroughALongBacklog) {
  FakeRun run;
  WatchOptions options = EverythingAfter(0);
  options.kinds = {v1::EVENT_KIND_LOSS};
  options.min_interval = absl::Hours(1);
  for (uint64_t i = 1; i <= 5000; ++i) run.Record(LossEvent(i, 1));
  run.Recover();
  WatchSession session = *WatchSession::Begin(options, run.hub);
  int heartbeats = 0;
  for (;;) {
    run.now += milliseconds(300);
    const WatchSession::Step step = session.Next(run.now, absl::UnixEpoch());
    if (const auto* page = std::get_if<WatchSession::ReadPage>(&step)) {
      session.TakePage(run.Page(page->after, session.kinds()));
    } else if (const auto* write = std::get_if<WatchSession::Write>(&step)) {
      heartbeats += write->message.has_heartbeat();
    } else {
      break;
    }
  }
  EXPECT_GE(heartbeats, 2);
}

}  // namespace
}  // namespace pilothouse::service
