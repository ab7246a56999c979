#include "trainer/plugin/plugin_host.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "trainer/plugin/plugin_host_fixture.h"

namespace pilothouse::trainer {
namespace {

TEST_F(PluginHostTest, APluginRunsWhenItsScheduleSaysSo) {
  Attach("a", "each(10)");
  TrainTo(25);
  EXPECT_EQ(calls_, (Calls{"a@10", "a@20"}));
}

TEST_F(PluginHostTest, ItRunsOncePerBoundaryHoweverManyTimesLieInTheRange) {
  Attach("a", "each(10)");
  run_.GoTo(47);
  Boundary();
  EXPECT_EQ(calls_, (Calls{"a@47"}));
  run_.GoTo(49);
  Boundary();
  EXPECT_EQ(calls_, (Calls{"a@47"}));
  run_.GoTo(51);
  Boundary();
  EXPECT_EQ(calls_, (Calls{"a@47", "a@51"}));
}

TEST_F(PluginHostTest, ATimeAtTheEndOfARangeFiresOnce) {
  Attach("a", "each(10)");
  for (const int64_t batch : {10, 20}) {
    run_.GoTo(batch);
    Boundary();
    Boundary();
  }
  EXPECT_EQ(calls_, (Calls{"a@10", "a@20"}));
}

TEST_F(PluginHostTest, WallTimeThatPassedInOneBatchFiresOnce) {
  Attach("a", "each(1 s)");
  run_.GoTo(1, std::chrono::milliseconds(300));
  Boundary();
  EXPECT_TRUE(calls_.empty());
  run_.GoTo(2, std::chrono::milliseconds(3900));
  Boundary();
  EXPECT_EQ(calls_, (Calls{"a@2"}));
}

TEST_F(PluginHostTest, ExamplesFireAfterTheBatchThatReachesThem) {
  run_.run_timelines = RunTimelines({3200, 32}, {});
  Attach("a", "each(100 examples)");
  TrainTo(11);
  EXPECT_EQ(calls_, (Calls{"a@4", "a@7", "a@10"}));
}

TEST_F(PluginHostTest, PluginsOnEveryTimelineAreFoundDue) {
  Attach("batches", "at(4)");
  Attach("epochs", "at(2 epochs)");
  Attach("wall", "at(5 s)");
  PluginSpec training = Spec("training", "at(3 s)");
  training.timeline = Timeline::kTrainingTime;
  Attach(training);
  TrainTo(7, std::chrono::seconds(1));
  EXPECT_EQ(calls_, (Calls{"training@3", "batches@4", "wall@5", "epochs@6"}));
}

TEST_F(PluginHostTest, TheContextTellsTheTimesSinceThePluginRanLast) {
  std::vector<TimeRange> ranges;
  acts_["a"] = [&](PluginContext& context) {
    ranges.push_back(context.range());
    EXPECT_FALSE(context.done());
    EXPECT_TRUE(context.started());
    EXPECT_EQ(context.point(), PluginPoint::kAfterBatch);
    return absl::OkStatus();
  };
  TrainTo(3);
  Attach("a", "each(10)");
  Attach("often", "always");
  TrainTo(20);
  ASSERT_EQ(ranges.size(), 2);
  EXPECT_EQ(ranges[0].after, 3);
  EXPECT_EQ(ranges[0].through, 10);
  EXPECT_EQ(ranges[1].after, 10);
  EXPECT_EQ(ranges[1].through, 20);
}

TEST_F(PluginHostTest, TimeZeroIsSeenOnlyBeforeTheFirstBatch) {
  Attach("before", "each(10)", PluginPoint::kBeforeBatch);
  Attach("after", "each(10)", PluginPoint::kAfterBatch);
  Boundary();
  EXPECT_EQ(calls_, (Calls{"before@0"}));
  TrainTo(10);
  EXPECT_EQ(calls_, (Calls{"before@0", "after@10", "before@10"}));
}

TEST_F(PluginHostTest, WhatIsAttachedLaterIsAskedAboutLaterTimes) {
  TrainTo(10);
  Attach("before", "each(10)", PluginPoint::kBeforeBatch);
  Attach("after", "each(10)");
  Boundary();
  EXPECT_TRUE(calls_.empty());
  TrainTo(20);
  EXPECT_EQ(calls_, (Calls{"after@20", "before@20"}));
}

TEST_F(PluginHostTest, PriorityComesFirstThenTheOrderOfAttachment) {
  AttachWithPriority("save", kSavePriority);
  AttachWithPriority("first", 100);
  AttachWithPriority("second", 100);
  AttachWithPriority("measure", -1);
  TrainTo(1);
  EXPECT_EQ(calls_, (Calls{"measure@1", "first@1", "second@1", "save@1"}));
}

TEST_F(PluginHostTest, WishesAreAppliedBeforeTheNextPluginRuns) {
  acts_["a"] = [](PluginContext& context) {
    context.Ask(KnobChange{"eta", 0.5}, "to be seen");
    return absl::OkStatus();
  };
  Attach("a", "always");
  Attach("b", "always");
  TrainTo(1);
  EXPECT_EQ(story_, (Calls{"a runs", "a wishes", "b runs"}));
  EXPECT_EQ(wishes_.at(0).note, "to be seen");
}

TEST_F(PluginHostTest, APluginMayDetachItselfAndAnother) {
  acts_["a"] = [](PluginContext& context) {
    context.Ask(DetachPluginChange{"a"}, "done");
    context.Ask(DetachPluginChange{"b"}, "not needed");
    context.Report({{}, {}, "still here"});
    return absl::OkStatus();
  };
  Attach("a", "always");
  Attach("b", "always");
  Attach("c", "always");
  TrainTo(2);
  EXPECT_EQ(calls_, (Calls{"a@1", "c@1", "c@2"}));
  EXPECT_EQ(outputs_, (Calls{"a: still here"}));
}

TEST_F(PluginHostTest, WhatAPluginAttachesIsFirstDueAtTheNextBoundary) {
  acts_["a"] = [](PluginContext& context) {
    context.Ask(AttachPluginChange{Spec("b", "always")}, "help");
    context.Ask(ReschedulePluginChange{"a", "never", std::nullopt}, "once");
    return absl::OkStatus();
  };
  Attach("a", "always");
  TrainTo(2);
  EXPECT_EQ(calls_, (Calls{"a@1", "b@2"}));
}

TEST_F(PluginHostTest, WhatAPluginReschedulesIsNotRunAtThatBoundary) {
  acts_["a"] = [](PluginContext& context) {
    if (context.run().batch() == 1) context.Ask(ReschedulePluginChange{"b", "each(2)", std::nullopt}, "less");
    return absl::OkStatus();
  };
  Attach("a", "always");
  Attach("b", "always");
  TrainTo(2);
  EXPECT_EQ(calls_, (Calls{"a@1", "a@2", "b@2"}));
}

TEST_F(PluginHostTest, ThoseAfterAValidationRunRightAfterThePluginThatMadeIt) {
  acts_["validate"] = [](PluginContext& context) { return context.run().Validate().status(); };
  Attach("best", "always", PluginPoint::kAfterValidation);
  Attach("seldom", "each(20)", PluginPoint::kAfterValidation);
  Attach("validate", "each(10)");
  Attach("other", "each(10)");
  TrainTo(20);
  EXPECT_EQ(calls_, (Calls{"validate@10", "best@10", "other@10", "validate@20", "best@20", "seldom@20", "other@20"}));
}

TEST_F(PluginHostTest, AScheduleAfterValidationsIsAskedAboutTheTimeSinceTheLast) {
  acts_["validate"] = [](PluginContext& context) { return context.run().Validate().status(); };
  Attach("validate", "each(10)");
  Attach("best", "at(13)", PluginPoint::kAfterValidation);
  TrainTo(30);
  EXPECT_EQ(calls_, (Calls{"validate@10", "validate@20", "best@20", "validate@30"}));
}

TEST_F(PluginHostTest, AValidationMadeAfterAValidationStartsNoFurtherRound) {
  acts_["validate"] = [](PluginContext& context) { return context.run().Validate().status(); };
  acts_["again"] = [](PluginContext& context) { return context.run().Validate().status(); };
  Attach("validate", "always");
  Attach("again", "always", PluginPoint::kAfterValidation);
  TrainTo(1);
  EXPECT_EQ(run_.validations(), 2);
  EXPECT_EQ(calls_, (Calls{"validate@1", "again@1"}));
}

TEST_F(PluginHostTest, ThoseAtStartRunOnceAlsoWhenTheyAreAttachedLater) {
  Attach("a", "", PluginPoint::kStart);
  Boundary();
  TrainTo(5);
  Attach("b", "", PluginPoint::kStart);
  Boundary();
  TrainTo(6);
  EXPECT_EQ(calls_, (Calls{"a@0", "b@5"}));
}

TEST_F(PluginHostTest, ThoseBeforeTheStopAndAtTheEndRunAtTheirPoints) {
  Attach("stop", "", PluginPoint::kBeforeStop);
  Attach("end", "", PluginPoint::kEnd);
  TrainTo(3);
  EXPECT_TRUE(calls_.empty());
  host_->Run(PluginPoint::kBeforeStop, run_, *this);
  EXPECT_EQ(calls_, (Calls{"stop@3"}));
  host_->RunLast(run_, *this);
  EXPECT_EQ(calls_, (Calls{"stop@3", "stop@3", "end@3"})) << "with done(), all are called once more";
}

TEST_F(PluginHostTest, EveryPluginSeesTheEndOnceMore) {
  Attach("a", "never");
  acts_["a"] = [](PluginContext& context) {
    EXPECT_TRUE(context.done());
    context.Report({{}, {}, "the last word"});
    context.SetDone("too late");
    return absl::OkStatus();
  };
  acts_["b"] = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  PluginSpec required = Spec("b", "never");
  required.required = true;
  required.max_failures = 1;
  required.priority = -1;
  Attach(required);
  TrainTo(2);
  host_->RunLast(run_, *this);
  EXPECT_EQ(calls_, (Calls{"b@2", "a@2"}));
  EXPECT_EQ(outputs_, (Calls{"a: the last word"}));
  EXPECT_TRUE(wishes_.empty());
  ASSERT_EQ(failures_.size(), 1);
  EXPECT_FALSE(failures_[0].paused);
}

TEST_F(PluginHostTest, DoneIsAWishToCompleteTheRun) {
  acts_["a"] = [](PluginContext& context) {
    context.SetDone("good enough");
    return absl::OkStatus();
  };
  Attach("a", "at(7)");
  TrainTo(7);
  ASSERT_EQ(wishes_.size(), 1);
  const auto* stop = std::get_if<StopChange>(&wishes_[0].change);
  ASSERT_NE(stop, nullptr);
  EXPECT_TRUE(stop->completed);
  EXPECT_EQ(stop->message, "good enough");
}

TEST_F(PluginHostTest, AHundredPluginsThatAreNotDueLetTheLoopTrainOnToTheFirstThatIs) {
  for (int i = 0; i < 100; ++i) Attach(absl::StrCat("p", i), absl::StrCat("each(", 1000 + i, ")"));
  EXPECT_EQ(host_->next_due_batch(), 1000);
  TrainTo(999);
  EXPECT_TRUE(calls_.empty());
  TrainTo(1000);
  EXPECT_EQ(calls_, Calls{"p0@1000"});
  EXPECT_EQ(host_->next_due_batch(), 1001);
}

TEST_F(PluginHostTest, TheNextDueBatchIsTheLeastOfAllThatBatchesMove) {
  EXPECT_EQ(host_->next_due_batch(), kNever);
  Attach("epochs", "each(10 epochs)");
  EXPECT_EQ(host_->next_due_batch(), 30);
  Attach("before", "at(12)", PluginPoint::kBeforeBatch);
  EXPECT_EQ(host_->next_due_batch(), 12);
  ASSERT_TRUE(host_->Reschedule({"before", "at(40)", std::nullopt}).ok());
  EXPECT_EQ(host_->next_due_batch(), 30);
  ASSERT_TRUE(host_->Detach("epochs").ok());
  EXPECT_EQ(host_->next_due_batch(), 40);
}

TEST_F(PluginHostTest, TheRunsOwnPluginsKnowThemselvesWhenTheyAreDue) {
  ScriptedBuiltIn::Script script;
  script.act = [&](PluginContext& context) {
    calls_.push_back(absl::StrCat("own@", context.run().batch()));
    script.due_batch = kNever;
    script.due_moment.reset();
    return absl::OkStatus();
  };
  script.due_batch = 3;
  host_->AddBuiltIn(Spec("own", ""), std::make_unique<ScriptedBuiltIn>(&script));
  TrainTo(4);
  EXPECT_EQ(calls_, (Calls{"own@3"}));
  script.due_batch = 6;
  TrainTo(7);
  EXPECT_EQ(calls_, (Calls{"own@3", "own@6"}));
  script.due_moment = std::chrono::steady_clock::time_point(std::chrono::milliseconds(9));
  EXPECT_EQ(host_->next_due_moment(), *script.due_moment);
  TrainTo(20);
  EXPECT_EQ(calls_, (Calls{"own@3", "own@6", "own@9"}));
  EXPECT_EQ(host_->next_due_moment(), std::chrono::steady_clock::time_point::max());
}

TEST_F(PluginHostTest, WhileTheRunIsIdleOnlyItsOwnPluginsRun) {
  ScriptedBuiltIn::Script script;
  script.act = [&](PluginContext&) {
    calls_.push_back("own");
    return absl::OkStatus();
  };
  script.due_moment = std::chrono::steady_clock::time_point();
  host_->AddBuiltIn(Spec("own", ""), std::make_unique<ScriptedBuiltIn>(&script));
  Attach("a", "each(1 s)");
  run_.run_timelines.Advance(0, std::chrono::steady_clock::time_point(std::chrono::seconds(90)), {});
  host_->Run(PluginPoint::kAfterBatch, run_, *this, /*idle=*/true);
  EXPECT_EQ(calls_, (Calls{"own"}));
  host_->Run(PluginPoint::kAfterBatch, run_, *this);
  EXPECT_EQ(calls_, (Calls{"own", "own", "a@0"}));
}

}  // namespace
}  // namespace pilothouse::trainer
