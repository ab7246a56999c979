// What controls do, and what they are answered.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/testing/child_process.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"
#include "tests/support/async_controls.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kFarAway = int64_t{1} << 50;

class Steering : public ::testing::Test {
 protected:
  // Loss of one batch, out of a run that reports each.
  static double LossAt(const Watcher& watcher, int64_t batch) {
    for (const auto& event : watcher.losses()) {
      if (event.batch() == batch) return event.loss().value();
    }
    return std::nan("");
  }
  // Everything that happens in a run from its beginning, with every loss.
  static v1::WatchTrainingRequest Everything(const std::string& run_id) {
    v1::WatchTrainingRequest request = FromTheStart(run_id);
    request.mutable_min_interval();
    return request;
  }
  static std::vector<double> XorInputs() { return {-0.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0.5, -0.5}; }

  TestService service_;
};

TEST_F(Steering, TheXorNetworkGivesTheKnownLossesToNineDigits) {
  auto spec = service_.XorSpec();
  spec.mutable_report()->set_loss_every(1);
  const auto run = service_.Start(spec, 51);
  ASSERT_TRUE(run.ok()) << run.status();
  Watcher watcher(service_.stub(), Everything(run->run_id()));
  ASSERT_TRUE(watcher.WaitForIdle(51));
  EXPECT_NEAR(LossAt(watcher, 1), 0.545515713358, 1e-9);
  EXPECT_NEAR(LossAt(watcher, 2), 0.540930747879, 1e-9);
  EXPECT_NEAR(LossAt(watcher, 50), 0.140791682357, 1e-9);
  EXPECT_NEAR(LossAt(watcher, 51), 0.140276354469, 1e-9);
  ASSERT_TRUE(service_.BatchTo(run->run_id(), 5000).ok());
  ASSERT_TRUE(watcher.WaitForIdle(5000));
  EXPECT_LT(service_.State(run->run_id())->run().loss(), 1e-20);
}

TEST_F(Steering, ATargetBelowTheCurrentBatchPausesThereAndReportsTheLossThere) {
  const std::string run = service_.StartXor();
  AsyncControls controls(service_);
  const auto back = controls.BatchToAhead(run, 10, AtBatch(198, "back"));
  ASSERT_TRUE(back.has_value());
  ASSERT_TRUE(service_.BatchTo(run, 1000).ok());
  const auto receipt = controls.Wait(*back);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->applied_batch(), 198);
  EXPECT_EQ(receipt->value(), 10);
  Watcher watcher(service_.stub(), Everything(run));
  const auto status =
      watcher.WaitForEvent([](const auto& event) { return event.status().idle_reason() == v1::IDLE_REASON_PAUSED; });
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->batch(), 198);
  const auto state = service_.State(run);
  EXPECT_EQ(state->run().batch(), 198);
  EXPECT_EQ(state->run().target(), 10);
  EXPECT_EQ(state->run().status(), v1::RUN_STATUS_IDLE);
  EXPECT_EQ(LossAt(watcher, 198), state->run().loss());
  EXPECT_EQ(watcher.losses().back().batch(), 198);
}

TEST_F(Steering, ATargetBelowTheBatchOfARunThatTrainsFreelyPausesItWhereverItIs) {
  const std::string run = service_.StartXor(kFarAway);
  Watcher watcher(service_.stub(), Everything(run));
  ASSERT_TRUE(watcher.WaitForEvent([](const auto& event) { return event.batch() >= 10; }).has_value());
  const auto receipt = service_.BatchTo(run, 5);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_GE(receipt->applied_batch(), 10);
  ASSERT_TRUE(watcher.WaitForIdle(receipt->applied_batch()));
  EXPECT_EQ(service_.State(run)->run().batch(), receipt->applied_batch());
  EXPECT_FALSE(std::isnan(LossAt(watcher, receipt->applied_batch())));
}

TEST_F(Steering, ATargetEqualToTheBatchIsAcknowledgedAndTakesNoStep) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  const auto receipt = service_.BatchTo(run, 50);
  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(receipt->applied_batch(), 50);
  EXPECT_EQ(receipt->value(), 50);
  EXPECT_EQ(service_.State(run)->run().batch(), 50);
}

TEST_F(Steering, AFurtherTargetContinuesARunThatHadReachedItsTarget) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  ASSERT_TRUE(service_.BatchTo(run, 100).ok());
  ASSERT_TRUE(watcher.WaitForIdle(100));
  EXPECT_EQ(service_.State(run)->run().batch(), 100);
}

TEST_F(Steering, TwoTargetsSetAtOneBatchAreOneRunToTheLast) {
  const std::string run = service_.StartXor();
  AsyncControls controls(service_);
  const auto first = controls.BatchToAhead(run, 50, AtBatch(1, "first"));
  const auto second = controls.BatchToAhead(run, 100, AtBatch(1, "second"));
  ASSERT_TRUE(first.has_value() && second.has_value());
  ASSERT_TRUE(service_.BatchTo(run, 1).ok());
  for (const auto& receipt : {controls.Wait(*first), controls.Wait(*second)}) {
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    EXPECT_EQ(receipt->applied_batch(), 1);
  }
  Watcher watcher(service_.stub(), Everything(run));
  ASSERT_TRUE(watcher.WaitForIdle(100));
  std::vector<int64_t> idle_at;
  std::vector<int64_t> targets_reached;
  for (const auto& event : watcher.events()) {
    if (event.status().status() == v1::RUN_STATUS_IDLE) idle_at.push_back(event.batch());
    if (event.loss().at_target() && event.batch() > 1) targets_reached.push_back(event.batch());
  }
  EXPECT_EQ(idle_at, (std::vector<int64_t>{0, 100}));
  EXPECT_EQ(targets_reached, (std::vector<int64_t>{100}));
}

TEST_F(Steering, ATargetBetweenTwoBatchesIsAUsageErrorAndTheRunIsUntouched) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  const uint64_t before = service_.State(run)->run().last_sequence();
  // The wire has whole numbers only, so it is the client that must not round.
  client::ChildProcess pilot({PILOT_BINARY, "batch-to", run, "50.5"},
                             {absl::StrCat("PILOTHOUSE_ADDRESS=", service_.server().address())});
  EXPECT_EQ(pilot.Wait(), client::kExitUsage) << pilot.output();
  EXPECT_TRUE(absl::StrContains(pilot.errors(), "50.5")) << pilot.errors();
  const auto after = service_.State(run);
  EXPECT_EQ(after->run().last_sequence(), before);
  EXPECT_EQ(after->run().target(), 50);
  client::ChildProcess further({PILOT_BINARY, "batch-to", run, "51"},
                               {absl::StrCat("PILOTHOUSE_ADDRESS=", service_.server().address())});
  EXPECT_EQ(further.Wait(), 0) << further.errors();
  EXPECT_TRUE(watcher.WaitForIdle(51));
}

TEST_F(Steering, PauseStopsWhereTheRunIsAndResumeGoesOnToTheFormerTarget) {
  const std::string run = service_.StartXor(kFarAway);
  v1::TargetChange change;
  change.mutable_pause();
  const auto paused = service_.Retarget(run, change);
  ASSERT_TRUE(paused.ok()) << paused.status();
  EXPECT_EQ(paused->value(), static_cast<double>(paused->applied_batch()));
  const auto state = service_.State(run);
  EXPECT_EQ(state->run().status(), v1::RUN_STATUS_IDLE);
  EXPECT_EQ(state->run().idle_reason(), v1::IDLE_REASON_PAUSED);
  EXPECT_EQ(state->run().resume_target(), kFarAway);
  change.mutable_resume();
  const auto resumed = service_.Retarget(run, change);
  ASSERT_TRUE(resumed.ok());
  EXPECT_EQ(resumed->value(), static_cast<double>(kFarAway));
  EXPECT_EQ(service_.State(run)->run().status(), v1::RUN_STATUS_TRAINING);
}

TEST_F(Steering, MoreCountsFromTheBatchAtWhichItTakesEffect) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  v1::TargetChange change;
  change.set_more(30);
  const auto receipt = service_.Retarget(run, change);
  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(receipt->value(), 80);
  EXPECT_TRUE(watcher.WaitForIdle(80));
}

TEST_F(Steering, AControlForABatchTakesEffectExactlyThere) {
  auto spec = service_.XorSpec();
  spec.mutable_report()->set_loss_every(1);
  const auto run = service_.Start(spec);
  ASSERT_TRUE(run.ok());
  const std::string& id = run->run_id();
  AsyncControls controls(service_);
  const auto eta = controls.SetEtaAhead(id, 0.01, AtBatch(40, "flatter"));
  ASSERT_TRUE(eta.has_value());
  EXPECT_EQ(service_.State(id)->run().eta(), 0.1) << "it waits";
  // Batch 40 is passed at full speed.
  ASSERT_TRUE(service_.BatchTo(id, 42).ok());
  const auto receipt = controls.Wait(*eta);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->applied_batch(), 40);
  Watcher watcher(service_.stub(), Everything(id));
  ASSERT_TRUE(watcher.WaitForIdle(42));
  // The loss of batch 41 still belongs to updates with eta 0.1; from there on the curve is flatter.
  const double before = LossAt(watcher, 40) - LossAt(watcher, 41);
  const double after = LossAt(watcher, 41) - LossAt(watcher, 42);
  EXPECT_NEAR(after / before, 0.1, 0.02);
}

TEST_F(Steering, AControlForABatchThatHasPassedIsRefused) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  const auto receipt = service_.SetEta(run, 0.01, AtBatch(49));
  EXPECT_EQ(ReasonOf(receipt.status()), v1::ERROR_REASON_BATCH_ALREADY_PASSED);
  EXPECT_EQ(service_.State(run)->run().eta(), 0.1);
}

TEST_F(Steering, TheSameRequestIdIsTheSameReceiptAndOneChangeOnly) {
  const std::string run = service_.StartXor();
  const auto first = service_.SetEta(run, 0.3, WithRequestId("once"));
  ASSERT_TRUE(service_.SetEta(run, 0.4).ok());
  const auto again = service_.SetEta(run, 0.3, WithRequestId("once"));
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->SerializeAsString(), again->SerializeAsString());
  EXPECT_EQ(service_.State(run)->run().eta(), 0.4);
  EXPECT_EQ(ReasonOf(service_.SetEta(run, 0.5, WithRequestId("once")).status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST_F(Steering, AStopAnswersWithTheFinalBatchAndLossAndTheRunStillPredicts) {
  const std::string run = service_.StartXor(5000);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(5000));
  const auto alive = service_.Predict(run, XorInputs(), 2);
  ASSERT_TRUE(alive.ok()) << alive.status();
  const auto stopped = service_.Stop(run, "stop-1");
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->final_batch(), 5000);
  EXPECT_LT(stopped->final_loss(), 1e-20);
  const auto after = service_.Predict(run, XorInputs(), 2);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(*after, *alive);
  EXPECT_NEAR((*after)[0], -0.5, 1e-6);
  EXPECT_NEAR((*after)[1], 0.5, 1e-6);
  const auto state = service_.State(run, /*with_vector=*/true);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(ElementCount(state->state()), 9);
  EXPECT_EQ(state->run().status(), v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(TestService::TrainerOf(run), 0) << "nothing is left running";
}

TEST_F(Steering, ASecondStopIsRefusedButTheSameOneHasItsReceipt) {
  const std::string run = service_.StartXor(10);
  const auto first = service_.Stop(run, "stop-1");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(ReasonOf(service_.Stop(run, "stop-2").status()), v1::ERROR_REASON_RUN_ENDED);
  const auto same = service_.Stop(run, "stop-1");
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->SerializeAsString(), first->SerializeAsString());
}

TEST_F(Steering, AnEndedRunTakesNoControls) {
  const std::string run = service_.StartXor(10);
  ASSERT_TRUE(service_.Stop(run).ok());
  EXPECT_EQ(ReasonOf(service_.SetEta(run, 0.5).status()), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_EQ(ReasonOf(service_.BatchTo(run, 50).status()), v1::ERROR_REASON_RUN_ENDED);
}

TEST_F(Steering, AStoppedRunAndANewOneOfTheSameSpecEachTrainInFull) {
  const std::string first = service_.StartXor(100);
  Watcher watcher(service_.stub(), FromTheStart(first));
  ASSERT_TRUE(watcher.WaitForIdle(100));
  const double loss = service_.Stop(first)->final_loss();
  const std::string second = service_.StartXor(100);
  EXPECT_NE(first, second);
  Watcher again(service_.stub(), FromTheStart(second));
  ASSERT_TRUE(again.WaitForIdle(100));
  EXPECT_EQ(service_.Stop(second)->final_loss(), loss);
}

TEST_F(Steering, TrainingAdvancesBetweenTheControlsOfAFlood) {
  // At most so many are taken at one boundary, however many wait.
  constexpr size_t kMostAtOneBatch = 64;
  constexpr size_t kControls = 600;
  auto spec = service_.XorSpec();
  spec.mutable_report()->set_loss_every(1);
  const auto run = service_.Start(spec, kFarAway);
  ASSERT_TRUE(run.ok()) << run.status();
  AsyncControls controls(service_);
  for (size_t i = 0; i < kControls; ++i) controls.SetEta(run->run_id(), 0.05 + 0.0001 * static_cast<double>(i));
  std::multiset<int64_t> batches;
  for (const auto& receipt : controls.WaitForAll()) {
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    batches.insert(receipt->applied_batch());
  }
  for (const int64_t batch : batches) EXPECT_LE(batches.count(batch), kMostAtOneBatch) << batch;
  EXPECT_GE(*batches.rbegin() - *batches.begin(), static_cast<int64_t>(kControls / kMostAtOneBatch));
  const int64_t after = *batches.rbegin();
  Watcher watcher(service_.stub(), FromNow(run->run_id()));
  EXPECT_TRUE(watcher.WaitForEvent([&](const auto& event) { return event.batch() > after; }).has_value());
}

TEST_F(Steering, AKilledTrainerThatIsNotStartedAgainIsAFailedRunWhoseHistoryIsThereToItsLastEvent) {
  TestService service(service::ServerOptions{.max_restarts = 0});
  const std::string run = service.StartXor(kFarAway);
  Watcher watcher(service.stub(), Everything(run));
  ASSERT_TRUE(watcher.WaitForEvent([](const auto& event) { return event.has_loss(); }).has_value());
  const pid_t trainer = TestService::TrainerOf(run);
  ASSERT_GT(trainer, 0);
  ASSERT_EQ(kill(trainer, SIGKILL), 0);
  EXPECT_TRUE(watcher.WaitForEnd().ok());
  const v1::Event last = watcher.events().back();
  EXPECT_EQ(last.status().status(), v1::RUN_STATUS_FAILED);
  EXPECT_NE(last.status().message().find("killed by signal 9"), std::string::npos) << last.status().message();
  const auto state = service.State(run);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_EQ(state->run().last_sequence(), last.sequence());
  EXPECT_EQ(ReasonOf(service.Predict(run, XorInputs(), 2).status()), v1::ERROR_REASON_NO_PARAMETERS);
  Watcher later(service.stub(), Everything(run));
  EXPECT_TRUE(later.WaitForEnd().ok());
  uint64_t sequence = 0;
  for (const auto& event : later.events()) EXPECT_EQ(event.sequence(), ++sequence);
  EXPECT_EQ(sequence, last.sequence());
}

TEST_F(Steering, AKilledTrainerLeavesOtherRunsUnharmed) {
  const std::string victim = service_.StartXor(kFarAway);
  const std::string other = service_.StartXor(kFarAway);
  Watcher watcher(service_.stub(), FromTheStart(victim));
  const pid_t trainer = TestService::TrainerOf(victim);
  ASSERT_GT(trainer, 0);
  ASSERT_EQ(kill(trainer, SIGKILL), 0);
  const auto lost =
      watcher.WaitForEvent([](const auto& event) { return event.status().status() == v1::RUN_STATUS_LOST; });
  EXPECT_TRUE(lost.has_value());
  EXPECT_TRUE(service_.SetEta(other, 0.2).ok());
  EXPECT_EQ(service_.State(other)->run().status(), v1::RUN_STATUS_TRAINING);
}

TEST_F(Steering, EveryRunTrainsInAProcessOfItsOwn) {
  const std::string first = service_.StartXor();
  const std::string second = service_.StartXor();
  const std::set<pid_t> processes = {TestService::TrainerOf(first), TestService::TrainerOf(second), getpid()};
  EXPECT_EQ(processes.size(), 3U);
  EXPECT_EQ(processes.count(0), 0U);
}

TEST_F(Steering, EtaIsOneTenthWhereNobodySaysOtherwise) {
  auto spec = service_.XorSpec();
  spec.clear_eta();
  const auto run = service_.Start(spec);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->eta(), 0.1);
}

TEST_F(Steering, TheSeedAndTheSpecDecideARunWhateverItIsCalled) {
  v1::RunSpec spec;
  spec.mutable_network()->set_shorthand("2x8rx2");
  std::vector<std::string> rows;
  for (int i = 0; i < 60; ++i) rows.push_back(absl::StrCat(std::sin(i), ",", std::cos(3 * i), ",", i % 2));
  spec.mutable_data()->set_dataset_id(*service_.UploadTable(absl::StrJoin(rows, "\n")));
  spec.set_loss(v1::LOSS_FUNCTION_CROSS_ENTROPY);
  spec.set_batch_size(7);
  spec.set_seed(11);
  std::vector<std::string> states;
  for (int i = 0; i < 3; ++i) {
    if (i == 2) spec.set_seed(12);
    const auto run = service_.Start(spec, 500);
    ASSERT_TRUE(run.ok()) << run.status();
    Watcher watcher(service_.stub(), FromTheStart(run->run_id()));
    ASSERT_TRUE(watcher.WaitForIdle(500));
    states.push_back(service_.State(run->run_id(), /*with_vector=*/true)->state().data());
  }
  EXPECT_EQ(states[0], states[1]);
  EXPECT_NE(states[0], states[2]);
}

}  // namespace
}  // namespace pilothouse::testing
