#include "service/watch/watch_session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/support/error.h"
#include "service/watch/watch_session_testing.h"

namespace pilothouse::service {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

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

TEST(WatchSession, TellsWhatTheJournalHasLostAsAGap) {
  FakeRun run;
  for (uint64_t i = 1; i <= 6; ++i) run.Record(LossEvent(i, 1));
  run.Recover();
  WatchOptions options;
  options.after_sequence = 0;
  options.kinds = EventKindSet::All();
  options.min_interval = absl::ZeroDuration();
  WatchSession session = *WatchSession::Begin(options, run.hub);
  session.Next(run.now, absl::UnixEpoch());
  const WatchSession::Step wish = session.Next(run.now, absl::UnixEpoch());
  ASSERT_TRUE(std::holds_alternative<WatchSession::ReadPage>(wish));
  JournalPage page = run.Page(0, options.kinds);
  page.events.erase(page.events.begin() + 1, page.events.begin() + 3);
  page.events.pop_back();
  page.damaged = {{2, 3}, {6, 6}};
  session.TakePage(page);
  const WatchSession::Step step = session.Next(run.now, absl::UnixEpoch());
  const auto* write = std::get_if<WatchSession::Write>(&step);
  ASSERT_NE(write, nullptr);
  EXPECT_EQ(write->message.events_size(), 3);
  ASSERT_EQ(write->message.gaps_size(), 2);
  EXPECT_EQ(write->message.gaps(0).first(), 2u);
  EXPECT_EQ(write->message.gaps(0).last(), 3u);
  EXPECT_EQ(write->message.gaps(1).first(), 6u);
  EXPECT_EQ(write->message.gaps(1).last(), 6u);
}

}  // namespace
}  // namespace pilothouse::service
