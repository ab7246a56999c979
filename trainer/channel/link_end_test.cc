// How a trainer ends: refused, stopped, or without a service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "proto/support/error.h"
#include "trainer/channel/link_fixture.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;

TEST_F(LinkTest, TellsWhyTheRunCannotBeBuiltAndEnds) {
  StartTrainer([](const v1::Welcome&) {
    return MakeError(v1::ERROR_REASON_NET_INVALID, "spec.network.shorthand", "Character 3 is no width.");
  });
  Welcome();
  const v1::AttachRequest refused = Read();
  ASSERT_TRUE(refused.has_spec_refused());
  EXPECT_EQ(refused.spec_refused().reason(), v1::ERROR_REASON_NET_INVALID);
  EXPECT_EQ(refused.spec_refused().field(), "spec.network.shorthand");
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSpecRefused);
}

TEST_F(LinkTest, EndsAfterARefusalEvenIfTheServiceDoesNotHangUp) {
  options_.refusal_patience = milliseconds(100);
  StartTrainer([](const v1::Welcome&) { return MakeError(v1::ERROR_REASON_NET_INVALID, "", "No."); });
  Welcome();
  EXPECT_TRUE(Read().has_spec_refused());
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSpecRefused);
  session_->End(grpc::Status::OK);
}

TEST_F(LinkTest, TellsOfARunThatHasEndedWhichItIs) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  SendStop();
  SendControl("late", [](v1::Change& change) { change.mutable_target()->set_more(1); });
  // The two come on their own ways, in any order. A trainer that has not ended yet would attach once more.
  std::optional<v1::Error> refusal;
  bool stopped = false;
  while (!refusal.has_value() || !stopped) {
    const std::optional<v1::AttachRequest> request = session_->Read();
    ASSERT_TRUE(request.has_value());
    if (request->has_control_refused()) refusal = request->control_refused().error();
    const auto& reports = request->reports().reports();
    stopped = stopped || std::any_of(reports.begin(), reports.end(), IsStopped);
  }
  EXPECT_EQ(refusal->reason(), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_EQ(refusal->metadata().at("run_id"), "my-run");
  session_->End(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "This run has ended."));
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

TEST_F(LinkTest, GoesOnAfterAStopThatCannotSave) {
  can_save_ = false;
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  SendStop();
  std::optional<v1::AttachRequest> refused = session_->Read();
  while (refused.has_value() && !refused->has_control_refused()) refused = session_->Read();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->control_refused().error().reason(), v1::ERROR_REASON_SAVE_FAILED);
  SendControl("on", [](v1::Change& change) { change.mutable_target()->set_more(10); });
  EXPECT_EQ(ReadUntil(IsControl).back().event().control().value(), 60);
  std::filesystem::remove(directory_ + "/" + kCheckpointFolder);
  StopTrainer();
}

TEST_F(LinkTest, SavesTheParametersWhenStoppedAndEndsWhenTheLastReportWasTaken) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  StopTrainer();
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/checkpoints/batch-000000000050.safetensors"));
}

TEST_F(LinkTest, AttachesOnceMoreToGetRidOfItsLastReports) {
  StartTrainer();
  Welcome();
  SendStop();
  const uint64_t last = ReadUntil(IsStopped).back().number();
  BreakStream();
  EXPECT_EQ(Welcome(/*reports_taken=*/last - 1).last_report(), last);
  EXPECT_TRUE(IsStopped(ReadUntil(IsStopped).front()));
  session_->SendTaken(last);
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

TEST_F(LinkTest, EndsWhenTheServiceNoLongerExpectsAStoppedTrainer) {
  StartTrainer();
  Welcome();
  SendStop();
  ReadUntil(IsStopped);
  BreakStream();
  session_ = service_.Accept();
  session_->End(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "This run has ended."));
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

TEST_F(LinkTest, EndsWhenTheServiceIsAwayAndTheRunsDirectoryWasRemoved) {
  std::filesystem::create_directories(directory_);
  StartTrainer([this](const v1::Welcome& welcome) {
    absl::StatusOr<BuiltRun> run = Build(welcome);
    run->lock = *RunLock::Acquire(directory_);
    return run;
  });
  Welcome();
  ReadUntil(IsIdle);
  std::filesystem::remove_all(directory_);
  BreakStream();
  EXPECT_EQ(WaitForEnd(), LinkEnd::kRemoved);
}

TEST_F(LinkTest, GivesUpWhenThereIsNoServiceOrItDoesNotKnowTheTrainer) {
  StartTrainer();
  service_.Accept()->End(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "Who are you?"));
  EXPECT_EQ(WaitForEnd(), LinkEnd::kNoService);
  service_.ShutDown();
  options_.first_patience = milliseconds(50);
  StartTrainer();
  EXPECT_EQ(WaitForEnd(), LinkEnd::kNoService);
  EXPECT_EQ(builds_, 0);
}

}  // namespace
}  // namespace pilothouse::trainer
