// Test support: one run of a service that can be killed, which trains on and on.
#ifndef PILOTHOUSE_TESTS_FAULT_LONE_RUN_H_
#define PILOTHOUSE_TESTS_FAULT_LONE_RUN_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "tests/support/killable_service.h"

namespace pilothouse::testing {

inline constexpr int64_t kFarAway = int64_t{1} << 50;

// To a target that is far away, with a checkpoint every 100,000 batches. Where its data are is left to be said.
inline v1::StartRunRequest LongXorRun() {
  v1::StartRunRequest request;
  v1::RunSpec& spec = *request.mutable_spec();
  spec.mutable_network()->set_shorthand("2x2tx1t");
  spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
  spec.set_full_batch(true);
  spec.mutable_checkpoints()->set_every(100'000);
  request.set_target(kFarAway);
  return request;
}

class LoneRunTest : public ::testing::Test {
 protected:
  LoneRunTest() : service_({PILOTHOUSED, PILOTHOUSE_TRAINER}) {}

  v1::Run State() {
    v1::GetStateRequest request;
    request.set_run_id(run_);
    v1::GetStateResponse response;
    grpc::ClientContext context;
    return service_.stub()->GetState(&context, request, &response).ok() ? response.run() : v1::Run();
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

}  // namespace pilothouse::testing

#endif  // PILOTHOUSE_TESTS_FAULT_LONE_RUN_H_
