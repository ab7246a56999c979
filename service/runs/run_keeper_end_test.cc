// How runs begin in vain, get lost, and end.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "proto/support/error.h"
#include "service/runs/process.h"
#include "service/runs/run_keeper.h"
#include "service/runs/run_keeper_testing.h"

namespace pilothouse::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(RunKeeperTest, ARunThatEndedTakesNoMoreControls) {
  auto link = Begin();
  ReportStatus(*link, 2, v1::RUN_STATUS_STOPPED, 5);
  Ask(EtaControl("late", 0.5));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_RUN_ENDED);
}

TEST_F(RunKeeperTest, ATrainerThatIsKilledFailsItsRunWithTheReasonAndTheEndOfItsLog) {
  place_.trainer_command = {"/bin/sh", "-c", "echo out of luck; exec sleep 600"};
  max_restarts_ = 0;
  keeper_ = nullptr;
  Make(*Journal::Open(place_.journal_path()));
  auto link = Begin();
  // The shell has written its line once the log is there; polled for a minute at most.
  for (int i = 0; i < 60'000 && LastLines(place_.log_path(), 1).empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  keeper_->Kill();
  keeper_->OnDetach(link.get(), now_);
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_NE(keeper_->run().status_message().find("killed by signal 9"), std::string::npos);
  EXPECT_NE(keeper_->run().status_message().find("out of luck"), std::string::npos);
  EXPECT_EQ(Events().back()->status().status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, AnEndOfTheTrainerAfterStoppedIsNoFailure) {
  auto link = Begin();
  ReportStatus(*link, 2, v1::RUN_STATUS_STOPPED, 5);
  keeper_->Kill();
  keeper_->OnDetach(link.get(), now_);
  TickUntil([this] { return keeper_->done(); });
  EXPECT_TRUE(keeper_->done());
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_STOPPED);
}

TEST_F(RunKeeperTest, ASpecThatTheTrainerRefusesIsTheErrorOfTheStart) {
  Launch();
  auto link = Attach(0, false);
  v1::AttachRequest message;
  message.mutable_spec_refused()->set_reason(v1::ERROR_REASON_NET_INVALID);
  message.mutable_spec_refused()->set_field("spec.network.shorthand");
  Deliver(*link, message);
  EXPECT_TRUE(keeper_->refused());
  EXPECT_TRUE(started_.empty()) << "the name must be free first";
  keeper_->TakeRefusal()();
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(ReasonOf(started_[0].status()), v1::ERROR_REASON_NET_INVALID);
}

TEST_F(RunKeeperTest, ATrainerThatDiesBeforeItIsPreparedIsTheErrorOfTheStart) {
  place_.trainer_command = {"/bin/sh", "-c", "echo no such library >&2; exit 127"};
  keeper_ = nullptr;
  Make(*Journal::Open(place_.journal_path()));
  Launch();
  TickUntilEnded();
  keeper_->TakeRefusal()();
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(ReasonOf(started_[0].status()), v1::ERROR_REASON_TRAINER_FAILED);
  EXPECT_NE(started_[0].status().message().find("no such library"), absl::string_view::npos);
}

TEST_F(RunKeeperTest, ATrainerThatNeverSaysHelloIsKilled) {
  Launch();
  now_ += kTrainerPatience + seconds(1);
  TickUntilEnded();
  EXPECT_TRUE(keeper_->refused());
}

TEST_F(RunKeeperTest, ABrokenConnectionMakesTheRunLostOnlyAfterAWhileAndItsReturnIsTold) {
  auto link = Begin();
  keeper_->OnDetach(link.get(), now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_IDLE);
  now_ += kLostAfter + milliseconds(1);
  keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  link = Attach(1, true);
  ASSERT_TRUE(link->sent.at(1).has_query());
  v1::AttachRequest message;
  message.mutable_answer()->set_query_id(link->sent.at(1).query().query_id());
  message.mutable_answer()->mutable_state()->set_status(v1::RUN_STATUS_TRAINING);
  message.mutable_answer()->mutable_state()->set_batch(44);
  Deliver(*link, message);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_TRAINING);
  EXPECT_EQ(Events().back()->batch(), 44);
}

TEST_F(RunKeeperTest, ALostRunWhoseTrainerIsDeadHasFailedWhereNoneIsStartedAgain) {
  max_restarts_ = 0;
  auto link = Begin();
  Restart();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  // No trainer holds the lock. Another look follows soon, since one may be about to take it.
  EXPECT_EQ(keeper_->interval(), kBusyInterval);
  keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, APluginThatEndsTheRunCompletesItThoughNobodyAskedForAStop) {
  auto link = Begin();
  Ask(StopControl("mine"));
  ReportControl(*link, 2, StopControl("plugin-early-stop-1"), 30);
  ReportStatus(*link, 3, v1::RUN_STATUS_STOPPING, 30);
  ReportStatus(*link, 4, v1::RUN_STATUS_COMPLETED, 30);
  EXPECT_TRUE(keeper_->ended());
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_NE(outcomes_[0].status().message().find("(COMPLETED at batch 30)"), absl::string_view::npos);
  EXPECT_TRUE(keeper_->run().has_end_time());
}

TEST_F(RunKeeperTest, ARunThatReturnsIsAskedForItsPluginsToo) {
  auto link = Begin();
  Restart();
  link = Attach(1, true);
  ASSERT_TRUE(link->sent.at(1).query().state().include_plugins());
  v1::AttachRequest message;
  message.mutable_answer()->set_query_id(link->sent.at(1).query().query_id());
  message.mutable_answer()->mutable_state()->set_status(v1::RUN_STATUS_TRAINING);
  message.mutable_answer()->mutable_state()->add_plugins()->mutable_spec()->set_name("a");
  Deliver(*link, message);
  ASSERT_EQ(hub_->Run().plugins_size(), 1);
  EXPECT_EQ(hub_->Run().plugins(0).spec().name(), "a");
}

TEST_F(RunKeeperTest, AnEndThatNobodySawIsReadFromWhatTheTrainerLeftBehind) {
  auto link = Begin();
  Restart();
  LeaveBehind(R"({"status": "COMPLETED", "message": "early-stop: good enough", "batch": 70, "loss": 0.25})");
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_COMPLETED);
  EXPECT_EQ(keeper_->run().status_message(), "early-stop: good enough");
  EXPECT_EQ(keeper_->run().batch(), 70);
  EXPECT_EQ(keeper_->run().loss(), 0.25);
  EXPECT_EQ(hub_->RingAfter(0).events.back()->status().status(), v1::RUN_STATUS_COMPLETED);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, AnEndThatNobodySawAndThatLeftNothingLegibleBehindIsAFailure) {
  max_restarts_ = 0;
  auto link = Begin();
  Restart();
  // Parameters may be a plugin's: they say nothing of the end.
  std::filesystem::create_directory(place_.directory + "/checkpoints");
  std::ofstream(place_.directory + "/checkpoints/batch-000000000010.safetensors") << "parameters";
  LeaveBehind("{\"status\": \"STOP");
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_NE(keeper_->run().status_message().find("nobody saw how"), std::string::npos);
}

TEST_F(RunKeeperTest, AChildThatEndedWithoutAConnectionEndedAsItSaidItself) {
  auto link = Begin();
  LeaveBehind(R"({"status": "STOPPED", "message": "", "batch": 70, "loss": null})");
  keeper_->Kill();
  keeper_->OnDetach(link.get(), now_);
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(keeper_->run().batch(), 70);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, AServiceThatGoesAwayAnswersWhoeverWaits) {
  auto link = Begin();
  Ask(EtaControl("a", 0.5));
  keeper_->Abandon();
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_SERVICE_STOPPING);
  EXPECT_TRUE(link->closed);
}

}  // namespace
}  // namespace pilothouse::service
