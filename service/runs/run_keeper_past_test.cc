// Checkpoints that somebody asks for, and runs that are taken back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "service/runs/run_keeper.h"
#include "service/runs/run_keeper_testing.h"
#include "service/runs/saved_run.h"

namespace pilothouse::service {
namespace {

class RunKeeperPast : public RunKeeperTest {
 protected:
  static v1::Control Checkpoint(const std::string& request_id) {
    v1::Control control;
    control.set_request_id(request_id);
    control.mutable_change()->mutable_checkpoint()->set_pin(true);
    return control;
  }
  static v1::Control Rewind(const std::string& request_id, int64_t batch, const std::string& branch = "") {
    v1::Control control;
    control.set_request_id(request_id);
    control.mutable_change()->mutable_rewind()->set_batch(batch);
    control.mutable_change()->mutable_rewind()->set_branch(branch);
    return control;
  }
  void ReportWritten(FakeLink& link, uint64_t number, const std::string& request_id, int64_t batch,
                     const std::string& error = "") {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch + 3);
    v1::CheckpointReport& checkpoint = *report->mutable_event()->mutable_checkpoint();
    checkpoint.set_batch(batch);
    checkpoint.set_request_id(request_id);
    checkpoint.set_error(error);
    if (error.empty()) checkpoint.set_file("checkpoints/batch-" + std::to_string(batch) + ".safetensors");
    Deliver(link, message);
  }
  v1::Control Sent(const FakeLink& link) const { return link.Controls().back(); }
  // A run that was at batch 50 and is on its way to 20, as request "r" asked.
  std::shared_ptr<FakeLink> GoBack() {
    auto link = Begin();
    ReportLoss(*link, 2, 50, 0.5);
    Ask(Rewind("r", 20));
    ReportRewind(*link, 3, Sent(*link), 50);
    return link;
  }
  void Heartbeat(FakeLink& link, int64_t batch) {
    v1::AttachRequest message;
    message.mutable_heartbeat()->set_batch(batch);
    Deliver(link, message);
  }
  v1::ErrorReason LastReason() const { return ReasonOf(outcomes_.back().status()); }
};

TEST_F(RunKeeperPast, ACheckpointIsAnsweredWhenItIsWritten) {
  auto link = Begin();
  Ask(Checkpoint("c"));
  ReportControl(*link, 2, Checkpoint("c"), 5);
  ReportWritten(*link, 3, "", 4);
  EXPECT_TRUE(outcomes_.empty()) << "that was another one";
  ReportWritten(*link, 4, "c", 5);
  ASSERT_EQ(outcomes_.size(), 1U);
  ASSERT_TRUE(outcomes_[0].ok()) << outcomes_[0].status();
  EXPECT_EQ(outcomes_[0]->receipt.applied_batch(), 5);
  EXPECT_EQ(outcomes_[0]->checkpoint.batch(), 5);
  EXPECT_EQ(outcomes_[0]->checkpoint.sequence(), 4U);
  EXPECT_EQ(keeper_->run().checkpoint_batch(), 5);
}

TEST_F(RunKeeperPast, ACheckpointThatCannotBeWrittenIsAnError) {
  auto link = Begin();
  Ask(Checkpoint("c"));
  ReportControl(*link, 2, Checkpoint("c"), 5);
  ReportWritten(*link, 3, "c", 5, "no space left on device");
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_SAVE_FAILED);
  EXPECT_FALSE(keeper_->run().has_checkpoint_batch());
  Ask(Checkpoint("c"));
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_SAVE_FAILED);
}

TEST_F(RunKeeperPast, TheSameRequestFindsItsCheckpointAlsoAfterARestartAndAfterTheEnd) {
  auto link = Begin();
  Ask(Checkpoint("c"));
  ReportControl(*link, 2, Checkpoint("c"), 5);
  Ask(Checkpoint("c"));
  ReportWritten(*link, 3, "c", 5);
  Ask(Checkpoint("c"));
  Restart();
  Ask(Checkpoint("c"));
  ASSERT_EQ(outcomes_.size(), 4U);
  for (const auto& outcome : outcomes_) {
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->checkpoint.SerializeAsString(), outcomes_[0]->checkpoint.SerializeAsString());
  }
  EXPECT_EQ(link->Controls().size(), 1U);
  const auto ended = AnswerEndedControl(place_, keeper_->run(), Checkpoint("c"));
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->checkpoint.batch(), 5);
}

TEST_F(RunKeeperPast, ACheckpointThatDiedWithItsTrainerIsNotWaitedFor) {
  auto link = Begin();
  Ask(Checkpoint("c"));
  ReportControl(*link, 2, Checkpoint("c"), 5);
  Die(*link);
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  link = ComeAgain();
  Prepare(*link);
  ReportStatus(*link, 3, v1::RUN_STATUS_IDLE, 5);
  Ask(Checkpoint("c"));
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_SAVE_FAILED);
}

TEST_F(RunKeeperPast, ACheckpointIsWaitedForWhenItsTrainerAttachesAgain) {
  auto link = Begin();
  Ask(Checkpoint("c"));
  ReportControl(*link, 2, Checkpoint("c"), 5);
  keeper_->OnDetach(link.get(), now_);
  link = Attach(2, true);
  Ask(Checkpoint("c"));
  ReportWritten(*link, 3, "c", 5);
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_TRUE(outcomes_[1].ok()) << outcomes_[1].status();
}

TEST_F(RunKeeperPast, ARewindIsAnsweredWhenTheRunIsThere) {
  auto link = Begin();
  ReportLoss(*link, 2, 50, 0.5);
  Ask(Rewind("r", 20));
  ASSERT_EQ(Sent(*link).change().rewind().branch(), "rewind-1");
  ReportRewind(*link, 3, Sent(*link), 50);
  EXPECT_TRUE(outcomes_.empty());
  EXPECT_EQ(keeper_->run().batch(), 20);
  ReportStatus(*link, 4, v1::RUN_STATUS_IDLE, 20);
  ASSERT_EQ(outcomes_.size(), 1U);
  ASSERT_TRUE(outcomes_[0].ok()) << outcomes_[0].status();
  EXPECT_EQ(outcomes_[0]->receipt.branch(), "rewind-1");
  EXPECT_EQ(outcomes_[0]->receipt.value(), 20);
  ASSERT_EQ(keeper_->run().branches_size(), 1);
  EXPECT_EQ(keeper_->run().branches(0).from_batch(), 20);
  EXPECT_EQ(keeper_->run().branches(0).through_batch(), 50);
  Ask(Rewind("r", 20));
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_EQ(outcomes_[1]->receipt.SerializeAsString(), outcomes_[0]->receipt.SerializeAsString());
}

TEST_F(RunKeeperPast, TheSameRewindAskedTwiceAtOnceIsOne) {
  auto link = Begin();
  Ask(Rewind("r", 0));
  Ask(Rewind("r", 0));
  EXPECT_EQ(link->Controls().size(), 1U);
  Ask(Rewind("r", 0, "other"));
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST_F(RunKeeperPast, ABranchHasItsNameAlone) {
  auto link = Begin();
  ReportLoss(*link, 2, 50, 0.5);
  Ask(Rewind("r", 20, "high-eta"));
  Ask(Rewind("s", 10, "high-eta"));
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_BRANCH_ALREADY_EXISTS);
  ReportRewind(*link, 3, Sent(*link), 50);
  ReportStatus(*link, 4, v1::RUN_STATUS_IDLE, 20);
  Ask(Rewind("t", 10, "high-eta"));
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_BRANCH_ALREADY_EXISTS);
  Ask(Rewind("u", 10));
  EXPECT_EQ(Sent(*link).change().rewind().branch(), "rewind-2");
  Ask(Rewind("v", 10));
  EXPECT_EQ(Sent(*link).change().rewind().branch(), "rewind-3") << "the other one is under way";
}

TEST_F(RunKeeperPast, ATrainerThatDiesOnTheWayBackLeavesTheReceiptToBeFound) {
  auto link = GoBack();
  Die(*link);
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  Ask(Rewind("r", 20));
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_TRAINER_UNAVAILABLE) << "it is not there yet";
  link = ComeAgain();
  EXPECT_EQ(WelcomeOf(*link).seen_batch(), 20);
  Prepare(*link);
  ReportStatus(*link, 4, v1::RUN_STATUS_IDLE, 20);
  Ask(Rewind("r", 20));
  ASSERT_EQ(outcomes_.size(), 3U);
  ASSERT_TRUE(outcomes_[2].ok()) << outcomes_[2].status();
  EXPECT_EQ(outcomes_[2]->receipt.branch(), "rewind-1");
}

TEST_F(RunKeeperPast, WhileARunGoesBackNoHeartbeatMovesIt) {
  auto link = GoBack();
  Heartbeat(*link, 12);
  EXPECT_EQ(keeper_->run().batch(), 20);
}

TEST_F(RunKeeperPast, ARunThatGoesBackForLongSaysHowFarItIsAndAnswersNothing) {
  auto link = GoBack();
  v1::Query query;
  query.mutable_state();
  std::vector<absl::Status> answers;
  const auto ask = [&] {
    keeper_->OnQuery(query, [&](const absl::StatusOr<v1::Answer>& answer) { answers.push_back(answer.status()); });
  };
  ask();
  EXPECT_TRUE(answers.empty()) << "most are there in no time";
  Heartbeat(*link, 50);
  Heartbeat(*link, 12);
  const std::string notice = "It is on its way to batch 20, to which it was taken back: at batch 12.";
  EXPECT_EQ(keeper_->run().status_message(), notice);
  ask();
  ASSERT_EQ(answers.size(), 2U);
  for (const absl::Status& answer : answers) {
    EXPECT_EQ(ReasonOf(answer), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
    EXPECT_THAT(std::string(answer.message()), testing::HasSubstr(notice));
  }
  ReportStatus(*link, 4, v1::RUN_STATUS_IDLE, 20);
  EXPECT_EQ(keeper_->run().status_message(), "");
  ask();
  EXPECT_EQ(answers.size(), 2U) << "its trainer is asked";
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_TRUE(outcomes_[0].ok());
  keeper_->Abandon();
  EXPECT_EQ(answers.size(), 3U);
}

TEST_F(RunKeeperPast, ACheckpointThatIsToldOfLateMovesNothing) {
  auto link = GoBack();
  ReportWritten(*link, 4, "", 50);
  EXPECT_EQ(keeper_->run().batch(), 20);
}

TEST_F(RunKeeperPast, ARunIsAtLeastWhereACheckpointWasToldOf) {
  auto link = Begin();
  ReportLoss(*link, 2, 50, 0.5);
  ReportWritten(*link, 3, "", 80);
  EXPECT_EQ(keeper_->run().batch(), 83) << "told of three batches later";
  ReportWritten(*link, 4, "", 70);
  EXPECT_EQ(keeper_->run().batch(), 83);
}

TEST_F(RunKeeperPast, ARunThatEndedIsToBeForkedInstead) {
  auto link = Begin();
  ReportStatus(*link, 2, v1::RUN_STATUS_STOPPED, 5);
  Ask(Rewind("r", 2));
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_NE(outcomes_.back().status().message().find("fork r --at 2`"), absl::string_view::npos);
}

TEST_F(RunKeeperPast, AForkIsNotTakenBackBeyondItsBeginning) {
  v1::Run run = keeper_->run();
  run.mutable_parent()->set_batch(30);
  keeper_ = nullptr;
  auto journal = *Journal::Open(place_.journal_path());
  ASSERT_TRUE(journal->SetRun(run, Durability::kSynced).ok());
  Make(std::move(journal));
  auto link = Begin();
  Ask(Rewind("r", 29));
  EXPECT_EQ(LastReason(), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  Ask(Rewind("s", 30));
  EXPECT_EQ(link->Controls().size(), 1U);
}

}  // namespace
}  // namespace pilothouse::service
