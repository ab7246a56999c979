#include "trainer/plugin/builtin/eta_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "trainer/plugin/builtin/deciding_fixture.h"
#include "trainer/plugin/builtin/hosted_fixture.h"

namespace pilothouse::trainer {
namespace {

using testing::HasSubstr;

TEST_F(HostedTest, EtaStepsAtExactlyItsBatches) {
  Attach("eta-schedule", {{"etas", "50:0.01, 70:0.005"}});
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"eta 0.01@50", "eta 0.005@70"}));
  EXPECT_EQ(Status().runs, 2) << "the batches between cost nothing";
}

TEST_F(HostedTest, StepsMayComeInAnyOrderAndInTheOtherForm) {
  Attach("eta-schedule", {{"etas", "70,0.005;50,0.01"}});
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"eta 0.01@50", "eta 0.005@70"}));
}

TEST_F(HostedTest, AStepThatHasBegunIsTakenAtTheNextBoundary) {
  TrainTo(60);
  Attach("eta-schedule", {{"etas", "50:0.01, 70:0.005"}});
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"eta 0.01@61", "eta 0.005@70"}));
}

TEST_F(HostedTest, BeforeTheFirstStepEtaStaysAsItIs) {
  TrainTo(48);
  Attach("eta-schedule", {{"etas", "50:0.01, 70:0.005"}});
  TrainTo(49);
  EXPECT_TRUE(story_.empty());
  EXPECT_EQ(run_.knobs["eta"], 0.1);
}

TEST_F(HostedTest, WhenAllStepsHaveBegunTheLastIsTaken) {
  TrainTo(100);
  Attach("eta-schedule", {{"etas", "50:0.01, 70:0.005"}});
  TrainTo(110);
  EXPECT_EQ(story_, (Story{"eta 0.005@101"}));
}

TEST_F(HostedTest, WhatAPersonSetsHoldsUntilTheNextStep) {
  PluginSpec spec = Spec("eta-schedule", {{"etas", "50:0.01, 70:0.005"}});
  spec.schedule = "always";
  ASSERT_TRUE(host_->Attach(spec).ok());
  TrainTo(55);
  run_.knobs["eta"] = 0.5;
  TrainTo(69);
  EXPECT_EQ(run_.knobs["eta"], 0.5);
  TrainTo(70);
  EXPECT_EQ(run_.knobs["eta"], 0.005);
}

TEST_F(HostedTest, StepsCanBeToldInEpochs) {
  // An epoch is 3 batches of 4, 4 and 2 examples.
  Attach("eta-schedule", {{"etas", "0.5:0.01, 2:0.005"}, {"unit", "epochs"}});
  TrainTo(20);
  EXPECT_EQ(story_, (Story{"eta 0.01@2", "eta 0.005@6"}));
}

TEST_F(HostedTest, ARestoredScheduleDoesNotRepeatItsStep) {
  Attach("eta-schedule", {{"etas", "50:0.01, 70:0.005"}});
  TrainTo(60);
  const SavedState saved = SavedStateOf(*host_);
  run_.knobs["eta"] = 0.5;
  NewHost();
  ASSERT_TRUE(host_->Restore(saved).ok());
  TrainTo(100);
  EXPECT_EQ(story_, (Story{"eta 0.01@50", "eta 0.005@70"}));
}

TEST_F(HostedTest, EtaIsMultipliedEverySoOften) {
  Attach("eta-schedule", {{"factor", "0.5"}, {"every", "10 batches"}});
  TrainTo(25);
  EXPECT_EQ(story_, (Story{"eta 0.05@10", "eta 0.025@20"}));
  EXPECT_EQ(Status().runs, 2);
}

TEST_F(HostedTest, FactorsGoByEpochsToo) {
  Attach("eta-schedule", {{"factor", "2"}, {"every", "1 epoch"}});
  TrainTo(7);
  EXPECT_EQ(story_, (Story{"eta 0.2@3", "eta 0.4@6"}));
}

using EtaScheduleTest = DecidingTest;

TEST_F(EtaScheduleTest, EtaStopsWhereNumbersEnd) {
  const auto plugin = Make("eta-schedule", {{"factor", "0.5"}, {"every", "1"}});
  run_.knobs["eta"] = 3e-308;
  EXPECT_EQ(AskedEta(At(*plugin, 1)), std::nullopt);
}

TEST_F(EtaScheduleTest, AnEntryThatCannotBeReadIsNamed) {
  EXPECT_THAT(Refusal("eta-schedule", {{"etas", "50,0.01;"}}), HasSubstr("Entry 2, \"\","));
  EXPECT_THAT(Refusal("eta-schedule", {{"etas", "50"}}), HasSubstr("Entry 1, \"50\","));
  EXPECT_THAT(Refusal("eta-schedule", {{"etas", "a,b"}}), HasSubstr("Entry 1, \"a,b\","));
  for (const char* entry :
       {"0:0.1", "-5:0.1", "50:0", "50:-1", "50:nan", "50:inf", "50:", ":0.1", "1.5:0.1", "5:1:2"}) {
    EXPECT_THAT(Refusal("eta-schedule", {{"etas", std::string("7:0.1, ") + entry}}),
                HasSubstr(std::string("Entry 2, \"") + entry + "\","));
  }
  EXPECT_THAT(Refusal("eta-schedule", {{"etas", "50:0.1, 70:0.01, 50:0.2"}}),
              HasSubstr("Entry 3, \"50:0.2\", begins where another entry does"));
}

TEST_F(EtaScheduleTest, EitherStepsOrAFactorAreGiven) {
  EXPECT_THAT(Refusal("eta-schedule", {}), HasSubstr("Give either \"etas\""));
  EXPECT_THAT(Refusal("eta-schedule", {{"etas", "5:1"}, {"factor", "0.5"}}), HasSubstr("Give either \"etas\""));
  EXPECT_THAT(Refusal("eta-schedule", {{"factor", "0.5"}}), HasSubstr("\"every\""));
  EXPECT_THAT(Refusal("eta-schedule", {{"every", "10"}}), HasSubstr("\"factor\""));
  EXPECT_THAT(Refusal("eta-schedule", {{"factor", "0"}, {"every", "10"}}), HasSubstr("\"factor\""));
  EXPECT_THAT(Refusal("eta-schedule", {{"etas", "5:1"}, {"unit", "weeks"}}), HasSubstr("batches, epochs"));
}

}  // namespace
}  // namespace pilothouse::trainer
