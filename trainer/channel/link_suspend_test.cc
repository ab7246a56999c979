// A trainer that is told to end leaves a run that goes on, and nothing is lost of what it had to tell.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>

#include "proto/journal/unrecorded.h"
#include "tests/support/eventually.h"
#include "trainer/channel/link_fixture.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;

bool IsCheckpoint(const v1::Report& report) { return report.event().has_checkpoint(); }

class SuspendedLinkTest : public LinkTest {
 protected:
  std::string KeptPath() const { return directory_ + "/" + kUnrecordedFile; }
  // What the trainer left for a service that was not there. Empty if there is no file.
  v1::Reports Kept() const {
    std::ifstream file(KeptPath(), std::ios::binary);
    if (!file) return {};
    const absl::StatusOr<v1::Reports> kept =
        UnpackUnrecorded(std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
    EXPECT_TRUE(kept.ok()) << kept.status();
    return kept.value_or(v1::Reports());
  }
  // A run that waits at batch 50, without a service.
  void BeLeftAlone() {
    StartTrainer();
    Welcome();
    session_->SendTaken(ReadUntil(IsIdle).back().number());
    BreakStream();
    service_.ShutDown();
  }
};

TEST_F(SuspendedLinkTest, TellsAServiceThatIsThereOfItsLastCheckpointAndEnds) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  host_->Suspend("The trainer was told to end.");
  const v1::Report last = ReadUntil(IsCheckpoint).back();
  EXPECT_EQ(last.event().batch(), 50);
  session_->SendTaken(last.number());
  while (session_->Read().has_value()) {
  }
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSuspended);
  EXPECT_FALSE(std::filesystem::exists(KeptPath()));
}

TEST_F(SuspendedLinkTest, LeavesWhatAServiceDoesNotTake) {
  options_.last_patience = milliseconds(50);
  StartTrainer();
  Welcome();
  const uint64_t taken = ReadUntil(IsIdle).back().number();
  session_->SendTaken(taken);
  host_->Suspend("The trainer was told to end.");
  ReadUntil(IsCheckpoint);
  while (session_->Read().has_value()) {
  }
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSuspended);
  const v1::Reports kept = Kept();
  ASSERT_GT(kept.reports_size(), 0);
  EXPECT_TRUE(IsCheckpoint(*kept.reports().rbegin()));
}

TEST_F(SuspendedLinkTest, EndsAtOnceWhereNoServiceIs) {
  BeLeftAlone();
  host_->Suspend("The trainer was told to end.");
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSuspended);
  const v1::Reports kept = Kept();
  ASSERT_GT(kept.reports_size(), 0);
  EXPECT_EQ(kept.reports().rbegin()->event().checkpoint().batch(), 50);
}

TEST_F(SuspendedLinkTest, EndsAtOnceWhereNothingWasBegun) {
  StartTrainer();
  session_ = service_.Accept();
  host_->Suspend("The trainer was told to end.");
  while (session_->Read().has_value()) {
  }
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSuspended);
  EXPECT_EQ(builds_, 0);
}

TEST_F(SuspendedLinkTest, LeavesARunThatNoServiceComesBackFor) {
  options_.orphan_timeout = milliseconds(50);
  StartTrainer();
  Welcome();
  ASSERT_TRUE(Read().has_prepared());
  BreakStream();
  service_.ShutDown();
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSuspended);
  const v1::Reports kept = Kept();
  ASSERT_GT(kept.reports_size(), 0);
  EXPECT_TRUE(IsCheckpoint(*kept.reports().rbegin()));
}

TEST_F(SuspendedLinkTest, LeavesTheLastReportsOfARunThatHasEnded) {
  options_.last_patience = milliseconds(50);
  StartTrainer();
  Welcome();
  SendStop();
  ReadUntil(IsStopped);
  BreakStream();
  service_.ShutDown();
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
  EXPECT_TRUE(IsStopped(*Kept().reports().rbegin()));
}

TEST_F(SuspendedLinkTest, KeepsWhatItHasToTellFromEachCheckpointOnUntilAServiceIsThere) {
  // It trains on once the service is gone.
  std::promise<void> alone;
  StartTrainer([&](const v1::Welcome& welcome) {
    absl::StatusOr<BuiltRun> run = Build(welcome);
    run->loop.knobs.checkpoint_every = 10;
    // One that is due while others are being written is left out; where the run waits, it is made all the same.
    run->loop.knobs.checkpoint_interval = 0.01;
    static_cast<FakeLearner&>(*run->learner).on_step = [&](int64_t batch) {
      if (batch == 25) alone.get_future().wait();
    };
    return run;
  });
  Welcome();
  const uint64_t taken = ReadUntil([](const v1::Report&) { return true; }).back().number();
  session_->SendTaken(taken);
  BreakStream();
  service_.ShutDown();
  alone.set_value();
  // The file is written anew after each checkpoint.
  ASSERT_TRUE(pilothouse::testing::Eventually([&] {
    const v1::Reports kept = Kept();
    return std::any_of(kept.reports().begin(), kept.reports().end(),
                       [](const v1::Report& report) { return report.event().checkpoint().batch() == 50; });
  }));
  service_.Start();
  Welcome(taken);
  ReadUntil([](const v1::Report& report) { return report.event().checkpoint().batch() == 50; });
  EXPECT_FALSE(std::filesystem::exists(KeptPath()));
  StopTrainer();
}

}  // namespace
}  // namespace pilothouse::trainer
