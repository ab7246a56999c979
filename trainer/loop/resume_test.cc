// A run that is interrupted after any of its reports, and goes on from what was recorded, is the run that was not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/loop/curve_data.h"
#include "trainer/loop/loop_fixture.h"
#include "trainer/loop/loop_past.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/plugin/builtin/builtin_kinds.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;
using Kind = TargetChange::Kind;

std::unique_ptr<Learner> MakeReal(OptimizerKind optimizer, const std::string& network) {
  LearnerSpec spec;
  spec.network = *ParseShorthand(network);
  spec.optimizer = optimizer;
  spec.batch_size = 4;
  spec.seed = 7;
  spec.standardize = true;
  spec.validation_fraction = 0.2;
  auto learner = MakeLearner(spec, Curve(30));
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// A learner whose steps take time.
class Paced final : public Learner {
 public:
  Paced(FakeClock& clock, Duration step, OptimizerKind optimizer, const std::string& network)
      : learner_(MakeReal(optimizer, network)), clock_(clock), step_(step) {}
  double Step(int64_t batch, const UpdateSettings& settings) override {
    clock_.Advance(step_);
    // By this clock, hours pass between two batches: a checkpoint is always written before the next.
    if (wait_for_checkpoint != nullptr) wait_for_checkpoint(batch);
    if (on_step != nullptr) on_step(batch);
    const double loss = learner_->Step(batch, settings);
    losses[batch] = std::bit_cast<uint64_t>(loss);
    return loss;
  }
  void Save(SavedState& state) const override { learner_->Save(state); }
  absl::Status Restore(const SavedState& state) override { return learner_->Restore(state); }
  void Reset() override { learner_->Reset(); }
  std::shared_ptr<const Model> Snapshot() const override { return learner_->Snapshot(); }
  absl::Status Load(const std::string& path) override { return learner_->Load(path); }
  NumberArray Gradient() const override { return learner_->Gradient(); }
  std::vector<Activations> LayerActivations() const override { return learner_->LayerActivations(); }
  absl::StatusOr<Validation> Validate(int64_t batch) override { return learner_->Validate(batch); }
  absl::StatusOr<Validation> Test(int64_t batch) override { return learner_->Test(batch); }
  const LearnerFacts& facts() const override { return learner_->facts(); }

  std::function<void(int64_t batch)> wait_for_checkpoint;
  std::function<void(int64_t batch)> on_step;
  // The bits of each batch's loss.
  std::map<int64_t, uint64_t> losses;

 private:
  std::unique_ptr<Learner> learner_;
  FakeClock& clock_;
  Duration step_;
};

PluginSpec Plugin(const std::string& kind, std::map<std::string, std::string> settings = {},
                  const std::string& schedule = "") {
  PluginSpec spec;
  spec.kind = kind;
  spec.settings = std::move(settings);
  spec.schedule = schedule;
  return spec;
}

// What a control did, and what a run came to.
struct Outcome {
  std::vector<std::string> controls;
  std::vector<std::string> outputs;
  std::map<int64_t, uint64_t> losses;
  std::string state;
  std::string end;
};

void Note(const std::vector<Report>& reports, Outcome& outcome) {
  for (const Report& report : reports) {
    if (const auto* control = std::get_if<ControlReport>(&report.kind)) {
      outcome.controls.push_back(absl::StrCat(report.batch, " ", control->control.request_id, " = ", control->value));
    }
    if (std::holds_alternative<PluginReport>(report.kind)) outcome.outputs.push_back(Describe(report));
    if (const auto* loss = std::get_if<LossReport>(&report.kind)) {
      const auto [found, added] = outcome.losses.emplace(report.batch, std::bit_cast<uint64_t>(loss->value));
      EXPECT_TRUE(added) << "the loss of batch " << report.batch << " was reported twice";
    }
  }
}

class ResumeTest : public testing::Test {
 protected:
  ~ResumeTest() override { std::filesystem::remove_all(root_); }

  LoopOptions Options(const std::string& folder) {
    LoopOptions options;
    options.target = 90;
    options.run_id = "a-run";
    options.directory = root_ + "/" + folder;
    options.runs_directory = root_;
    options.seed = 7;
    options.plugin_kinds = kinds_;
    options.knobs = Knobs::UsualOf(optimizer_);
    options.eta_schedule = *EtaSchedule::Parse(schedule_);
    options.knobs.checkpoint_interval = 0;
    options.knobs.checkpoint_every = checkpoint_every_;
    options.knobs.loss_every = 7;
    options.plugins = plugins_;
    options.retention.keep_last = 1000;
    std::filesystem::create_directories(options.directory);
    return options;
  }

  // Runs to its end; the controls in `recorded` were made before. Adds what is reported to `reports`.
  Outcome Run(const LoopOptions& options, const std::vector<Report>& recorded, std::vector<Report>& reports) {
    FakeClock clock;
    Paced learner(clock, milliseconds(10), optimizer_, network_);
    Mailbox mailbox(clock);
    RecordingSink sink;
    for (const Control& control : controls_) {
      const bool known = std::any_of(recorded.begin(), recorded.end(), [&](const Report& report) {
        const auto* made = std::get_if<ControlReport>(&report.kind);
        return made != nullptr && made->control.request_id == control.request_id;
      });
      if (known) continue;
      EXPECT_TRUE(mailbox.Put(control).ok());
    }
    int64_t from = -1;
    learner.wait_for_checkpoint = [&](int64_t batch) {
      const bool made = checkpoint_every_ > 0 && (batch - 1) % checkpoint_every_ == 0 && batch - 1 > 0;
      // None is made where the run begins, and none while it catches up.
      if (!made || batch - 1 <= from || (options.resume != nullptr && batch <= options.resume->through_batch)) return;
      from = batch - 1;
      // The store's thread writes by no clock of ours.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
      while (mailbox.empty() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      EXPECT_FALSE(mailbox.empty());
    };
    learner.on_step = [&](int64_t batch) {
      if (batch == leave_at_) mailbox.Suspend();
    };
    const StatusReport last = TrainingLoop(options, learner, mailbox, sink, clock).Run();
    reports = sink.reports;
    Outcome outcome;
    Note(recorded, outcome);
    Note(reports, outcome);
    outcome.losses.clear();
    outcome.losses = learner.losses;
    outcome.state = HashOfTensors(SavedStateOf(learner));
    outcome.end = absl::StrCat(Name(last.status), " ", last.message);
    return outcome;
  }

  // Interrupts the run after each of its reports in turn.
  void GoesOnAfterEachReport() {
    std::vector<Report> reports;
    const Outcome undisturbed = Run(Options("whole"), {}, reports);
    ASSERT_GT(reports.size(), 10U);
    for (size_t cut = 1; cut < reports.size(); ++cut) {
      SCOPED_TRACE(absl::StrCat("after report ", cut, ": ", Describe(reports[cut - 1])));
      const std::vector<Report> recorded(reports.begin(), reports.begin() + static_cast<std::ptrdiff_t>(cut));
      GoesOn(recorded, "whole", absl::StrCat("cut-", cut), undisturbed);
    }
  }

  // The run that has reported `recorded`, with its checkpoints in `from`, comes to what the undisturbed one did.
  void GoesOn(const std::vector<Report>& recorded, const std::string& from, const std::string& folder,
              const Outcome& undisturbed) {
    LoopOptions options = Options(folder);
    options.resume = std::make_shared<const ResumePlan>(PlanFrom(recorded, Options(from).directory, options.target));
    std::vector<Report> rest;
    const Outcome resumed = Run(options, recorded, rest);
    EXPECT_EQ(resumed.controls, undisturbed.controls);
    EXPECT_EQ(resumed.outputs, undisturbed.outputs);
    EXPECT_EQ(resumed.state, undisturbed.state);
    EXPECT_EQ(resumed.end, undisturbed.end);
    for (const auto& [batch, loss] : resumed.losses) EXPECT_EQ(loss, undisturbed.losses.at(batch)) << batch;
    for (const Report& report : rest) EXPECT_GE(report.batch, options.resume->through_batch) << Describe(report);
  }

  // The process of the run is told to end while it trains one of these batches.
  void GoesOnAfterBeingLeft(const std::vector<int64_t>& batches) {
    std::vector<Report> reports;
    const Outcome undisturbed = Run(Options("whole"), {}, reports);
    for (const int64_t batch : batches) {
      SCOPED_TRACE(absl::StrCat("left at batch ", batch));
      leave_at_ = batch;
      std::vector<Report> recorded;
      const std::string folder = absl::StrCat("left-", batch);
      Run(Options(folder), {}, recorded);
      leave_at_ = -1;
      EXPECT_EQ(WrittenCheckpoint(recorded.back())->facts.batch, batch);
      GoesOn(recorded, folder, folder, undisturbed);
    }
  }

  const std::string root_ = absl::StrCat(testing::TempDir(), "/resume-test-", getpid());
  const std::shared_ptr<const PluginKinds> kinds_ = std::make_shared<const PluginKinds>(BuiltInPluginKinds());
  OptimizerKind optimizer_ = OptimizerKind::kGradientDescent;
  std::string network_ = "2x6tx2";
  std::string schedule_ = "constant";
  std::vector<PluginSpec> plugins_;
  std::vector<Control> controls_;
  int64_t checkpoint_every_ = 20;
  // Of the trainer, at this batch; −1: none.
  int64_t leave_at_ = -1;
};

TEST_F(ResumeTest, ARunSteeredByPeopleGoesOnAfterEachReport) {
  controls_ = {{"eta", KnobChange{"eta", 0.03}, 33, "ana", ""},
               {"state", KnobChange{"state_every", 15}, 33, "", ""},
               {"again", KnobChange{"eta", 0.2}, 40, "ana", ""},
               {"pause", TargetChange{Kind::kPause}, 50, "", ""},
               {"on", TargetChange{Kind::kResume}, 50, "", ""},
               {"more", TargetChange{Kind::kMore, 20}, 60, "", ""},
               {"stop", StopChange{}, 80, "", ""}};
  GoesOnAfterEachReport();
}

TEST_F(ResumeTest, ARunWhoseOptimizerIsSteeredGoesOnAfterEachReport) {
  optimizer_ = OptimizerKind::kAdam;
  controls_ = {{"eta", KnobChange{"eta", 0.03}, 10, "", ""},
               {"beta1", KnobChange{"beta1", 0.5}, 33, "ana", ""},
               {"decay", KnobChange{"weight_decay", 0.1}, 35, "ana", ""},
               {"clip", KnobChange{"clip_norm", 0.2}, 52, "", ""},
               {"beta2", KnobChange{"beta2", 0.9}, 60, "", ""},
               {"stop", StopChange{}, 80, "", ""}};
  GoesOnAfterEachReport();
}

TEST_F(ResumeTest, ARunThatLearnsOtherwiseThanItPredictsGoesOnAfterEachReport) {
  network_ = "2x6btd0.4x2";
  plugins_ = {Plugin("validate", {}, "each(5)"), Plugin("reduce-eta", {{"patience", "2"}, {"factor", "0.5"}})};
  controls_ = {{"eta", KnobChange{"eta", 0.03}, 33, "ana", ""}, {"stop", StopChange{}, 80, "", ""}};
  GoesOnAfterEachReport();
}

// Another eta for each batch, set by hand from 28 to 55, and a momentum that remembers all of them.
TEST_F(ResumeTest, ARunWhoseEtaFollowsAScheduleGoesOnAfterEachReport) {
  optimizer_ = OptimizerKind::kMomentum;
  schedule_ = "cosine over=12 warmup=2";
  controls_ = {{"set", KnobChange{"eta", 0.03}, 28, "ana", ""},
               {"momentum", KnobChange{"momentum", 0.7}, 40, "", ""},
               {"follow", KnobChange{"eta", 0, /*follow_schedule=*/true}, 55, "ana", ""},
               {"stop", StopChange{}, 80, "", ""}};
  GoesOnAfterEachReport();
}

TEST_F(ResumeTest, ARunWhoseEtaFollowsAScheduleGoesOnWhereItWasLeft) {
  optimizer_ = OptimizerKind::kMomentum;
  schedule_ = "4,0.05;8,0.01";
  controls_ = {{"set", KnobChange{"eta", 0.03}, 28, "ana", ""},
               {"follow", KnobChange{"eta", 0, /*follow_schedule=*/true}, 60, "ana", ""},
               {"stop", StopChange{}, 80, "", ""}};
  // Of 6 batches is an epoch.
  GoesOnAfterBeingLeft({1, 23, 24, 25, 28, 29, 48, 60, 61, 79});
}

TEST_F(ResumeTest, ARunSteeredByPluginsGoesOnAfterEachReport) {
  plugins_ = {Plugin("validate", {}, "each(5)"), Plugin("reduce-eta", {{"patience", "2"}, {"factor", "0.5"}}),
              Plugin("eta-schedule", {{"etas", "30,0.05;60,0.01"}}), Plugin("save-best"),
              Plugin("stop-after", {{"after", "75 batches"}})};
  controls_ = {{"detach", DetachPluginChange{"eta-schedule"}, 45, "", ""},
               {"attach", AttachPluginChange{Plugin("statistics", {}, "each(20)")}, 35, "", ""},
               {"reschedule", ReschedulePluginChange{"validate", "each(4)", std::nullopt}, 52, "", ""}};
  GoesOnAfterEachReport();
}

TEST_F(ResumeTest, ARunThatWasLeftGoesOn) {
  plugins_ = {Plugin("validate", {}, "each(5)"), Plugin("reduce-eta", {{"patience", "2"}, {"factor", "0.5"}}),
              Plugin("stop-after", {{"after", "75 batches"}})};
  controls_ = {{"eta", KnobChange{"eta", 0.03}, 33, "ana", ""},
               {"pause", TargetChange{Kind::kPause}, 50, "", ""},
               {"on", TargetChange{Kind::kResume}, 50, "", ""},
               {"detach", DetachPluginChange{"reduce-eta"}, 45, "", ""}};
  // A checkpoint, a control, a plugin and a pause have their turns there, or just before and after.
  GoesOnAfterBeingLeft({1, 4, 5, 19, 20, 21, 32, 33, 34, 45, 49, 50, 51, 74});
}

TEST_F(ResumeTest, ARunOnItsWayBackTellsEverySecondHowFarItIs) {
  checkpoint_every_ = 0;
  LoopOptions options = Options("told");
  ResumePlan plan;
  plan.initial_target = options.target;
  plan.through_batch = 50;
  options.resume = std::make_shared<const ResumePlan>(plan);
  FakeClock clock;
  Paced learner(clock, milliseconds(100), optimizer_, network_);
  Mailbox mailbox(clock);
  RecordingSink sink;
  ASSERT_TRUE(mailbox.Put(Control{"stop", StopChange{}, 51, "", ""}).ok());
  TrainingLoop(options, learner, mailbox, sink, clock).Run();
  std::vector<int64_t> batches;
  for (const Heartbeat& heartbeat : sink.heartbeats) batches.push_back(heartbeat.batch);
  EXPECT_THAT(batches, testing::ElementsAre(11, 21, 31, 41));
  ASSERT_FALSE(sink.reports.empty());
  EXPECT_EQ(sink.reports.front().batch, 50);
}

TEST_F(ResumeTest, ARunWithoutAnyCheckpointGoesOnFromItsBeginning) {
  checkpoint_every_ = 0;
  plugins_ = {Plugin("validate", {}, "each(8)"), Plugin("early-stopping", {{"patience", "3"}})};
  controls_ = {{"eta", KnobChange{"eta", 0.3}, 20, "", ""}, {"stop", StopChange{}, 90, "", ""}};
  GoesOnAfterEachReport();
}

}  // namespace
}  // namespace pilothouse::trainer
