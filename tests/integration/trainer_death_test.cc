// What is told of a run whose trainer has just ended, asked to or not.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kFarAway = int64_t{1} << 50;
// What is to be caught lasts a moment, so it is tried more than once.
constexpr int kRuns = 8;
constexpr int kQuestions = 20;

class TrainerDeath : public ::testing::Test {
 protected:
  void ExpectEnded(const std::string& run, v1::RunStatus status) {
    for (int i = 0; i < kQuestions; ++i) {
      const auto state = service_.State(run);
      ASSERT_TRUE(state.ok()) << i << ": " << state.status();
      EXPECT_EQ(v1::RunStatus_Name(state->run().status()), v1::RunStatus_Name(status)) << i;
    }
  }

  void Kill(const std::string& run) {
    const pid_t trainer = TestService::TrainerOf(run);
    ASSERT_GT(trainer, 0);
    ASSERT_EQ(kill(trainer, SIGKILL), 0);
  }

  // No trainer is started again: what is told of a run that has FAILED is what this is about.
  TestService service_{service::ServerOptions{.max_restarts = 0}};
};

TEST_F(TrainerDeath, AStoppedRunIsTheSameHoweverSoonAndOftenItIsAskedFor) {
  for (int n = 0; n < kRuns; ++n) {
    const std::string run = service_.StartXor(kFarAway);
    ASSERT_TRUE(service_.SetEta(run, 0.3).ok());
    ASSERT_TRUE(service_.SetKnob(run, "loss_every", 1'000'000).ok());
    const auto stopped = service_.Stop(run);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    for (int i = 0; i < kQuestions; ++i) {
      const auto state = service_.State(run);
      ASSERT_TRUE(state.ok()) << state.status();
      EXPECT_EQ(v1::RunStatus_Name(state->run().status()), v1::RunStatus_Name(v1::RUN_STATUS_STOPPED)) << i;
      EXPECT_EQ(state->run().batch(), stopped->final_batch()) << i;
      EXPECT_EQ(state->run().loss(), stopped->final_loss()) << i;
      EXPECT_EQ(state->run().target(), kFarAway) << i;
      EXPECT_EQ(state->run().eta(), 0.3) << i;
      std::map<std::string, double> knobs;
      for (const auto& knob : state->run().knobs()) knobs[knob.name()] = knob.value();
      EXPECT_EQ(knobs["eta"], 0.3) << i;
      EXPECT_EQ(knobs["loss_every"], 1'000'000) << i;
    }
  }
}

TEST_F(TrainerDeath, AStoppedRunAnswersWithItsStateVectorHoweverSoonItIsAskedForIt) {
  for (int n = 0; n < kRuns; ++n) {
    const std::string run = service_.StartXor(50);
    const auto stopped = service_.Stop(run);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    const auto state = service_.State(run, /*with_vector=*/true);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(v1::RunStatus_Name(state->run().status()), v1::RunStatus_Name(v1::RUN_STATUS_STOPPED));
    EXPECT_EQ(state->run().batch(), stopped->final_batch());
    EXPECT_EQ(state->run().loss(), stopped->final_loss());
    EXPECT_EQ(state->run().target(), 50);
    EXPECT_EQ(state->state().shape(0), 9);
  }
}

TEST_F(TrainerDeath, AKilledRunIsFailedAndAskingForItIsNeverAnError) {
  for (int n = 0; n < kRuns; ++n) {
    const std::string run = service_.StartXor(kFarAway);
    Kill(run);
    absl::Status error;
    ASSERT_TRUE(Eventually([&] {
      const auto state = service_.State(run);
      error.Update(state.status());
      return !state.ok() || state->run().status() == v1::RUN_STATUS_FAILED;
    }));
    EXPECT_TRUE(error.ok()) << error;
    ExpectEnded(run, v1::RUN_STATUS_FAILED);
  }
}

TEST_F(TrainerDeath, ALogThatIsNoUtf8IsQuotedWithoutHarm) {
  const std::string run = service_.StartXor(kFarAway);
  std::ofstream(absl::StrCat(service_.directory(), "/runs/", run, "/trainer.log"), std::ios::app | std::ios::binary)
      << "caf\xe9 \xff\n";
  Watcher watcher(service_.stub(), FromTheStart(run));
  Kill(run);
  const grpc::Status end = watcher.WaitForEnd();
  EXPECT_TRUE(end.ok()) << end.error_message();
  const auto last =
      watcher.WaitForEvent([](const auto& event) { return event.status().status() == v1::RUN_STATUS_FAILED; });
  ASSERT_TRUE(last.has_value());
  EXPECT_NE(last->status().message().find("caf"), std::string::npos) << last->status().message();
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted ? "after a restart" : "before a restart");
    if (restarted) service_.Restart();
    ExpectEnded(run, v1::RUN_STATUS_FAILED);
    const auto runs = service_.List();
    ASSERT_TRUE(runs.ok()) << runs.status();
    ASSERT_EQ(runs->runs_size(), 1);
    EXPECT_EQ(runs->runs(0).status_message(), last->status().message());
    Watcher later(service_.stub(), FromTheStart(run));
    const grpc::Status again = later.WaitForEnd();
    EXPECT_TRUE(again.ok()) << again.error_message();
    ASSERT_FALSE(later.events().empty());
    EXPECT_EQ(later.events().back().SerializeAsString(), last->SerializeAsString());
  }
}

}  // namespace
}  // namespace pilothouse::testing
