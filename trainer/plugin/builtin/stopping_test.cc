// What ends a run on a condition, or after a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

#include "proto/support/limits.h"
#include "trainer/plugin/builtin/deciding_fixture.h"
#include "trainer/plugin/builtin/hosted_fixture.h"
#include "trainer/plugin/builtin/span_text.h"
#include "trainer/plugin/builtin/stop_when.h"

namespace pilothouse::trainer {
namespace {

using testing::HasSubstr;
using StoppingTest = DecidingTest;

TEST_F(StoppingTest, EveryComparisonMeansWhatItSays) {
  struct Case {
    const char* operation;
    bool below, at, above;
  };
  for (const Case& each : {Case{"<", true, false, false}, Case{"<=", true, true, false}, Case{">", false, false, true},
                           Case{">=", false, true, true}, Case{"==", false, true, false}}) {
    const auto plugin = Make("stop-when", {{"when", std::string("loss ") + each.operation + " 0.5"}});
    run_.GoTo(1);
    run_.current_loss = 0.25;
    EXPECT_EQ(!DoneReason(Call(*plugin, run_)).empty(), each.below) << each.operation;
    run_.current_loss = 0.5;
    EXPECT_EQ(!DoneReason(Call(*plugin, run_)).empty(), each.at) << each.operation;
    run_.current_loss = 0.75;
    EXPECT_EQ(!DoneReason(Call(*plugin, run_)).empty(), each.above) << each.operation;
  }
}

TEST_F(StoppingTest, AllComparisonsHaveToHold) {
  const auto plugin = Make("stop-when", {{"when", "loss<0.5 and  batch >= 3"}});
  run_.current_loss = 0.25;
  EXPECT_EQ(DoneReason(At(*plugin, 2)), "");
  EXPECT_EQ(DoneReason(At(*plugin, 3)), "loss is 0.25 (< 0.5), batch is 3 (>= 3)");
}

TEST_F(StoppingTest, WhatHasNoValueOrIsNoNumberMeetsNothing) {
  const auto accuracy = Make("stop-when", {{"when", "validation_accuracy >= 0"}});
  EXPECT_EQ(DoneReason(At(*accuracy, 1)), "");
  run_.current_loss = std::numeric_limits<double>::quiet_NaN();
  for (const char* when : {"loss < 1", "loss >= 1", "loss == 1"}) {
    EXPECT_EQ(DoneReason(Call(*Make("stop-when", {{"when", when}}), run_)), "") << when;
  }
}

TEST_F(StoppingTest, ItCanBeAskedToHoldSeveralTimesInARow) {
  const Settings settings = {{"when", "loss < 0.5"}, {"for", "2"}};
  auto plugin = Make("stop-when", settings);
  for (const double loss : {0.1, 0.9, 0.1}) {
    run_.current_loss = loss;
    EXPECT_EQ(DoneReason(At(*plugin, run_.current_batch + 1)), "");
  }
  plugin = Restored(*plugin, "stop-when", settings);
  EXPECT_EQ(DoneReason(At(*plugin, 4)), "loss is 0.1 (< 0.5), 2 times in a row");
}

TEST_F(StoppingTest, TheReasonOfALongConditionFits) {
  std::string when = "training_time < 1000000000";
  for (int i = 0; i < 15; ++i) when += " and training_time < 1000000000";
  const std::string reason = DoneReason(At(*Make("stop-when", {{"when", when}}), 1));
  EXPECT_FALSE(reason.empty());
  EXPECT_LE(reason.size(), static_cast<size_t>(kMaxNoteBytes));
}

TEST_F(StoppingTest, ConditionsThatCannotBeReadAreRefused) {
  for (const char* when : {"loss", "loss < ", "< 1", "loss < x", "loss = 1", "loss < nan", "loss < 1 and", "and",
                           "loss < 1 or batch > 2", "loss => 1", "0.1 < loss"}) {
    Refusal("stop-when", {{"when", when}});
  }
  EXPECT_THAT(Refusal("stop-when", {{"when", "loss < 1 and batch"}}), HasSubstr("\"batch\" is no comparison"));
  EXPECT_THAT(Refusal("stop-when", {{"when", "joy > 1"}}), HasSubstr("It has: batch, target, loss"));
  EXPECT_THAT(Refusal("stop-when", {}), HasSubstr("needs the setting \"when\""));
  EXPECT_THAT(Refusal("stop-when", {{"when", "loss < 1"}, {"for", "0"}}), HasSubstr("\"for\""));
  std::string long_one = "loss < 1";
  for (int i = 0; i < 16; ++i) long_one += " and loss < 1";
  EXPECT_THAT(Refusal("stop-when", {{"when", long_one}}), HasSubstr("at most 16 comparisons; got 17"));
}

TEST_F(StoppingTest, AConditionOnValidationsIsLookedAtAfterEach) {
  const PluginKind kind = StopWhenKind();
  const auto point = [&](const std::string& when) {
    const auto timing = kind.usual_timing(*PluginKinds::Complete(kind, {{"when", when}}), surroundings_);
    EXPECT_TRUE(timing.ok()) << timing.status();
    return timing->point;
  };
  EXPECT_EQ(point("validation_accuracy > 0.9"), PluginPoint::kAfterValidation);
  EXPECT_EQ(point("validation_accuracy > 0.9 and loss < 1"), PluginPoint::kAfterBatch);
}

TEST_F(HostedTest, ARunEndsAtTheFirstBatchThatMeetsACondition) {
  Attach("stop-when", {{"when", "batch >= 7"}});
  TrainTo(20);
  EXPECT_EQ(story_, (Story{"batch is 7 (>= 7)@7"}));
}

TEST_F(HostedTest, ARunEndsSoManyBatchesAfterThePluginWasAttached) {
  TrainTo(5);
  Attach("stop-after", {{"after", "10 batches"}});
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"trained for 10 batches@15"}));
  EXPECT_EQ(Status().runs, 1);
}

TEST_F(HostedTest, WhatARunIsToEndAfterNeedsAUnit) {
  const absl::Status status = MakePlugin("stop-after", {{"after", "5"}}, surroundings_).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
  EXPECT_THAT(status.message(), testing::HasSubstr("\"5 batches\" or \"5 s\""));
}

TEST_F(HostedTest, ARunEndsAfterExamplesAndEpochs) {
  Attach("stop-after", {{"after", "9 examples"}});
  Attach("stop-after", {{"after", "2 epochs"}});
  TrainTo(3);
  EXPECT_EQ(story_, (Story{"trained for 9 examples@3"}));
  done_ = false;
  ASSERT_TRUE(host_->Detach("stop-after").ok());
  TrainTo(100);
  EXPECT_EQ(story_.back(), "trained for 2 epochs@6");
}

TEST_F(HostedTest, ARunEndsAtTheFirstBoundaryAfterATime) {
  TrainTo(5);
  Attach("stop-after", {{"after", "10.5 ms"}});
  EXPECT_EQ(Status().spec.schedule, "from(0.0155)");
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"ran for 10.5 ms@16"}));
}

TEST_F(HostedTest, TimeSpentOnBatchesIsCountedAlone) {
  Attach("stop-after", {{"after", "10 ms"}, {"of", "training_time"}});
  // A second in which nothing was learnt.
  run_.run_timelines.Advance(0, std::chrono::steady_clock::time_point() + std::chrono::seconds(1), {});
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"spent 10 ms on batches@10"}));
}

TEST_F(HostedTest, ARestoredRunEndsWhereItWouldHave) {
  TrainTo(5);
  Attach("stop-after", {{"after", "10 batches"}});
  TrainTo(12);
  const SavedState saved = SavedStateOf(*host_);
  NewHost();
  ASSERT_TRUE(host_->Restore(saved).ok());
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"trained for 10 batches@15"}));
}

TEST_F(StoppingTest, OnAScheduleOfItsOwnItStillWaitsForTheTime) {
  const auto plugin = Make("stop-after", {{"after", "10 batches"}});
  EXPECT_EQ(DoneReason(At(*plugin, 9)), "");
  EXPECT_EQ(DoneReason(At(*plugin, 14)), "trained for 10 batches");
}

TEST_F(StoppingTest, TheReasonOfALongLengthFits) {
  const auto plugin = Make("stop-after", {{"after", "1" + std::string(1000, ' ') + "batch"}});
  EXPECT_LE(DoneReason(At(*plugin, 1)).size(), static_cast<size_t>(kMaxNoteBytes));
}

TEST_F(StoppingTest, LengthsThatCannotBeReadAreRefused) {
  for (const char* after : {"0", "-1 s", "soon", "1 h, 2 h"}) {
    EXPECT_THAT(Refusal("stop-after", {{"after", after}}), HasSubstr("a length above 0")) << after;
  }
  EXPECT_THAT(Refusal("stop-after", {}), HasSubstr("needs the setting \"after\""));
  EXPECT_THAT(Refusal("stop-after", {{"after", "1 h"}, {"of", "lunch"}}), HasSubstr("wall_time, training_time"));
  run_.GoTo(1);
  EXPECT_THAT(Refusal("stop-after", {{"after", "4611686018427387904 batches"}}),
              HasSubstr("further than a run can count"));
}

TEST(SpanText, TellsEveryTick) {
  EXPECT_EQ(SpanText(Timeline::kBatches, 500), "500");
  EXPECT_EQ(SpanText(Timeline::kEpochs, 2'500'000), "2.5");
  EXPECT_EQ(SpanText(Timeline::kWallTime, 1), "0.000000001");
  EXPECT_EQ(SpanText(Timeline::kTrainingTime, 3'600'050'000'000), "3600.05");
}

}  // namespace
}  // namespace pilothouse::trainer
