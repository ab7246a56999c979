// Test support: a training loop with a fake learner and a fake clock, run on the test's own thread, and what it
// emitted.
#ifndef PILOTHOUSE_TRAINER_LOOP_LOOP_FIXTURE_H_
#define PILOTHOUSE_TRAINER_LOOP_LOOP_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/loop/fake_clock.h"
#include "trainer/loop/fake_learner.h"
#include "trainer/loop/mailbox.h"
#include "trainer/loop/report.h"
#include "trainer/loop/training_loop.h"

namespace pilothouse::trainer {

inline std::string Name(RunStatus status) {
  switch (status) {
    case RunStatus::kTraining:
      return "TRAINING";
    case RunStatus::kIdle:
      return "IDLE";
    case RunStatus::kStopping:
      return "STOPPING";
    case RunStatus::kStopped:
      return "STOPPED";
    case RunStatus::kCompleted:
      return "COMPLETED";
    case RunStatus::kFailed:
      return "FAILED";
  }
  return "?";
}

inline std::string Name(IdleReason reason) {
  switch (reason) {
    case IdleReason::kNone:
      return "";
    case IdleReason::kTargetReached:
      return " TARGET_REACHED";
    case IdleReason::kPaused:
      return " PAUSED";
    case IdleReason::kDiverged:
      return " DIVERGED";
  }
  return "?";
}

// "50 loss at target", "50 IDLE TARGET_REACHED", "50 control a = 0.5", "40 state asked".
inline std::string Describe(const Report& report) {
  struct Describer {
    std::string operator()(const LossReport& loss) const { return loss.at_target ? "loss at target" : "loss"; }
    std::string operator()(const StatusReport& status) const {
      return absl::StrCat(Name(status.status), Name(status.idle_reason));
    }
    std::string operator()(const ControlReport& control) const {
      return absl::StrCat("control ", control.control.request_id, " = ", control.value);
    }
    std::string operator()(const StateReport& state) const { return state.asked ? "state asked" : "state"; }
    std::string operator()(const CheckpointReport& report) const {
      const CheckpointOutcome& outcome = report.outcome;
      return absl::StrCat("checkpoint of ", outcome.facts.batch, outcome.status.ok() ? "" : " failed");
    }
    std::string operator()(const PluginReport& report) const {
      const auto* failure = std::get_if<PluginFailure>(&report.what);
      return absl::StrCat("from ", report.plugin,
                          failure == nullptr ? "" : " failed: ", failure == nullptr ? "" : failure->message);
    }
  };
  return absl::StrCat(report.batch, " ", std::visit(Describer(), report.kind));
}

struct RecordingSink final : ReportSink {
  void OnReport(Report report) override {
    if (on_report) on_report(report);
    reports.push_back(std::move(report));
  }
  void OnHeartbeat(const Heartbeat& heartbeat) override {
    if (on_heartbeat) on_heartbeat();
    heartbeats.push_back(heartbeat);
  }
  void OnRefusal(Refusal refusal) override { refusals.push_back(std::move(refusal)); }
  bool Congested() const override { return congested(); }
  // A service that records at once.
  int64_t CheckpointsRecorded() const override {
    return std::count_if(reports.begin(), reports.end(), [](const Report& report) {
      const auto* checkpoint = std::get_if<CheckpointReport>(&report.kind);
      return checkpoint != nullptr && checkpoint->outcome.status.ok() && !checkpoint->repeated;
    });
  }

  std::function<void(const Report&)> on_report;
  std::function<void()> on_heartbeat;
  std::function<bool()> congested = [] { return false; };
  std::vector<Report> reports;
  std::vector<Heartbeat> heartbeats;
  std::vector<Refusal> refusals;
};

// A step takes `step_time`. Everything a test wants to happen it arranges beforehand: at a time (clock.At), or during a
// step (during).
class LoopTest : public testing::Test {
 protected:
  using Kind = TargetChange::Kind;

  LoopTest() {
    std::filesystem::create_directories(directory);
    learner.on_step = [this](int64_t batch) {
      clock.Advance(step_time);
      const auto [first, last] = during.equal_range(batch);
      for (auto it = first; it != last; ++it) it->second();
    };
  }

  ~LoopTest() override { std::filesystem::remove_all(directory); }

  // From now on no checkpoint can be written; and they can again.
  void BlockSaving() {
    std::filesystem::create_directories(directory);
    std::filesystem::remove_all(directory + "/" + kCheckpointFolder);
    std::ofstream(directory + "/" + kCheckpointFolder) << "in the way";
  }
  void AllowSaving() { std::filesystem::remove(directory + "/" + kCheckpointFolder); }

  StatusReport Run() { return TrainingLoop(options, learner, mailbox, sink, clock).Run(); }

  void Put(std::string id, Change change, std::optional<int64_t> at_batch = std::nullopt) {
    EXPECT_TRUE(mailbox.Put(Control{std::move(id), std::move(change), at_batch, "", ""}).ok());
  }
  void BatchTo(std::string id, int64_t batch, std::optional<int64_t> at_batch = std::nullopt) {
    Put(std::move(id), TargetChange{Kind::kBatch, batch}, at_batch);
  }
  void Stop() { Put("stop", StopChange{}); }
  void StopAt(Duration time) {
    clock.At(time, [this] { Stop(); });
  }

  // Reports of everything but losses, from the second on (the first is the status at the beginning), up to the first
  // stop.
  std::vector<std::string> Changes() const {
    std::vector<std::string> changes;
    for (size_t i = 1; i < sink.reports.size(); ++i) {
      const std::string text = Describe(sink.reports[i]);
      if (text.find("STOPPING") != std::string::npos) break;
      if (!std::holds_alternative<LossReport>(sink.reports[i].kind)) changes.push_back(text);
    }
    return changes;
  }
  std::vector<std::string> Losses() const {
    std::vector<std::string> losses;
    for (const Report& report : sink.reports) {
      if (std::holds_alternative<LossReport>(report.kind)) losses.push_back(Describe(report));
    }
    return losses;
  }
  std::vector<v1::ErrorReason> RefusalReasons() const {
    std::vector<v1::ErrorReason> reasons;
    for (const Refusal& refusal : sink.refusals) reasons.push_back(ReasonOf(refusal.error));
    return reasons;
  }
  const StatusReport& LastStatus() const { return std::get<StatusReport>(sink.reports.back().kind); }

  // Of this process alone: tests run side by side.
  const std::string directory = absl::StrCat(testing::TempDir(), "/loop-test-", getpid());
  FakeClock clock;
  FakeLearner learner;
  Mailbox mailbox{clock};
  RecordingSink sink;
  Duration step_time = std::chrono::milliseconds(1);
  std::multimap<int64_t, std::function<void()>> during;
  LoopOptions options{.target = 0,
                      .knobs = {.checkpoint_interval = 0},
                      .run_id = "test-run",
                      .directory = directory,
                      .runs_directory = testing::TempDir(),
                      .seed = 0,
                      .plugin_kinds = nullptr,
                      .plugins = {}};
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_LOOP_FIXTURE_H_
