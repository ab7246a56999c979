#include "trainer/plugin/timeline.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/schedule.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using TimePoint = std::chrono::steady_clock::time_point;

const TimePoint kBegin = TimePoint(std::chrono::hours(1000));

Schedule Parsed(absl::string_view text) {
  absl::StatusOr<Schedule> schedule = Schedule::Parse(text);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return *std::move(schedule);
}

TEST(Timeline, HasANameByWhichItIsFoundAgain) {
  for (const Timeline timeline : kTimelines) EXPECT_EQ(TimelineOf(TimelineName(timeline)), timeline);
  EXPECT_EQ(TimelineName(Timeline::kTrainingTime), "training_time");
  EXPECT_EQ(TimelineOf("wall time"), std::nullopt);
  EXPECT_EQ(TimelineOf(""), std::nullopt);
}

TEST(RunTimelines, CountTheExamplesThatBatchesReallyHold) {
  RunTimelines timelines({10, 4}, kBegin);
  const int64_t examples[] = {0, 4, 8, 10, 14, 18, 20};
  const Ticks millionths[] = {0, 400'000, 800'000, 1'000'000, 1'400'000, 1'800'000, 2'000'000};
  for (int64_t batch = 0; batch <= 6; ++batch) {
    timelines.Advance(batch, kBegin, nanoseconds(0));
    EXPECT_EQ(timelines.Now(Timeline::kBatches), batch);
    EXPECT_EQ(timelines.Now(Timeline::kExamples), examples[batch]);
    EXPECT_EQ(timelines.Now(Timeline::kEpochs), millionths[batch]);
  }
  EXPECT_EQ(timelines.Value(Timeline::kExamples), 20);
  EXPECT_EQ(timelines.Value(Timeline::kEpochs), 2);
}

TEST(RunTimelines, SeeAtMostOneEpochInABatch) {
  RunTimelines timelines({10, 64}, kBegin);
  timelines.Advance(3, kBegin, nanoseconds(0));
  EXPECT_EQ(timelines.Now(Timeline::kExamples), 30);
  EXPECT_EQ(timelines.Now(Timeline::kEpochs), 3'000'000);
}

TEST(RunTimelines, RoundMillionthsOfAnEpochDown) {
  RunTimelines timelines({3, 1}, kBegin);
  timelines.Advance(2, kBegin, nanoseconds(0));
  EXPECT_EQ(timelines.Now(Timeline::kEpochs), 666'666);
}

TEST(RunTimelines, TellTheFirstBatchThatReachesATime) {
  for (const BatchSizes sizes : {BatchSizes{10, 4}, BatchSizes{7, 1}, BatchSizes{5, 64}, BatchSizes{96, 32}}) {
    for (const Timeline timeline : {Timeline::kBatches, Timeline::kExamples, Timeline::kEpochs}) {
      RunTimelines timelines(sizes, kBegin);
      Ticks last = 0;
      for (int64_t batch = 1; batch < 50; ++batch) {
        timelines.Advance(batch, kBegin, nanoseconds(0));
        const Ticks now = timelines.Now(timeline);
        EXPECT_EQ(timelines.BatchAt(timeline, last + 1), batch) << TimelineName(timeline) << " " << sizes.examples;
        EXPECT_EQ(timelines.BatchAt(timeline, now), batch) << TimelineName(timeline) << " " << sizes.examples;
        last = now;
      }
    }
  }
}

TEST(RunTimelines, ReachTheBeginningAtOnceAndNeverNever) {
  const RunTimelines timelines({10, 4}, kBegin);
  for (const Timeline timeline : {Timeline::kBatches, Timeline::kExamples, Timeline::kEpochs}) {
    EXPECT_EQ(timelines.BatchAt(timeline, 0), 0);
    EXPECT_EQ(timelines.BatchAt(timeline, kNever), kNever);
  }
  EXPECT_EQ(RunTimelines({10, 1}, kBegin).BatchAt(Timeline::kEpochs, kMaxTicks), kMaxTicks / 100'000 + 1);
  EXPECT_EQ(RunTimelines({int64_t{1} << 40, 1}, kBegin).BatchAt(Timeline::kEpochs, kMaxTicks), kNever);
}

TEST(RunTimelines, StopCountingExamplesWhereTicksEnd) {
  RunTimelines timelines({int64_t{1} << 40, int64_t{1} << 30}, kBegin);
  timelines.Advance(int64_t{1} << 53, kBegin, nanoseconds(0));
  EXPECT_EQ(timelines.Now(Timeline::kExamples), kMaxTicks);
  EXPECT_EQ(timelines.Now(Timeline::kEpochs), kMaxTicks);
}

TEST(RunTimelines, DoNotGoBackWithTheClock) {
  RunTimelines timelines({10, 4}, kBegin);
  timelines.Advance(5, kBegin + seconds(10), seconds(8));
  timelines.Advance(4, kBegin - seconds(3600), seconds(-1));
  EXPECT_EQ(timelines.Now(Timeline::kBatches), 5);
  EXPECT_EQ(timelines.Value(Timeline::kWallTime), 10);
  EXPECT_EQ(timelines.Value(Timeline::kTrainingTime), 8);
  timelines.Advance(6, kBegin + seconds(11), seconds(1));
  EXPECT_EQ(timelines.Value(Timeline::kWallTime), 11);
  EXPECT_EQ(timelines.Value(Timeline::kTrainingTime), 9);
}

TEST(RunTimelines, CountAPluginsTimeAsWallTimeOnly) {
  RunTimelines timelines({10, 4}, kBegin);
  timelines.Advance(1, kBegin + seconds(2), seconds(2));
  // A plugin sleeps for 5 s.
  timelines.Advance(1, kBegin + seconds(7), seconds(0));
  EXPECT_EQ(timelines.Value(Timeline::kWallTime), 7);
  EXPECT_EQ(timelines.Value(Timeline::kTrainingTime), 2);
}

TEST(RunTimelines, GoOnCountingFromWhereTheyWereSaved) {
  RunTimelines before({10, 4}, kBegin);
  before.Advance(5, kBegin + seconds(10), seconds(8));
  const TimePoint later = kBegin + std::chrono::hours(30);
  RunTimelines after({10, 4}, later, before.Save());
  for (const Timeline timeline : kTimelines) EXPECT_EQ(after.Now(timeline), before.Now(timeline));
  after.Advance(6, later + seconds(1), milliseconds(500));
  EXPECT_EQ(after.Value(Timeline::kExamples), 20);
  EXPECT_EQ(after.Value(Timeline::kWallTime), 11);
  EXPECT_EQ(after.Value(Timeline::kTrainingTime), 8.5);
  EXPECT_EQ(after.MomentAt(12'000'000'000), later + seconds(2));
}

TEST(RunTimelines, TellTheMomentAtWhichWallTimeIsReached) {
  const RunTimelines timelines({10, 4}, kBegin);
  EXPECT_EQ(timelines.MomentAt(1'500'000'000), kBegin + milliseconds(1500));
  EXPECT_EQ(timelines.MomentAt(kNever), TimePoint::max());
}

TEST(SchedulesOnTimelines, FireOnceForABatchThatTookManyPeriods) {
  const Schedule schedule = Parsed("each(1 s)");
  RunTimelines timelines({10, 4}, kBegin);
  timelines.Advance(1, kBegin + milliseconds(300), milliseconds(300));
  const Ticks before = timelines.Now(schedule.timeline());
  EXPECT_FALSE(schedule.DueIn(0, before));
  timelines.Advance(2, kBegin + milliseconds(4200), milliseconds(3900));
  const Ticks now = timelines.Now(schedule.timeline());
  EXPECT_TRUE(schedule.DueIn(before, now));
  // Asked about what follows, it does not make up for what was missed.
  EXPECT_EQ(schedule.NextAfter(now), 5'000'000'000);
}

TEST(SchedulesOnTimelines, FireAfterTheBatchThatReachesTheExample) {
  const Schedule schedule = Parsed("each(100 examples)");
  RunTimelines timelines({10'000, 32}, kBegin);
  std::vector<int64_t> fired;
  Ticks asked = 0;
  for (int64_t batch = 1; batch <= 10; ++batch) {
    timelines.Advance(batch, kBegin, nanoseconds(0));
    const Ticks now = timelines.Now(schedule.timeline());
    if (schedule.DueIn(asked, now)) fired.push_back(batch);
    asked = now;
  }
  EXPECT_EQ(fired, (std::vector<int64_t>{4, 7, 10}));
  EXPECT_EQ(timelines.BatchAt(Timeline::kExamples, schedule.NextAfter(asked)), 13);
}

TEST(SchedulesOnTimelines, HoldOnTrainingTimeWhileAPluginTakesItsTime) {
  const absl::StatusOr<Schedule> training = Schedule::Parse("each(1 s)", Timeline::kTrainingTime);
  ASSERT_TRUE(training.ok());
  RunTimelines timelines({10, 4}, kBegin);
  timelines.Advance(1, kBegin + milliseconds(900), milliseconds(900));
  const Ticks wall_before = timelines.Now(Timeline::kWallTime);
  const Ticks before = timelines.Now(Timeline::kTrainingTime);
  timelines.Advance(1, kBegin + milliseconds(5900), milliseconds(0));
  EXPECT_TRUE(Parsed("each(1 s)").DueIn(wall_before, timelines.Now(Timeline::kWallTime)));
  EXPECT_FALSE(training->DueIn(before, timelines.Now(Timeline::kTrainingTime)));
}

}  // namespace
}  // namespace pilothouse::trainer
