// kill -9 of the service while a run trains and is steered.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "tests/support/killable_service.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int kRounds = 3;
constexpr int kControlsPerRound = 5;
constexpr int64_t kFarAway = int64_t{1} << 50;

std::string StartXor(KillableService& service) {
  v1::StartRunRequest request;
  v1::RunSpec& spec = *request.mutable_spec();
  spec.mutable_network()->set_shorthand("2x2tx1t");
  spec.mutable_data()->set_dataset_id(service.Upload(kXorTable));
  spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
  spec.set_full_batch(true);
  request.set_target(kFarAway);
  return service.StartRun(request);
}

// One SetEta, asked with the same request_id until it is answered.
std::optional<v1::Receipt> SetEta(KillableService& service, const std::string& run, const std::string& request_id) {
  v1::SetEtaRequest request;
  request.set_run_id(run);
  request.set_eta(0.1);
  request.mutable_options()->set_request_id(request_id);
  v1::SetEtaResponse response;
  const bool answered = KillableService::Retry([&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return service.stub()->SetEta(&context, request, &response).ok();
  });
  if (!answered) return std::nullopt;
  return response.receipt();
}

TEST(ServiceKilled, EveryAcknowledgedControlIsThereOnceAndTheCurveHasNoHolesAndNoRepeats) {
  KillableService service({PILOTHOUSED, PILOTHOUSE_TRAINER});
  ASSERT_NO_FATAL_FAILURE(service.Start());
  const std::string run = StartXor(service);
  std::map<std::string, uint64_t> acknowledged;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kControlsPerRound; ++i) {
      const std::string request_id = absl::StrCat("eta-", round, "-", i);
      const auto receipt = SetEta(service, run, request_id);
      ASSERT_TRUE(receipt.has_value()) << request_id;
      acknowledged[request_id] = receipt->control_id();
    }
    service.Kill();
    ASSERT_NO_FATAL_FAILURE(service.Start());
  }
  v1::StopRequest stop;
  stop.set_run_id(run);
  stop.mutable_options()->set_request_id("stop");
  ASSERT_TRUE(KillableService::Retry([&] {
    grpc::ClientContext context;
    v1::StopResponse response;
    return service.stub()->Stop(&context, stop, &response).ok();
  }));

  Watcher watcher(*service.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForEnd().ok());
  std::map<std::string, uint64_t> journaled;
  uint64_t sequence = 0;
  int64_t batch = 0;
  for (const v1::Event& event : watcher.events()) {
    EXPECT_EQ(event.sequence(), ++sequence);
    EXPECT_GE(event.batch(), event.has_status() ? 0 : batch) << "sequence " << sequence;
    if (!event.has_status()) batch = event.batch();
    if (!event.has_control() || event.control().change().has_stop()) continue;
    EXPECT_TRUE(journaled.emplace(event.control().request_id(), event.sequence()).second) << "twice";
  }
  EXPECT_EQ(journaled, acknowledged);
  EXPECT_EQ(watcher.events().back().status().status(), v1::RUN_STATUS_STOPPED);
}

}  // namespace
}  // namespace pilothouse::testing
