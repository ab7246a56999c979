// Controls when there are too many of them, and when the service is leaving.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "proto/support/error.h"
#include "service/server/server.h"
#include "tests/support/async_controls.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kFarAway = int64_t{1} << 50;

TEST(ControlPressure, ControlsThatWaitForABatchFarAwayDoNotKeepOthersOut) {
  constexpr size_t kTooMany = 1100;
  TestService service;
  const std::string run = service.StartXor(kFarAway);
  AsyncControls waiting(service);
  for (size_t i = 0; i < kTooMany; ++i) waiting.SetEta(run, 0.2, AtBatch(kFarAway - 1));
  const auto refused = [](const auto& answer) { return answer.has_value() && !answer->ok(); };
  ASSERT_TRUE(waiting.WaitFor([&](const auto& answers) {
    return std::any_of(answers.begin(), answers.end(), refused);
  })) << "as many wait as may";
  // One by one the others are refused too; meanwhile and afterwards the run is steered as ever.
  const auto eta = service.SetEta(run, 0.05);
  EXPECT_TRUE(eta.ok()) << eta.status();
  v1::TargetChange change;
  change.mutable_pause();
  const auto paused = service.Retarget(run, change);
  EXPECT_TRUE(paused.ok()) << paused.status();
  const auto state = service.State(run);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->run().eta(), 0.05);
  EXPECT_EQ(state->run().idle_reason(), v1::IDLE_REASON_PAUSED);
  const auto stopped = service.Stop(run);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  std::map<std::string, size_t> reasons;
  for (const auto& answer : waiting.WaitForAll()) ++reasons[ReasonName(ReasonOf(answer.status()))];
  EXPECT_GE(reasons["RUN_ENDED"], 1U);
  EXPECT_GE(reasons["TOO_MANY_CONTROLS"], 1U);
  EXPECT_EQ(reasons["RUN_ENDED"] + reasons["TOO_MANY_CONTROLS"], kTooMany);
}

TEST(ControlPressure, WhoeverAsksWhileTheServiceLeavesIsToldThatAndNotThatTheRunHasEnded) {
  TestService service;
  const std::string run = service.StartXor(kFarAway);
  std::atomic<bool> asked = false;
  std::atomic<bool> down = false;
  std::vector<absl::Status> refusals;
  std::thread client([&] {
    while (!down) {
      const absl::Status status = service.SetEta(run, 0.2).status();
      if (!status.ok()) refusals.push_back(status);
      asked = true;
    }
  });
  while (!asked) std::this_thread::yield();
  service.server().Shutdown(/*stop_runs=*/false);
  down = true;
  client.join();
  for (const absl::Status& refusal : refusals) {
    if (ReasonOf(refusal) == v1::ERROR_REASON_SERVICE_STOPPING) continue;
    // The transport's own words: nobody listens any more, or the call came in when the last were let out.
    EXPECT_EQ(ReasonOf(refusal), v1::ERROR_REASON_UNSPECIFIED) << refusal;
    EXPECT_TRUE(absl::IsUnavailable(refusal) || absl::IsCancelled(refusal)) << refusal;
  }
  EXPECT_GT(TestService::TrainerOf(run), 0) << "the run lives";
  service.Restart();
  // Until the trainer is back and what it reported meanwhile is journaled, the answer is to ask again.
  EXPECT_TRUE(Eventually([&] {
    const absl::Status status = service.SetEta(run, 0.1).status();
    EXPECT_TRUE(status.ok() || ReasonOf(status) == v1::ERROR_REASON_TRAINER_UNAVAILABLE) << status;
    return status.ok();
  }));
}

}  // namespace
}  // namespace pilothouse::testing
