// What a watcher sees, and when.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/journal/event_kind.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/tensor.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

using std::chrono::seconds;

// What comes once a second comes no sooner than this by the clock that people read, which may be slewed and is rounded.
// How much later it comes depends on what else the machine does.
constexpr double kAlmostASecond = 0.9;

class Watching : public ::testing::Test {
 protected:
  static bool HasHeartbeat(const v1::WatchTrainingResponse& message) { return message.has_heartbeat(); }
  static bool WaitForHeartbeats(Watcher& watcher, int count) {
    return watcher.WaitForMessage([&](const auto& message) { return HasHeartbeat(message) && --count == 0; })
        .has_value();
  }
  static double Seconds(const google::protobuf::Timestamp& time) {
    return static_cast<double>(time.seconds()) + 1e-9 * time.nanos();
  }
  // Every loss of a run from its beginning.
  static v1::WatchTrainingRequest Everything(const std::string& run_id) {
    v1::WatchTrainingRequest request = FromTheStart(run_id);
    request.mutable_min_interval();
    return request;
  }
  static bool AtTarget(const v1::Event& event) { return event.has_loss() && event.loss().at_target(); }

  TestService service_;
};

TEST_F(Watching, TheFirstMessageIsASnapshotWithLossMinusOneAtBatchZero) {
  const std::string run = service_.StartXor();
  Watcher watcher(service_.stub(), FromNow(run));
  const auto first = watcher.WaitForMessage([](const auto&) { return true; });
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(first->has_snapshot());
  EXPECT_EQ(first->snapshot().batch(), 0);
  EXPECT_EQ(first->snapshot().target(), 0);
  EXPECT_EQ(first->snapshot().loss(), -1);
  EXPECT_EQ(first->snapshot().eta(), 0.1);
  EXPECT_EQ(first->snapshot().status(), v1::RUN_STATUS_IDLE);
  EXPECT_EQ(first->snapshot().knobs_size(), 9);
}

TEST_F(Watching, TheLossAtTheTargetIsReportedEvenAMillisecondAfterTheLastAndOnlyOnce) {
  const std::string run = service_.StartXor();
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(service_.BatchTo(run, 50).ok());
  const auto loss = watcher.WaitForEvent(AtTarget);
  ASSERT_TRUE(loss.has_value());
  EXPECT_EQ(loss->batch(), 50);
  // Two heartbeats later the same loss has not been reported again.
  ASSERT_TRUE(WaitForHeartbeats(watcher, 2));
  int reports_of_50 = 0;
  for (const auto& event : watcher.losses()) reports_of_50 += event.batch() == 50 ? 1 : 0;
  EXPECT_EQ(reports_of_50, 1);
}

// That a wall clock which is set back changes nothing of this cannot be shown here, where the clock is the machine's:
// LoopTest.DoesNotMindAWallClockThatIsSteppedBack in trainer/loop does.
TEST_F(Watching, AnIdleRunSendsAHeartbeatAboutOnceASecondAndNothingElse) {
  const std::string run = service_.StartXor();
  Watcher watcher(service_.stub(), FromNow(run));
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(WaitForHeartbeats(watcher, 3));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, seconds(2));
  EXPECT_TRUE(watcher.events().empty());
  std::vector<v1::Heartbeat> heartbeats;
  for (const auto& message : watcher.messages()) {
    if (HasHeartbeat(message)) heartbeats.push_back(message.heartbeat());
  }
  for (size_t i = 0; i < heartbeats.size(); ++i) {
    EXPECT_EQ(heartbeats[i].status(), v1::RUN_STATUS_IDLE);
    EXPECT_EQ(heartbeats[i].batch(), 0);
    EXPECT_EQ(heartbeats[i].loss(), -1);
    EXPECT_GT(heartbeats[i].training_thread_seen_time().seconds(), 0);
    if (i == 0) continue;
    EXPECT_GT(Seconds(heartbeats[i].time()) - Seconds(heartbeats[i - 1].time()), kAlmostASecond);
  }
}

TEST_F(Watching, AConstantLossIsReportedAtOnceAndThenAboutOnceASecond) {
  // From zeros the XOR network never moves: its loss is 0.125 for ever.
  auto spec = service_.XorSpec(std::vector<double>(9, 0.0));
  const auto run = service_.Start(spec, int64_t{1} << 50);
  ASSERT_TRUE(run.ok()) << run.status();
  Watcher watcher(service_.stub(), Everything(run->run_id()));
  int losses = 0;
  ASSERT_TRUE(watcher.WaitForEvent([&](const auto& event) { return event.has_loss() && ++losses == 4; }).has_value());
  const auto reported = watcher.losses();
  EXPECT_EQ(reported[0].batch(), 1) << "at once";
  for (size_t i = 0; i < reported.size(); ++i) {
    EXPECT_EQ(reported[i].loss().value(), 0.125);
    if (i == 0) continue;
    EXPECT_GT(reported[i].batch(), reported[i - 1].batch());
    EXPECT_GT(Seconds(reported[i].time()) - Seconds(reported[i - 1].time()), kAlmostASecond);
  }
}

TEST_F(Watching, EtaChangedWhileIdleIsReportedAtOnce) {
  const std::string run = service_.StartXor();
  Watcher watcher(service_.stub(), FromTheStart(run));
  const auto receipt = service_.SetEta(run, 0.5);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->applied_batch(), 0);
  const auto event = watcher.WaitForEvent([](const auto& candidate) { return candidate.has_control(); });
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->control().change().knob().name(), "eta");
  EXPECT_EQ(event->control().value(), 0.5);
  EXPECT_EQ(event->control().previous_value(), 0.1);
  EXPECT_EQ(event->sequence(), receipt->control_id());
}

TEST_F(Watching, StatesComeAtEveryNthBatchAndNotTwiceWhenAlsoAskedFor) {
  auto spec = service_.XorSpec();
  spec.mutable_report()->set_state_every(20);
  const auto run = service_.Start(spec);
  ASSERT_TRUE(run.ok());
  Watcher watcher(service_.stub(), FromTheStart(run->run_id()));
  ASSERT_TRUE(service_.BatchTo(run->run_id(), 40).ok());
  ASSERT_TRUE(watcher.WaitForIdle(40));
  ASSERT_TRUE(service_.State(run->run_id(), /*with_vector=*/true).ok());
  ASSERT_TRUE(service_.BatchTo(run->run_id(), 50).ok());
  ASSERT_TRUE(watcher.WaitForIdle(50));
  std::vector<int64_t> batches;
  for (const auto& event : watcher.events()) {
    if (event.has_state()) batches.push_back(event.batch());
  }
  EXPECT_EQ(batches, (std::vector<int64_t>{0, 20, 40}));
}

TEST_F(Watching, StatesSwitchedOnAtAnIdleBatchThatIsAMultipleAreReportedAtOnceAndZeroSwitchesThemOff) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  ASSERT_TRUE(service_.SetKnob(run, "state_every", 25).ok());
  const auto state = watcher.WaitForEvent([](const auto& event) { return event.has_state(); });
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->batch(), 50);
  for (const double off : {0.0, -1.0}) {
    ASSERT_TRUE(service_.SetKnob(run, "state_every", off).ok()) << off;
    ASSERT_TRUE(service_.BatchTo(run, off == 0.0 ? 75 : 100).ok());
    ASSERT_TRUE(watcher.WaitForIdle(off == 0.0 ? 75 : 100));
  }
  int states = 0;
  for (const auto& event : watcher.events()) states += event.has_state() ? 1 : 0;
  EXPECT_EQ(states, 1);
}

TEST_F(Watching, AStateBelongsToTheParametersAfterItsBatchAndItsLossToThoseBefore) {
  auto spec = service_.XorSpec();
  spec.mutable_report()->set_loss_every(1);
  spec.mutable_report()->set_state_every(50);
  const auto run = service_.Start(spec, 50);
  ASSERT_TRUE(run.ok()) << run.status();
  Watcher watcher(service_.stub(), Everything(run->run_id()));
  const auto state = watcher.WaitForEvent([](const auto& event) { return event.has_state() && event.batch() == 50; });
  const auto loss = watcher.WaitForEvent([](const auto& event) { return event.has_loss() && event.batch() == 50; });
  ASSERT_TRUE(state.has_value() && loss.has_value());
  EXPECT_FALSE(state->state().asked());
  EXPECT_EQ(state->state().loss(), loss->loss().value());
  EXPECT_NEAR(state->state().loss(), 0.140791682357, 1e-9);
  // One batch from that state on has the loss of the parameters after update 50.
  const auto next = service_.Start(service_.XorSpec(ToDoubles(state->state().state())), 1);
  ASSERT_TRUE(next.ok()) << next.status();
  Watcher again(service_.stub(), Everything(next->run_id()));
  ASSERT_TRUE(again.WaitForIdle(1));
  ASSERT_EQ(again.losses().size(), 1U);
  EXPECT_NEAR(again.losses()[0].loss().value(), 0.140276354469, 1e-9);
}

TEST_F(Watching, AStateThatIsAskedForIsAnsweredAndReportedTheSame) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  const auto state = service_.State(run, /*with_vector=*/true);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->run().batch(), 50);
  EXPECT_NEAR(state->run().loss(), 0.140791682357, 1e-9);
  const auto event = watcher.WaitForEvent([](const auto& candidate) { return candidate.has_state(); });
  ASSERT_TRUE(event.has_value());
  EXPECT_TRUE(event->state().asked());
  EXPECT_EQ(event->batch(), 50);
  EXPECT_EQ(event->state().loss(), state->run().loss());
  EXPECT_EQ(ElementCount(event->state().state()), 9);
  EXPECT_EQ(ToDoubles(event->state().state()), ToDoubles(state->state()));
}

TEST_F(Watching, AWatcherThatAsksForKindsGetsThoseAndNoOthers) {
  const std::string run = service_.StartXor();
  ASSERT_TRUE(service_.SetEta(run, 0.2).ok());
  ASSERT_TRUE(service_.BatchTo(run, 50).ok());
  ASSERT_TRUE(service_.State(run, /*with_vector=*/true).ok());
  ASSERT_TRUE(service_.Stop(run).ok());
  Watcher all(service_.stub(), Everything(run));
  ASSERT_TRUE(all.WaitForEnd().ok());
  for (const auto kind : {v1::EVENT_KIND_LOSS, v1::EVENT_KIND_STATUS, v1::EVENT_KIND_CONTROL, v1::EVENT_KIND_STATE,
                          v1::EVENT_KIND_CHECKPOINT}) {
    v1::WatchTrainingRequest request = Everything(run);
    request.clear_kinds();
    request.add_kinds(kind);
    Watcher watcher(service_.stub(), request);
    ASSERT_TRUE(watcher.WaitForEnd().ok());
    std::vector<uint64_t> wanted;
    for (const auto& event : all.events()) {
      if (KindOf(event) == kind) wanted.push_back(event.sequence());
    }
    std::vector<uint64_t> got;
    for (const auto& event : watcher.events()) got.push_back(event.sequence());
    EXPECT_FALSE(wanted.empty()) << v1::EventKind_Name(kind);
    EXPECT_EQ(got, wanted) << v1::EventKind_Name(kind);
  }
}

TEST_F(Watching, ANanLossIsReportedAsSuchAndTheRunIsIdleAsDiverged) {
  auto spec = service_.XorSpec();
  spec.mutable_network()->set_shorthand("2x1");
  *spec.mutable_network()->mutable_initial_state() = MakeTensor(std::vector<double>{1, 1, 1}, {3});
  spec.set_eta(1e200);
  const auto run = service_.Start(spec, 1000);
  ASSERT_TRUE(run.ok()) << run.status();
  Watcher watcher(service_.stub(), FromTheStart(run->run_id()));
  const auto status =
      watcher.WaitForEvent([](const auto& event) { return event.status().idle_reason() == v1::IDLE_REASON_DIVERGED; });
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->status().status(), v1::RUN_STATUS_IDLE);
  EXPECT_LT(status->batch(), 1000);
  const auto losses = watcher.losses();
  ASSERT_FALSE(losses.empty());
  EXPECT_FALSE(std::isfinite(losses.back().loss().value()));
  // From now on it is heartbeats: no loss more.
  ASSERT_TRUE(WaitForHeartbeats(watcher, 2));
  EXPECT_EQ(watcher.losses().size(), losses.size());
}

TEST_F(Watching, AReturningWatcherContinuesAfterItsSequenceWithNothingLostAndNothingTwice) {
  auto spec = service_.XorSpec();
  spec.mutable_report()->set_loss_every(1);
  const auto run = service_.Start(spec, 3000);
  ASSERT_TRUE(run.ok());
  uint64_t last = 0;
  {
    Watcher first(service_.stub(), FromTheStart(run->run_id()));
    ASSERT_TRUE(first.WaitForEvent([](const auto& event) { return event.batch() >= 100; }).has_value());
    for (const auto& event : first.events()) last = event.sequence();
  }
  ASSERT_TRUE(service_.BatchTo(run->run_id(), 6000).ok());
  auto request = FromNow(run->run_id());
  request.set_after_sequence(last);
  request.mutable_min_interval();
  Watcher second(service_.stub(), request);
  ASSERT_TRUE(second.WaitForIdle(6000));
  EXPECT_TRUE(second.messages().front().has_snapshot());
  for (const auto& event : second.events()) EXPECT_EQ(event.sequence(), ++last);
}

TEST_F(Watching, TheWholeHistoryOfAnEndedRunIsThereAndTheWatchEnds) {
  const std::string run = service_.StartXor(10);
  ASSERT_TRUE(service_.Stop(run).ok());
  Watcher watcher(service_.stub(), FromTheStart(run));
  const grpc::Status end = watcher.WaitForEnd();
  EXPECT_TRUE(end.ok()) << end.error_message();
  uint64_t sequence = 0;
  for (const auto& event : watcher.events()) EXPECT_EQ(event.sequence(), ++sequence);
  EXPECT_EQ(watcher.events().back().status().status(), v1::RUN_STATUS_STOPPED);
}

TEST_F(Watching, WatchingAfterASequenceThatDoesNotExistYetIsRefused) {
  const std::string run = service_.StartXor();
  auto request = FromNow(run);
  request.set_after_sequence(1000);
  Watcher watcher(service_.stub(), request);
  EXPECT_EQ(ReasonOf(FromGrpcStatus(watcher.WaitForEnd())), v1::ERROR_REASON_SEQUENCE_OUT_OF_RANGE);
}

TEST_F(Watching, SixWatchersOfOneRunSeeTheSame) {
  const std::string run = service_.StartXor();
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < 6; ++i) watchers.push_back(std::make_unique<Watcher>(service_.stub(), FromTheStart(run)));
  ASSERT_TRUE(service_.SetEta(run, 0.2).ok());
  ASSERT_TRUE(service_.BatchTo(run, 500).ok());
  ASSERT_TRUE(service_.Stop(run).ok());
  std::vector<std::string> seen;
  for (const auto& watcher : watchers) {
    ASSERT_TRUE(watcher->WaitForEnd().ok());
    std::string all;
    for (const auto& event : watcher->events()) absl::StrAppend(&all, event.SerializeAsString());
    seen.push_back(all);
  }
  for (const auto& all : seen) EXPECT_EQ(all, seen.front());
}

TEST_F(Watching, AClientThatVanishesDisturbsNothing) {
  const std::string run = service_.StartXor(int64_t{1} << 50);
  Watcher other(service_.stub(), FromNow(run));
  for (int i = 0; i < 20; ++i) {
    Watcher vanishing(service_.stub(), FromTheStart(run));
    ASSERT_TRUE(vanishing.WaitForMessage([](const auto&) { return true; }).has_value());
  }
  const auto before = service_.State(run);
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(other.WaitForEvent([&](const auto& event) { return event.batch() > before->run().batch(); }).has_value());
  EXPECT_TRUE(service_.Stop(run).ok());
  EXPECT_TRUE(other.WaitForEnd().ok());
}

}  // namespace
}  // namespace pilothouse::testing
