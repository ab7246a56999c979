// What a run goes on from where its checkpoints or its journal are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/channel/run_history_fixture.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr int64_t kAllBatches = std::numeric_limits<int64_t>::max();

class RunHistoryDamageTest : public RunHistoryTest {
 protected:
  void DamageEvent(uint64_t sequence) {
    journal_.Execute(absl::StrCat("UPDATE events SET payload = x'ffff' WHERE sequence = ", sequence));
  }
};

TEST_F(RunHistoryDamageTest, TakesAnOlderCheckpointWhereTheNewestIsDamagedAndSaysSo) {
  Target(0, 100);
  Checkpoint(10, 10);
  Eta(15, 0.5);
  const std::string newest = Checkpoint(20, 20);
  Damage(newest);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":10,\"controls\":1}", "15 eta 0.5", "through 20"));
  EXPECT_THAT(damaged_, ElementsAre(HasSubstr(newest)));
}

TEST_F(RunHistoryDamageTest, BeginsAnewWhereEveryCheckpointIsDamagedOrGone) {
  Damage(Checkpoint(10, 10));
  std::filesystem::remove(Checkpoint(20, 20));
  Eta(20, 0.5);
  EXPECT_THAT(Resume(), ElementsAre("anew", "20 eta 0.5", "through 20"));
  EXPECT_THAT(damaged_, SizeIs(1)) << "retention removes files: one that is gone is not damaged";
}

TEST_F(RunHistoryDamageTest, AForkWhoseCheckpointsAreAllDamagedCannotGoOn) {
  journal_.run().mutable_spec()->mutable_parent()->set_batch(30);
  journal_.Execute("DELETE FROM meta");
  journal_.Store();
  const std::string base = Checkpoint(30, 30);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":30,\"controls\":0}", "through 30"));
  EXPECT_EQ(Read().first_batch(), 30);
  Damage(base);
  EXPECT_EQ(ReasonOf(Read().PlanResume(0, damaged_).status()), v1::ERROR_REASON_CHECKPOINT_DAMAGED);
}

TEST_F(RunHistoryDamageTest, ADamagedLossDoesNoHarm) {
  Eta(10, 0.5);
  Loss(20);
  Loss(30);
  DamageEvent(2);
  EXPECT_THAT(Resume(), ElementsAre("anew", "10 eta 0.5", "through 30"));
  EXPECT_TRUE(Read().CheckComplete(kAllBatches).ok());
}

TEST_F(RunHistoryDamageTest, ADamagedControlCannotBeDoneWithoutWhereNoCheckpointContainsIt) {
  Eta(10, 0.5);
  Checkpoint(10, 10);
  Eta(20, 0.25);
  Loss(30);
  DamageEvent(3);
  EXPECT_EQ(ReasonOf(Read().PlanResume(0, damaged_).status()), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_EQ(ReasonOf(Read().CheckComplete(kAllBatches)), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(RunHistoryDamageTest, ADamagedControlIsDoneWithoutWhereACheckpointContainsIt) {
  Eta(10, 0.5);
  Eta(20, 0.25);
  Checkpoint(20, 20);
  Eta(30, 0.125);
  DamageEvent(1);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":20,\"controls\":2}", "30 eta 0.125", "through 30"));
  EXPECT_EQ(Read().PlanResume(0, damaged_)->controls_recorded, 3);
  EXPECT_EQ(ReasonOf(Read().CheckComplete(kAllBatches)), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(RunHistoryDamageTest, WhatCameBeforeADamagedControlCanStillBeDoneAgain) {
  Checkpoint(10, 10);
  Eta(15, 0.5);
  Loss(20);
  Eta(25, 0.25);
  Loss(30);
  DamageEvent(4);
  EXPECT_THAT(Visit(10), ElementsAre("{\"batch\":10,\"controls\":0}", "through 10"));
  EXPECT_THAT(Visit(19), ElementsAre("{\"batch\":10,\"controls\":0}", "15 eta 0.5", "through 19"));
  EXPECT_TRUE(Read().CheckComplete(19).ok());
  // It was made after batch 20, or where that was told of.
  for (const absl::Status& refused : {Read().PlanVisit(20, "", damaged_).status(), Read().CheckComplete(20)}) {
    EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_JOURNAL_FAILED);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("sequence 4, made at batch 20 or later"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("Up to batch 19 all is known"));
  }
}

TEST_F(RunHistoryDamageTest, ADamagedControlOfALineThatWasLeftIsNotMissed) {
  Eta(10, 0.5);
  Loss(40);
  Eta(45, 0.25);
  Rewind(50, 20, "first");
  Loss(25);
  DamageEvent(3);
  EXPECT_THAT(Resume(), ElementsAre("anew", "10 eta 0.5", "20 pause", "through 25"));
  EXPECT_EQ(ReasonOf(Read().PlanVisit(45, "first", damaged_).status()), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_THAT(Visit(39, "first"), ElementsAre("anew", "10 eta 0.5", "through 39"));
}

TEST_F(RunHistoryDamageTest, ADamagedControlAfterARewindWasNotMadeBeforeWhereThatLed) {
  Loss(40);
  Rewind(50, 20, "first");
  Eta(22, 0.25);
  Loss(25);
  DamageEvent(3);
  EXPECT_THAT(Visit(19), ElementsAre("anew", "through 19"));
  EXPECT_EQ(ReasonOf(Read().PlanVisit(20, "", damaged_).status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(RunHistoryDamageTest, ADamagedControlMattersAgainWhereOnlyAnOlderCheckpointIsGood) {
  Checkpoint(5, 5);
  Eta(10, 0.5);
  Damage(Checkpoint(20, 20));
  Loss(30);
  DamageEvent(2);
  EXPECT_EQ(ReasonOf(Read().PlanResume(0, damaged_).status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(RunHistoryDamageTest, ADamagedRewindLeavesNoLineToGoOnWith) {
  Eta(10, 0.5);
  Checkpoint(30, 30);
  Rewind(30, 20, "first");
  Loss(25);
  Checkpoint(25, 25);
  DamageEvent(3);
  EXPECT_EQ(ReasonOf(RunHistory::Read(journal_.directory()).status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

}  // namespace
}  // namespace pilothouse::trainer
