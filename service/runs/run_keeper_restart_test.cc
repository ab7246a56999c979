// A trainer that dies is started again, and the run goes on.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/run_keeper.h"
#include "service/runs/run_keeper_testing.h"

namespace pilothouse::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

class RunKeeperRestart : public RunKeeperTest {
 protected:
  void ReportCheckpoint(FakeLink& link, uint64_t number, int64_t batch) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    v1::CheckpointReport& checkpoint = *report->mutable_event()->mutable_checkpoint();
    checkpoint.set_batch(batch);
    checkpoint.set_file(CheckpointFile(batch));
    Deliver(link, message);
  }
  // As a checkpoint has it in its report.
  static std::string CheckpointFile(int64_t batch) { return absl::StrCat("checkpoints/", batch, ".safetensors"); }
  void WriteCheckpoint(int64_t batch) {
    std::filesystem::create_directories(place_.directory + "/checkpoints");
    std::ofstream(absl::StrCat(place_.directory, "/", CheckpointFile(batch))) << "state";
  }
  void Heartbeat(FakeLink& link, int64_t batch) {
    v1::AttachRequest message;
    message.mutable_heartbeat()->set_batch(batch);
    Deliver(link, message);
  }
};

TEST_F(RunKeeperRestart, ARunWhoseTrainerDiedIsLostAndGoesOnFromWhereItWasSeen) {
  auto link = Train();
  WriteCheckpoint(8);
  ReportCheckpoint(*link, 4, 8);
  Heartbeat(*link, 14);
  Die(*link);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  EXPECT_TRUE(MessageSays("killed by signal 9")) << Message();
  EXPECT_TRUE(MessageSays("again from its checkpoint at batch 8, attempt 1 of 3")) << Message();
  EXPECT_EQ(keeper_->run().restarts(), 1);
  link = ComeAgain();
  const v1::Welcome& welcome = WelcomeOf(*link);
  EXPECT_TRUE(welcome.resume());
  EXPECT_EQ(welcome.seen_batch(), 14);
  EXPECT_EQ(welcome.reports_taken(), 4U);
  Prepare(*link);
  ReportStatus(*link, 5, v1::RUN_STATUS_TRAINING, 14);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_TRAINING);
  EXPECT_EQ(keeper_->run().batch(), 14);
}

TEST_F(RunKeeperRestart, ARunWhoseCheckpointIsGoneIsSaidToBeginAgain) {
  auto link = Train();
  ReportCheckpoint(*link, 4, 8);
  Die(*link);
  EXPECT_TRUE(MessageSays("again from its beginning, attempt 1 of 3")) << Message();
}

TEST_F(RunKeeperRestart, ARunThatWasTakenBackBehindItsOnlyCheckpointIsSaidToBeginAgain) {
  auto link = Train();
  WriteCheckpoint(8);
  ReportCheckpoint(*link, 4, 8);
  v1::Control back;
  back.mutable_change()->mutable_rewind()->set_batch(3);
  back.mutable_change()->mutable_rewind()->set_branch("later");
  ReportRewind(*link, 5, back, 10);
  Die(*link);
  EXPECT_TRUE(MessageSays("again from its beginning, attempt 1 of 3")) << Message();
}

TEST_F(RunKeeperRestart, HowFarItsTrainerIsOnItsWayBackIsToldUntilItIsThere) {
  auto link = Train();
  Die(*link);
  link = ComeAgain();
  Prepare(*link);
  for (const int64_t batch : {4, 7}) Heartbeat(*link, batch);
  EXPECT_TRUE(MessageSays("on its way to where the run was: at batch 7 of 10. The trainer ended: killed")) << Message();
  EXPECT_FALSE(MessageSays("batch 4")) << Message();
  EXPECT_EQ(keeper_->run().batch(), 10);
  ReportStatus(*link, 4, v1::RUN_STATUS_TRAINING, 10);
  Heartbeat(*link, 12);
  EXPECT_FALSE(MessageSays("on its way")) << Message();
}

TEST_F(RunKeeperRestart, ATrainerThatIsStartedAnewIsToldNothingOfAPast) {
  Launch();
  auto link = Attach(0, false);
  EXPECT_FALSE(WelcomeOf(*link).resume());
}

TEST_F(RunKeeperRestart, TheDataMustBeThoseItWasStartedWith) {
  Launch();
  auto link = Attach(0, false);
  v1::AttachRequest message;
  message.mutable_prepared()->mutable_facts()->set_data_sha256("abc");
  Deliver(*link, message);
  ReportStatus(*link, 1, v1::RUN_STATUS_IDLE);
  Die(*link);
  link = ComeAgain();
  EXPECT_EQ(WelcomeOf(*link).data_sha256(), "abc");
}

TEST_F(RunKeeperRestart, ItWaitsALittleBeforeItStartsATrainerAgain) {
  auto link = Train();
  Die(*link);
  EXPECT_TRUE(keeper_->interval() == kBusyInterval);
  keeper_->OnTick(now_ + kFirstRestartDelay - milliseconds(1));
  link = Attach(0, false);
  // It was not started by then, so it is none that could be killed.
  keeper_->OnDetach(link.get(), now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
}

TEST_F(RunKeeperRestart, WithoutGettingFurtherItIsStartedAgainSoOftenAndThenHasFailed) {
  auto link = Train();
  for (int attempt = 1; attempt <= kMaxRestarts; ++attempt) {
    Die(*link);
    ASSERT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST) << attempt;
    EXPECT_EQ(keeper_->run().restarts(), attempt);
    link = ComeAgain();
    Prepare(*link);
    ReportStatus(*link, static_cast<uint64_t>(3 + attempt), v1::RUN_STATUS_TRAINING, 10);
  }
  Die(*link);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(MessageSays("killed by signal 9")) << Message();
  EXPECT_TRUE(MessageSays("started again 3 times")) << Message();
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperRestart, GettingFurtherMakesItForgetEarlierDeaths) {
  auto link = Train();
  uint64_t report = 3;
  for (int64_t batch = 11; batch < 11 + 2 * kMaxRestarts; ++batch) {
    Die(*link);
    ASSERT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST) << batch;
    EXPECT_EQ(keeper_->run().restarts(), 1);
    link = ComeAgain();
    Prepare(*link);
    ReportStatus(*link, ++report, v1::RUN_STATUS_TRAINING, batch - 1);
    EXPECT_EQ(keeper_->run().restarts(), 1);
    ReportLoss(*link, ++report, batch, 0.4);
    EXPECT_EQ(keeper_->run().restarts(), 0);
  }
}

TEST_F(RunKeeperRestart, ALongTimeWithoutADeathMakesItForgetEarlierOnes) {
  auto link = Train();
  for (uint64_t round = 1; round <= 2 * kMaxRestarts; ++round) {
    Die(*link);
    ASSERT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST) << round;
    EXPECT_EQ(keeper_->run().restarts(), 1);
    link = ComeAgain();
    Prepare(*link);
    ReportStatus(*link, 3 + round, v1::RUN_STATUS_IDLE, 10);
    keeper_->OnTick(now_);
    now_ += kRestartMemory;
    keeper_->OnTick(now_);
    EXPECT_EQ(keeper_->run().restarts(), 0);
  }
}

TEST_F(RunKeeperRestart, ATrainerThatDiesWithoutEverAttachingAgainCounts) {
  auto link = Train();
  Die(*link);
  place_.trainer_command = {"/bin/true"};
  keeper_ = nullptr;
  Restart();
  TickUntil([this] {
    now_ += kLongestRestartDelay;
    return keeper_->ended();
  });
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(MessageSays("exit code 0")) << Message();
}

TEST_F(RunKeeperRestart, WhileItCatchesUpItIsLostAndNobodySteersIt) {
  auto link = Train();
  Die(*link);
  link = ComeAgain();
  Prepare(*link);
  Heartbeat(*link, 3);
  keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().batch(), 10) << "what is shown never goes back";
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  Ask(EtaControl("a", 0.5));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  EXPECT_TRUE(link->Controls().empty());
  ReportStatus(*link, 4, v1::RUN_STATUS_TRAINING, 10);
  Ask(EtaControl("a", 0.5));
  EXPECT_EQ(link->Controls().size(), 1U);
}

TEST_F(RunKeeperRestart, OneThatLostItsConnectionWhileItCaughtUpIsNotTakenForReturned) {
  auto link = Train();
  Die(*link);
  link = ComeAgain();
  Prepare(*link);
  keeper_->OnDetach(link.get(), now_);
  link = Attach(0, true);
  ASSERT_TRUE(link->sent.at(1).has_query());
  v1::AttachRequest message;
  message.mutable_answer()->set_query_id(link->sent.at(1).query().query_id());
  message.mutable_answer()->mutable_state()->set_status(v1::RUN_STATUS_TRAINING);
  message.mutable_answer()->mutable_state()->set_batch(7);
  Deliver(*link, message);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  EXPECT_EQ(keeper_->run().batch(), 10);
}

TEST_F(RunKeeperRestart, WhatATrainerThatWasStartedAgainRefusesFailsTheRunAtOnce) {
  auto link = Train();
  Die(*link);
  link = ComeAgain();
  RefuseSpec(*link, v1::ERROR_REASON_CHECKPOINT_DAMAGED, "No checkpoint can be used.");
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_EQ(Message(), "No checkpoint can be used.");
  EXPECT_TRUE(link->closed);
}

TEST_F(RunKeeperRestart, OneThatCannotGoOnFailsTheRunWhenItIsGone) {
  auto link = Train();
  Die(*link);
  link = ComeAgain();
  RefuseSpec(*link, v1::ERROR_REASON_TRAINER_FAILED, "There is no such library.");
  Die(*link);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_EQ(Message(), "There is no such library.");
}

TEST_F(RunKeeperRestart, OneThatGivesWayToAnotherTrainerFailsNothingAndThatOneIsWaitedFor) {
  auto link = Train();
  Die(*link);
  link = ComeAgain();
  const int other = open(place_.lock_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
  RefuseSpec(*link, v1::ERROR_REASON_TRAINER_FAILED, "Another trainer is alive.");
  keeper_->Kill();
  keeper_->OnDetach(link.get(), now_);
  int ticks = 0;
  TickUntil([&] {
    if (++ticks == 10) close(other);
    return ticks > 10 && (keeper_->run().restarts() == 2 || keeper_->run().status() != v1::RUN_STATUS_LOST);
  });
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST) << Message();
  EXPECT_EQ(keeper_->run().restarts(), 2) << "the other one died, too";
}

TEST_F(RunKeeperRestart, ANewServiceStartsTheTrainerOfAFormerOneAgain) {
  auto link = Train();
  keeper_->Kill();
  Restart();
  EXPECT_TRUE(MessageSays("The service was started anew"));
  TickUntil([this] { return keeper_->run().restarts() == 1; });
  EXPECT_TRUE(MessageSays("and nobody saw how")) << Message();
  EXPECT_TRUE(MessageSays("from its beginning, attempt 1 of 3")) << Message();
  link = ComeAgain();
  EXPECT_TRUE(WelcomeOf(*link).resume());
}

TEST_F(RunKeeperRestart, OfTwoServiceStartsBetweenWhichNothingHappenedOneIsTold) {
  Train();
  const uint64_t trained = keeper_->run().last_sequence();
  Restart();
  EXPECT_EQ(keeper_->run().last_sequence(), trained + 1);
  testing::internal::CaptureStderr();
  Restart();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("LOST. The service was started anew"))
      << "this service's log is another one's";
  EXPECT_EQ(keeper_->run().last_sequence(), trained + 1);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  EXPECT_TRUE(MessageSays("The service was started anew")) << Message();
  auto link = Attach(3, true);
  ReportStatus(*link, 4, v1::RUN_STATUS_TRAINING, 11);
  ASSERT_EQ(keeper_->run().last_sequence(), trained + 2);
  Restart();
  EXPECT_EQ(keeper_->run().last_sequence(), trained + 3) << "it had been back";
}

TEST_F(RunKeeperRestart, AForkThatNeverBeganIsToldAgainWhereToBegin) {
  beginning_.mutable_fork()->set_batch(40);
  keeper_ = nullptr;
  Make(*Journal::Open(place_.journal_path()));
  keeper_->AwaitReturn(now_);
  TickUntil([this] { return keeper_->run().restarts() == 1; });
  auto link = ComeAgain();
  EXPECT_FALSE(WelcomeOf(*link).resume());
  EXPECT_EQ(WelcomeOf(*link).fork().batch(), 40);
  Prepare(*link);
  ReportCheckpoint(*link, 1, 40);
  Die(*link);
  link = ComeAgain();
  EXPECT_TRUE(WelcomeOf(*link).resume());
  EXPECT_FALSE(WelcomeOf(*link).has_fork());
}

TEST_F(RunKeeperRestart, ARunThatIsEndedForGoodIsNotStartedAgain) {
  auto link = Train();
  keeper_->End();
  keeper_->OnDetach(link.get(), now_);
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
}

TEST_F(RunKeeperRestart, ARunThatIsEndedForGoodWhileItWaitsForItsTrainerHasFailed) {
  auto link = Train();
  Die(*link);
  ASSERT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  keeper_->End();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperRestart, ARunThatEndsWhileItsStartIsWaitedForIsTheErrorOfTheStart) {
  Launch();
  auto link = Attach(0, false);
  Prepare(*link);
  ReportStatus(*link, 1, v1::RUN_STATUS_FAILED);
  ASSERT_TRUE(keeper_->refused());
  keeper_->TakeRefusal()();
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(ReasonOf(started_[0].status()), v1::ERROR_REASON_TRAINER_FAILED);
}

}  // namespace
}  // namespace pilothouse::service
