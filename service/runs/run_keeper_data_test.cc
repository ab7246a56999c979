// A trainer that is to be started again needs its run's data: while they are not there, the run waits.
#include <gtest/gtest.h>

#include <string>

#include "proto/support/error.h"
#include "service/runs/run_keeper.h"
#include "service/runs/run_keeper_testing.h"

namespace pilothouse::service {
namespace {

class RunKeeperData : public RunKeeperTest {
 protected:
  void SetUp() override {
    RunKeeperTest::SetUp();
    place_.find_data = [this]() -> absl::StatusOr<DataPaths> {
      if (there_) return DataPaths{.table = "/data/t.csv", .inputs = "", .targets = ""};
      return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "file", "There is no file t.csv.");
    };
    keeper_ = nullptr;
    Make(*Journal::Open(place_.journal_path()));
  }
  // The run has trained to batch 10, its trainer has died, and its data are gone.
  void WaitForData() {
    auto link = Train();
    there_ = false;
    Die(*link);
    now_ += kLongestRestartDelay;
    keeper_->OnTick(now_);
  }
  void LookAgain() {
    now_ += kDataInterval;
    keeper_->OnTick(now_);
  }
  // The trainer refuses to begin, and ends.
  void BeRefused(FakeLink& link, v1::ErrorReason reason, const std::string& sentence) {
    RefuseSpec(link, reason, sentence);
    keeper_->Kill();
    keeper_->OnDetach(&link, now_);
    TickUntil([this] { return keeper_->interval() == kCalmInterval; });
  }

  bool there_ = true;
};

TEST_F(RunKeeperData, DataThatAreNotThereForAWhileAreWaitedFor) {
  WaitForData();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  EXPECT_TRUE(MessageSays("no file t.csv. The run goes on when its data are there again; a stop ends it."))
      << Message();
  EXPECT_TRUE(keeper_->interval() == kCalmInterval);
  const uint64_t told = keeper_->run().last_sequence();
  for (int looks = 0; looks < 2 * kMaxRestarts; ++looks) LookAgain();
  EXPECT_EQ(keeper_->run().last_sequence(), told) << "told once";
  there_ = true;
  LookAgain();
  EXPECT_TRUE(keeper_->interval() == kCalmInterval) << "somebody may still be copying them";
  auto link = ComeAgain();
  EXPECT_EQ(WelcomeOf(*link).table_path(), "/data/t.csv");
  EXPECT_EQ(keeper_->run().restarts(), 1);
}

TEST_F(RunKeeperData, AStopEndsARunThatWaitsForThem) {
  WaitForData();
  Ask(EtaControl("a", 0.5));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  EXPECT_NE(outcomes_[0].status().message().find("it takes only a stop"), std::string::npos);
  Ask(StopControl("b"));
  ASSERT_EQ(outcomes_.size(), 2U);
  ASSERT_TRUE(outcomes_[1].ok()) << outcomes_[1].status();
  EXPECT_EQ(outcomes_[1]->final_batch, 10);
  EXPECT_EQ(outcomes_[1]->receipt.value(), 10);
  EXPECT_TRUE(keeper_->ended());
  EXPECT_TRUE(keeper_->done());
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_STOPPED);
  Ask(StopControl("b"));
  ASSERT_EQ(outcomes_.size(), 3U);
  ASSERT_TRUE(outcomes_[2].ok()) << outcomes_[2].status();
  EXPECT_EQ(outcomes_[2]->receipt.control_id(), outcomes_[1]->receipt.control_id());
  there_ = true;
  for (int looks = 0; looks < 3; ++looks) LookAgain();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_STOPPED) << "nobody is started any more";
}

TEST_F(RunKeeperData, AStopAtABatchItCannotComeToHasToWait) {
  WaitForData();
  v1::Control later = StopControl("a");
  later.set_at_batch(50);
  Ask(later);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
}

TEST_F(RunKeeperData, ThoseThatWentWhileItsTrainerBeganAreWaitedForWithoutCountingIt) {
  auto link = Train();
  Die(*link);
  for (int times = 0; times < 2 * kMaxRestarts; ++times) {
    link = ComeAgain();
    ASSERT_EQ(WelcomeOf(*link).table_path(), "/data/t.csv");
    BeRefused(*link, v1::ERROR_REASON_FILE_NOT_FOUND, "It is gone.");
    EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
    EXPECT_EQ(keeper_->run().restarts(), 1);
    EXPECT_TRUE(MessageSays("It is gone. The run goes on")) << Message();
  }
}

TEST_F(RunKeeperData, ThoseThatChangedAreNotTriedAgainBeforeTheyChangeAgain) {
  auto link = Train();
  Die(*link);
  link = ComeAgain();
  BeRefused(*link, v1::ERROR_REASON_DATA_CHANGED, "They are others.");
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  EXPECT_TRUE(MessageSays("They are others. The run goes on")) << Message();
  for (int looks = 0; looks < 3; ++looks) LookAgain();
  EXPECT_TRUE(keeper_->interval() == kCalmInterval) << "no trainer is started";
  there_ = false;
  LookAgain();
  there_ = true;
  LookAgain();
  LookAgain();
  link = Attach(0, false);
  EXPECT_EQ(WelcomeOf(*link).table_path(), "/data/t.csv");
}

}  // namespace
}  // namespace pilothouse::service
