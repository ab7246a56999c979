// The data of a run are gone when its trainer has to be started again: the run waits for them, or is stopped.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "tests/support/eventually.h"
#include "tests/support/killable_service.h"
#include "tests/support/test_service.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kFarAway = int64_t{1} << 50;

class DataGone : public ::testing::Test {
 protected:
  DataGone() : service_({PILOTHOUSED, PILOTHOUSE_TRAINER}) {}

  // A run that trains on and on, on a file of the service's.
  void Train() {
    ASSERT_NO_FATAL_FAILURE(service_.Start());
    Write(kXorTable);
    v1::StartRunRequest request;
    v1::RunSpec& spec = *request.mutable_spec();
    spec.mutable_network()->set_shorthand("2x2tx1t");
    spec.mutable_data()->set_file("xor.csv");
    spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
    spec.set_full_batch(true);
    spec.mutable_checkpoints()->set_every(100'000);
    request.set_target(kFarAway);
    run_ = service_.StartRun(request);
  }
  std::string Path() const { return service_.directory() + "/files/xor.csv"; }
  void Write(const std::string& table) { std::ofstream(Path()) << table; }
  void KillTrainer() {
    const pid_t trainer = TestService::TrainerOf(run_);
    ASSERT_GT(trainer, 0);
    ASSERT_EQ(kill(trainer, SIGKILL), 0);
  }
  v1::Run State() {
    v1::GetStateRequest request;
    request.set_run_id(run_);
    v1::GetStateResponse response;
    grpc::ClientContext context;
    return service_.stub()->GetState(&context, request, &response).ok() ? response.run() : v1::Run();
  }
  void ExpectToWaitBecause(const std::string& why) {
    ASSERT_TRUE(Eventually([&] {
      const v1::Run run = State();
      return run.status() == v1::RUN_STATUS_LOST && absl::StrContains(run.status_message(), why);
    })) << State().DebugString();
  }
  void StopIt() {
    v1::StopRequest stop;
    stop.set_run_id(run_);
    v1::StopResponse response;
    grpc::ClientContext context;
    const grpc::Status status = service_.stub()->Stop(&context, stop, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(State().status(), v1::RUN_STATUS_STOPPED);
    EXPECT_EQ(State().batch(), response.final_batch());
  }
  void ExpectToReplay() {
    const absl::StatusOr<std::string> replay = service_.Replay(service_.RunDirectory(run_));
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_TRUE(absl::StrContains(*replay, "identical through batch")) << *replay;
  }

  KillableService service_;
  std::string run_;
};

TEST_F(DataGone, TheRunGoesOnWhenTheyAreThereAgain) {
  ASSERT_NO_FATAL_FAILURE(Train());
  std::filesystem::remove(Path());
  ASSERT_NO_FATAL_FAILURE(KillTrainer());
  ASSERT_NO_FATAL_FAILURE(ExpectToWaitBecause("There is no file \"xor.csv\""));
  const int64_t batch = State().batch();
  Write(absl::StrCat(kXorTable, "1,1,0.5\n"));
  ASSERT_NO_FATAL_FAILURE(ExpectToWaitBecause("not those the run was started with"));
  Write(kXorTable);
  ASSERT_TRUE(Eventually([&] { return State().status() == v1::RUN_STATUS_TRAINING && State().batch() > batch; }))
      << State().DebugString();
  ASSERT_NO_FATAL_FAILURE(StopIt());
  ExpectToReplay();
}

TEST_F(DataGone, ARunThatWaitsForThemCanBeStopped) {
  ASSERT_NO_FATAL_FAILURE(Train());
  std::filesystem::remove(Path());
  ASSERT_NO_FATAL_FAILURE(KillTrainer());
  ASSERT_NO_FATAL_FAILURE(ExpectToWaitBecause("a stop ends it"));
  ASSERT_NO_FATAL_FAILURE(StopIt());
  Write(kXorTable);
  ExpectToReplay();
}

}  // namespace
}  // namespace pilothouse::testing
