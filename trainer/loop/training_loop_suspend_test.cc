// A run whose process is to end is left where another one can go on with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "trainer/loop/loop_fixture.h"
#include "trainer/loop/resume.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SuspendTest : public LoopTest {
 protected:
  // Whether the run was left, not ended.
  bool RunIsLeft() {
    TrainingLoop loop(options, learner, mailbox, sink, clock);
    loop.Run();
    return loop.suspended();
  }
  std::string Last() const { return Describe(sink.reports.back()); }
  std::vector<std::string> All() const {
    std::vector<std::string> all;
    for (const Report& report : sink.reports) all.push_back(Describe(report));
    return all;
  }
};

TEST_F(SuspendTest, ARunThatTrainsIsLeftAfterTheNextBatchWithACheckpoint) {
  options.target = 1000;
  during.emplace(77, [this] { mailbox.Suspend(); });
  EXPECT_TRUE(RunIsLeft());
  EXPECT_EQ(Last(), "77 checkpoint of 77");
  EXPECT_EQ(learner.etas().size(), 77U);
  EXPECT_THAT(All(), Not(Contains(HasSubstr("STOP"))));
}

TEST_F(SuspendTest, ARunThatWaitsIsLeftAtOnce) {
  clock.At(seconds(1), [this] { mailbox.Suspend(); });
  EXPECT_TRUE(RunIsLeft());
  EXPECT_EQ(Last(), "0 checkpoint of 0");
}

TEST_F(SuspendTest, ARunThatWasToBeLeftBeforeItBeganIsLeftAtItsBeginning) {
  options.target = 1000;
  mailbox.Suspend();
  EXPECT_TRUE(RunIsLeft());
  EXPECT_EQ(Last(), "0 checkpoint of 0");
  EXPECT_THAT(learner.etas(), IsEmpty());
}

TEST_F(SuspendTest, ARunThatCannotBeSavedIsLeftAllTheSame) {
  BlockSaving();
  options.target = 1000;
  during.emplace(77, [this] { mailbox.Suspend(); });
  EXPECT_TRUE(RunIsLeft());
  EXPECT_EQ(Last(), "77 checkpoint of 77 failed");
}

TEST_F(SuspendTest, WhatIsToHappenLaterIsNeitherDoneNorRefused) {
  options.target = 1000;
  Put("later", KnobChange{"eta", 0.5}, 900);
  during.emplace(77, [this] { mailbox.Suspend(); });
  EXPECT_TRUE(RunIsLeft());
  EXPECT_THAT(RefusalReasons(), IsEmpty());
  EXPECT_THAT(All(), Not(Contains(HasSubstr("later"))));
}

TEST_F(SuspendTest, WhatCameBeforeIsInTheCheckpoint) {
  options.target = 1000;
  during.emplace(77, [this] {
    Put("eta", KnobChange{"eta", 0.5});
    mailbox.Suspend();
  });
  EXPECT_TRUE(RunIsLeft());
  EXPECT_THAT(All(), Contains("77 control eta = 0.5"));
  EXPECT_EQ(std::get<CheckpointReport>(sink.reports.back().kind).outcome.facts.controls, 1);
}

TEST_F(SuspendTest, ARunThatIsStoppedAtTheSameMomentEnds) {
  options.target = 1000;
  during.emplace(77, [this] {
    Stop();
    mailbox.Suspend();
  });
  EXPECT_FALSE(RunIsLeft());
  EXPECT_EQ(Last(), "77 STOPPED");
}

TEST_F(SuspendTest, ARunOnItsWayBackIsLeftWithoutAWord) {
  ResumePlan plan;
  plan.initial_target = 1'000'000;
  plan.through_batch = 1'000'000;
  options.resume = std::make_shared<const ResumePlan>(plan);
  during.emplace(77, [this] { mailbox.Suspend(); });
  EXPECT_TRUE(RunIsLeft());
  EXPECT_THAT(All(), IsEmpty());
  EXPECT_LT(learner.etas().size(), 1'000'000U);
}

}  // namespace
}  // namespace pilothouse::trainer
