// A trainer that dies, or is told to end, while no service is there: what it had to report is not lost.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pilothouse/v1/training_control.pb.h"
#include "proto/journal/unrecorded.h"
#include "tests/fault/lone_run.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

class LeftAlone : public LoneRunTest {
 protected:
  // A run that trains on and on and makes checkpoints, with the service killed.
  void BeLeftAlone() {
    ASSERT_NO_FATAL_FAILURE(service_.Start());
    v1::StartRunRequest request = LongXorRun();
    request.mutable_spec()->mutable_data()->set_dataset_id(service_.Upload(kXorTable));
    run_ = service_.StartRun(request);
    trainer_ = TestService::TrainerOf(run_);
    ASSERT_GT(trainer_, 0);
    service_.Kill();
  }
  std::string KeptPath() const { return service_.RunDirectory(run_) + "/" + kUnrecordedFile; }
  // The batch of the newest checkpoint that no service was told of; −1: none.
  int64_t NewestKept() const {
    std::ifstream file(KeptPath(), std::ios::binary);
    if (!file) return -1;
    const absl::StatusOr<v1::Reports> kept =
        UnpackUnrecorded(std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
    EXPECT_TRUE(kept.ok()) << kept.status();
    if (!kept.ok()) return -1;
    int64_t newest = -1;
    for (const v1::Report& report : kept->reports()) {
      if (report.event().has_checkpoint()) newest = report.event().checkpoint().batch();
    }
    return newest;
  }
  void EndTrainer(int signal) {
    ASSERT_EQ(kill(trainer_, signal), 0);
    ASSERT_TRUE(Eventually([&] { return TestService::TrainerOf(run_) == 0; }));
  }
  // Another service finds the run, which trains on from that checkpoint; then it is stopped.
  void ExpectToGoOnFrom(int64_t checkpoint) {
    ASSERT_NO_FATAL_FAILURE(service_.Start());
    ASSERT_TRUE(Eventually([&] {
      const v1::Run run = State();
      return run.status() == v1::RUN_STATUS_TRAINING &&
             absl::StrContains(run.status_message(), absl::StrCat("from the checkpoint of batch ", checkpoint, "."));
    })) << State().DebugString();
    EXPECT_FALSE(std::filesystem::exists(KeptPath()));
    ASSERT_NO_FATAL_FAILURE(StopIt());
    ExpectToReplay();
  }

  pid_t trainer_ = 0;
};

TEST_F(LeftAlone, ATrainerThatIsKilledTooHasLeftItsNewestCheckpointToGoOnFrom) {
  ASSERT_NO_FATAL_FAILURE(BeLeftAlone());
  ASSERT_TRUE(Eventually([&] { return NewestKept() > 0; }));
  ASSERT_NO_FATAL_FAILURE(EndTrainer(SIGKILL));
  ASSERT_NO_FATAL_FAILURE(ExpectToGoOnFrom(NewestKept()));
}

TEST_F(LeftAlone, ATrainerThatIsToldToEndLeavesACheckpointOfWhereItIs) {
  ASSERT_NO_FATAL_FAILURE(BeLeftAlone());
  ASSERT_NO_FATAL_FAILURE(EndTrainer(SIGTERM));
  EXPECT_NE(NewestKept() % 100'000, 0) << "it is made where the run is, not where one is due";
  ASSERT_NO_FATAL_FAILURE(ExpectToGoOnFrom(NewestKept()));
  // How it ended, it could tell nobody but the file that it held locked.
  Watcher watcher(*service_.stub(), FromTheStart(run_));
  EXPECT_TRUE(watcher.WaitForEvent(
      [](const v1::Event& event) { return absl::StrContains(event.status().message(), "ended, as it was told to"); }));
}

}  // namespace
}  // namespace pilothouse::testing
