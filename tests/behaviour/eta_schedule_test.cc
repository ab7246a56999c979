// Runs whose eta follows a schedule. An epoch of the XOR patterns is one batch.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

class EtaSchedule : public ::testing::Test {
 protected:
  // Eta is 0.1 at first. Trained to `target`.
  std::string Start(const std::string& schedule, int64_t target) {
    auto spec = service_.XorSpec();
    spec.set_eta_schedule(schedule);
    spec.mutable_report()->set_loss_every(1);
    const auto run = service_.Start(spec, target);
    EXPECT_TRUE(run.ok()) << run.status();
    if (!run.ok()) return "";
    EXPECT_TRUE(Watcher(service_.stub(), FromTheStart(run->run_id())).WaitForIdle(target));
    return run->run_id();
  }
  void TrainTo(const std::string& run, int64_t batch) {
    ASSERT_TRUE(service_.BatchTo(run, batch).ok());
    ASSERT_TRUE(Watcher(service_.stub(), FromTheStart(run)).WaitForIdle(batch));
  }
  void ExpectEta(const std::string& run, double eta, bool follows) {
    const auto state = service_.State(run);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->run().eta(), eta);
    EXPECT_EQ(state->run().eta_follows_schedule(), follows);
    EXPECT_EQ(state->run().knobs(0).value(), eta);
    EXPECT_EQ(state->run().knobs(0).follows_schedule(), follows);
  }
  absl::StatusOr<v1::Receipt> Follow(const std::string& run, const v1::ControlOptions& options) {
    v1::SetEtaRequest request;
    request.set_run_id(run);
    request.set_follow_schedule(true);
    *request.mutable_options() = options;
    v1::SetEtaResponse response;
    grpc::ClientContext context;
    const grpc::Status status = service_.stub().SetEta(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response.receipt();
  }
  absl::StatusOr<std::string> TryFork(const v1::ForkRequest& request) {
    v1::ForkResponse response;
    grpc::ClientContext context;
    const grpc::Status status = service_.stub().Fork(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response.run().run_id();
  }
  std::string Fork(const v1::ForkRequest& request) {
    const absl::StatusOr<std::string> run = TryFork(request);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.value_or("");
  }
  bool Rewind(const std::string& run, int64_t batch) {
    v1::RewindRequest request;
    request.set_run_id(run);
    request.set_batch(batch);
    v1::RewindResponse response;
    grpc::ClientContext context;
    return service_.stub().Rewind(&context, request, &response).ok();
  }

  TestService service_;
};

TEST_F(EtaSchedule, WhatCannotBeReadIsRefusedAndTheEntryNamed) {
  auto spec = service_.XorSpec();
  spec.set_eta_schedule("50,0.01;70,0");
  const auto refused = service_.Start(spec);
  const v1::Error error = ToError(refused.status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_ETA_SCHEDULE_INVALID);
  EXPECT_EQ(error.field(), "spec.eta_schedule");
  EXPECT_TRUE(absl::StrContains(error.message(), "Entry 2")) << error.message();
}

TEST_F(EtaSchedule, EtaIsThatOfTheNextBatchAndIsReportedWithEachLoss) {
  const std::string run = Start("20,0.05;40,0.02", 20);
  ExpectEta(run, 0.05, /*follows=*/true);
  TrainTo(run, 45);
  ExpectEta(run, 0.02, /*follows=*/true);
  EXPECT_EQ(service_.List()->runs(0).eta(), 0.02);
  v1::WatchTrainingRequest request = FromTheStart(run);
  request.mutable_min_interval();
  Watcher watcher(service_.stub(), request);
  ASSERT_TRUE(watcher.WaitForIdle(45));
  EXPECT_EQ(watcher.losses().size(), 45U);
  for (const v1::Event& event : watcher.losses()) {
    EXPECT_EQ(event.loss().eta(), event.batch() < 20 ? 0.1 : event.batch() < 40 ? 0.05 : 0.02) << event.batch();
  }
}

TEST_F(EtaSchedule, AnEtaThatIsSetStaysUntilTheScheduleIsFollowedAgain) {
  const std::string run = Start("20,0.05;40,0.02", 10);
  ASSERT_TRUE(service_.SetEta(run, 0.3).ok());
  ExpectEta(run, 0.3, /*follows=*/false);
  TrainTo(run, 45);
  ExpectEta(run, 0.3, /*follows=*/false);
  service_.Restart();
  ExpectEta(run, 0.3, /*follows=*/false);
  absl::StatusOr<v1::Receipt> receipt = absl::UnknownError("");
  // Until the trainer is back, the answer is to ask again.
  ASSERT_TRUE(Eventually([&] { return (receipt = Follow(run, WithRequestId("again"))).ok(); })) << receipt.status();
  EXPECT_EQ(receipt->value(), 0.02);
  EXPECT_EQ(receipt->applied_batch(), 45);
  EXPECT_EQ(Follow(run, WithRequestId("again"))->SerializeAsString(), receipt->SerializeAsString());
  EXPECT_EQ(ReasonOf(service_.SetEta(run, 0.02, WithRequestId("again")).status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
  ExpectEta(run, 0.02, /*follows=*/true);
}

TEST_F(EtaSchedule, AForkFollowsWhereItsParentDoesOrAScheduleOfItsOwn) {
  const std::string parent = Start("20,0.05;40,0.02", 30);
  v1::ForkRequest request;
  request.set_run_id(parent);
  request.set_batch(25);
  ExpectEta(Fork(request), 0.05, /*follows=*/true);
  request.set_eta_schedule("22,0.7");
  ExpectEta(Fork(request), 0.7, /*follows=*/true);
  v1::KnobChange& eta = *request.add_knobs();
  eta.set_name("eta");
  eta.set_value(0.4);
  request.set_eta_schedule("35,0.7");
  const std::string own = Fork(request);
  ExpectEta(own, 0.4, /*follows=*/true);
  TrainTo(own, 35);
  ExpectEta(own, 0.7, /*follows=*/true);
  request.clear_eta_schedule();
  ExpectEta(Fork(request), 0.4, /*follows=*/false);
}

// Also where it is taken back to its first batch, comes back after a crash, or is forked again.
TEST_F(EtaSchedule, AForkOfARunWithoutOneGoesBackToTheEtaItWasGiven) {
  v1::ForkRequest request;
  request.set_run_id(Start("", 30));
  request.set_batch(25);
  request.set_target(35);
  v1::KnobChange& eta = *request.add_knobs();
  eta.set_name("eta");
  eta.set_value(0.4);
  const std::string fork = Fork(request);
  ExpectEta(fork, 0.4, /*follows=*/false);
  ASSERT_TRUE(Watcher(service_.stub(), FromTheStart(fork)).WaitForIdle(35));
  ASSERT_TRUE(service_.SetEta(fork, 0.3).ok());
  ASSERT_TRUE(Rewind(fork, 25));
  ExpectEta(fork, 0.4, /*follows=*/false);
  service_.Restart();
  ExpectEta(fork, 0.4, /*follows=*/false);
  absl::StatusOr<v1::Receipt> receipt = absl::UnknownError("");
  ASSERT_TRUE(Eventually([&] { return (receipt = Follow(fork, WithRequestId("follow"))).ok(); })) << receipt.status();
  EXPECT_EQ(receipt->value(), 0.4);
  request.set_run_id(fork);
  request.clear_target();
  request.clear_knobs();
  ExpectEta(Fork(request), 0.4, /*follows=*/true);
}

TEST_F(EtaSchedule, AForkIsRefusedByTheNamesItsRequestHas) {
  v1::ForkRequest request;
  request.set_run_id(Start("", 10));
  request.set_eta_schedule("cosine");
  v1::Error error = ToError(TryFork(request).status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_ETA_SCHEDULE_INVALID);
  EXPECT_EQ(error.field(), "eta_schedule");
  request.set_eta_schedule("50,0.01");
  v1::KnobChange& eta = *request.add_knobs();
  eta.set_name("eta");
  eta.set_value(-1);
  error = ToError(TryFork(request).status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_ETA_INVALID);
  EXPECT_EQ(error.field(), "knobs[0].value");
}

TEST_F(EtaSchedule, ARunThatIsTakenBackIsAtTheEtaOfThen) {
  const std::string run = Start("20,0.05;40,0.02", 30);
  ASSERT_TRUE(service_.SetEta(run, 0.3).ok());
  TrainTo(run, 45);
  ASSERT_TRUE(Rewind(run, 15));
  ExpectEta(run, 0.1, /*follows=*/true);
  TrainTo(run, 50);
  ExpectEta(run, 0.02, /*follows=*/true);
}

}  // namespace
}  // namespace pilothouse::testing
