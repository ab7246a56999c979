// When plugins run as time passes, and on which timeline the time they take counts.
#include <chrono>
#include <vector>

#include "trainer/loop/plugin_loop_fixture.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(PluginLoopTest, TimeZeroComesBeforeTheFirstBatchAlthoughTimeHasPassed) {
  Add("each", "each(10)", Note(), PluginPoint::kBeforeBatch);
  Add("at", "at(0)", Note(), PluginPoint::kBeforeBatch);
  Add("wall", "at(0 s)", Note(), PluginPoint::kBeforeBatch);
  Add("later", "", Note(), PluginPoint::kBeforeBatch);
  PluginSpec later;
  later.kind = "later";
  later.schedule = "at(0 epochs)";
  Put("add", AttachPluginChange{later});
  options.target = 11;
  StopAt(seconds(10));
  TrainingLoop loop(options, learner, mailbox, sink, clock);
  // Making the loop took a while, as it always does.
  clock.Advance(milliseconds(3));
  loop.Run();
  EXPECT_THAT(calls, ElementsAre("0", "0", "0", "0", "10", "11 done", "11 done", "11 done", "11 done"));
  EXPECT_THAT(Failures(), IsEmpty());
}

// Trap 8.
TEST_F(PluginLoopTest, TimeInPluginsIsWallTimeAndNotTrainingTime) {
  Add("sleeper", "at(10)", [this](PluginContext& context) {
    if (!context.done()) clock.Advance(seconds(5));
    return absl::OkStatus();
  });
  std::vector<double> times;
  Add("look", "at(10, 11)", [&times](PluginContext& context) {
    if (context.done()) return absl::OkStatus();
    times.push_back(context.run().timelines().Value(Timeline::kTrainingTime));
    times.push_back(context.run().timelines().Value(Timeline::kWallTime));
    return absl::OkStatus();
  });
  options.target = 11;
  StopAt(seconds(10));
  Run();
  ASSERT_EQ(times.size(), 4U);
  EXPECT_NEAR(times[2] - times[0], 0.001, 1e-9);
  EXPECT_NEAR(times[3] - times[1], 5.001, 1e-9);
}

TEST_F(PluginLoopTest, NeitherTheStartNorAnsweringQueriesIsTrainingTime) {
  Add(
      "starter", "once",
      [this](PluginContext& context) {
        if (!context.done()) clock.Advance(seconds(5));
        return absl::OkStatus();
      },
      PluginPoint::kStart);
  during.emplace(5, [this] {
    Query query;
    query.answer = [this](const RunSnapshot&) { clock.Advance(seconds(7)); };
    EXPECT_TRUE(mailbox.Put(query).ok());
  });
  std::vector<double> times;
  Add("look", "at(10)", [&times](PluginContext& context) {
    if (context.done()) return absl::OkStatus();
    times = {context.run().timelines().Value(Timeline::kTrainingTime),
             context.run().timelines().Value(Timeline::kWallTime)};
    return absl::OkStatus();
  });
  options.target = 10;
  StopAt(seconds(20));
  Run();
  ASSERT_EQ(times.size(), 2U);
  EXPECT_NEAR(times[0], 0.010, 1e-9);
  EXPECT_NEAR(times[1], 12.010, 1e-9);
}

TEST_F(PluginLoopTest, WaitingIsWallTimeAndNotTrainingTime) {
  std::vector<double> times;
  Add("look", "at(11)", [&times](PluginContext& context) {
    if (context.done()) return absl::OkStatus();
    times = {context.run().timelines().Value(Timeline::kTrainingTime),
             context.run().timelines().Value(Timeline::kWallTime)};
    return absl::OkStatus();
  });
  options.target = 10;
  clock.At(seconds(60), [this] { BatchTo("on", 20); });
  StopAt(seconds(61));
  Run();
  ASSERT_EQ(times.size(), 2U);
  EXPECT_NEAR(times[0], 0.011, 1e-9);
  EXPECT_NEAR(times[1], 60.001, 1e-9);
}

// Trap 6, in the loop.
TEST_F(PluginLoopTest, APluginThatIsDueSeveralTimesWithinABatchRunsOnceAfterIt) {
  step_time = seconds(4);
  Add("note", "each(1 s)", Note());
  options.target = 3;
  StopAt(seconds(13));
  Run();
  EXPECT_THAT(calls, ElementsAre("1", "2", "3", "3 done"));
}

TEST_F(PluginLoopTest, PluginsRestWhileTheRunDoes) {
  Add("note", "each(1 s)", Note());
  options.target = 10;
  StopAt(seconds(30));
  Run();
  EXPECT_THAT(calls, ElementsAre("10 done"));
}

TEST_F(PluginLoopTest, PluginsWaitWhileNobodyTakesTheRecordOfWhatTheyDo) {
  Add("note", "each(10)", Note());
  options.target = 100;
  sink.congested = [this] { return learner.etas().size() < 55; };
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(calls, ElementsAre("55", "60", "70", "80", "90", "100", "100 done"));
}

TEST_F(PluginLoopTest, WhatWasDueAtTheTargetRunsOnceTheRecordIsTakenAgain) {
  Add("note", "each(10)", Note());
  options.target = 20;
  sink.congested = [this] { return clock.SinceBeginning() > milliseconds(5) && clock.SinceBeginning() < seconds(5); };
  StopAt(seconds(30));
  Run();
  EXPECT_THAT(calls, ElementsAre("20", "20 done"));
}

}  // namespace
}  // namespace pilothouse::trainer
