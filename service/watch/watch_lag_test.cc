// What a watcher that lags is sent, and what it is told that it missed.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/watch/watch_session_testing.h"

namespace pilothouse::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

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

}  // namespace
}  // namespace pilothouse::service
