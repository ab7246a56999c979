// Replay of what the training loop itself reports: steered, taken back, come back from death, forked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "trainer/replay/living_run.h"
#include "trainer/replay/replay_result.h"
#include "trainer/replay/scripted_run.h"

namespace pilothouse::trainer {
namespace {

using testing::HasSubstr;

void AddPlugin(v1::RunSpec& spec, const std::string& kind, const std::string& schedule) {
  v1::PluginSpec& plugin = *spec.add_plugins();
  plugin.set_kind(kind);
  plugin.set_schedule(schedule);
}

// How a run learns. Eta is changed by a plugin, or, if there is one, by a schedule.
struct Way {
  std::string name;
  v1::OptimizerKind optimizer = v1::OPTIMIZER_KIND_GRADIENT_DESCENT;
  std::string network = "2x8tx2";
  std::string eta_schedule = "";
  // In four threads; weighted by a column before the others; parts drawn by classes, one of
  // them kept for the end.
  bool parted = false;
};

// CircleTable(), with weights before it.
std::string WeightedTable() {
  std::string table;
  int row = 0;
  for (const absl::string_view line : absl::StrSplit(CircleTable(), '\n', absl::SkipEmpty())) {
    absl::StrAppend(&table, 0.5 * (1 + row++ % 4), ",", line, "\n");
  }
  return table;
}

// Everything is reported, checkpoints are made, plugins measure and steer.
v1::RunSpec BusySpec(const Way& way) {
  v1::RunSpec spec = CircleSpec();
  spec.mutable_network()->set_shorthand(way.network);
  spec.mutable_optimizer()->set_kind(way.optimizer);
  spec.set_eta_schedule(way.eta_schedule);
  spec.set_eta(way.optimizer == v1::OPTIMIZER_KIND_ADAM ? 0.02 : 0.5);
  spec.mutable_report()->set_loss_every(1);
  spec.mutable_report()->set_state_every(10);
  spec.mutable_checkpoints()->set_every(16);
  spec.mutable_checkpoints()->mutable_interval()->set_seconds(0);
  AddPlugin(spec, "validate", "each(7)");
  if (way.parted) {
    spec.set_threads(4);
    spec.mutable_data()->set_weight_column("1");
    spec.mutable_data()->set_validation_size("20%");
    spec.mutable_data()->set_test_size("0.05");
    spec.mutable_data()->set_split(v1::SPLIT_METHOD_STRATIFIED);
    spec.mutable_data()->set_split_seed(3);
  }
  if (!way.eta_schedule.empty()) return spec;
  AddPlugin(spec, "eta-schedule", "");
  (*spec.mutable_plugins(1)->mutable_settings())["factor"] = "0.9";
  (*spec.mutable_plugins(1)->mutable_settings())["every"] = "11 batches";
  return spec;
}

class ReplayLoopTest : public testing::TestWithParam<Way> {
 protected:
  ReplayLoopTest() { std::ofstream(table_) << (GetParam().parted ? WeightedTable() : CircleTable()); }
  ~ReplayLoopTest() override { std::filesystem::remove(table_); }

  // To 60, back to 37, with another eta and other settings of the optimizer to 70, by its schedule, if it has one, to
  // 100, and the end.
  static void Steer(LivingRun& run) {
    run.welcome().set_target(60);
    run.on_event = [&run](const v1::Event& event) {
      if (!event.has_status() || event.status().status() != v1::RUN_STATUS_IDLE) return;
      if (event.batch() == 60) run.Ask("back", RewindChange{37, "first"});
      if (event.batch() == 37) {
        run.Ask("eta", KnobChange{"eta", 0.03});
        run.Ask("decay", KnobChange{"weight_decay", 0.01});
        if (GetParam().optimizer == v1::OPTIMIZER_KIND_ADAM) run.Ask("beta1", KnobChange{"beta1", 0.7});
        run.Ask("on", TargetChange{TargetChange::Kind::kBatch, 70});
      }
      if (event.batch() == 70) {
        if (!GetParam().eta_schedule.empty()) run.Ask("follow", KnobChange{"eta", 0, /*follow_schedule=*/true});
        run.Ask("further", TargetChange{TargetChange::Kind::kBatch, 100});
      }
      if (event.batch() == 100) run.Ask("stop", StopChange{});
    };
  }

  void ExpectIdentical(LivingRun& run) {
    const absl::StatusOr<ReplayResult> result = run.Replay();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_FALSE(result->difference.has_value()) << ToText(*result);
    EXPECT_THAT(ToText(*result), HasSubstr("identical through batch 100 ("));
    EXPECT_EQ(result->losses, 60 + 63);
    EXPECT_EQ(result->rewinds, 1);
    // While one is being written, another is not begun; but to be taken back, the run waits for one.
    EXPECT_GE(result->checkpoints, 1);
    EXPECT_GE(result->states, 12);
    EXPECT_GE(result->validations, 12);
  }

  const std::string table_ = absl::StrCat(testing::TempDir(), "/replay-loop-", getpid(), ".csv");
};

TEST_P(ReplayLoopTest, ARunWithPluginsThatIsTakenBackIsIdentical) {
  LivingRun run(BusySpec(GetParam()), table_);
  Steer(run);
  run.Live();
  EXPECT_EQ(run.last().status, RunStatus::kStopped) << run.last().message;
  ExpectIdentical(run);
}

TEST_P(ReplayLoopTest, ARunWhoseTrainerDiesAnywhereComesBackToTheSameCurve) {
  LivingRun undisturbed(BusySpec(GetParam()), table_);
  Steer(undisturbed);
  undisturbed.Live();
  const size_t count = undisturbed.events().size();
  for (size_t dies_after = 5; dies_after < count; dies_after += count / 12) {
    SCOPED_TRACE(absl::StrCat("dies after ", dies_after, " events"));
    LivingRun run(BusySpec(GetParam()), table_);
    Steer(run);
    run.Live(dies_after);
    run.Live();
    EXPECT_EQ(run.last().status, RunStatus::kStopped) << run.last().message;
    EXPECT_EQ(run.Losses(), undisturbed.Losses());
    ExpectIdentical(run);
  }
}

TEST_P(ReplayLoopTest, AForkOfABranchIsIdentical) {
  LivingRun parent(BusySpec(GetParam()), table_);
  Steer(parent);
  parent.Live();
  v1::RunSpec spec = BusySpec(GetParam());
  spec.set_seed(11);
  spec.mutable_parent()->set_run_id("parent");
  spec.mutable_parent()->set_batch(45);
  spec.mutable_parent()->set_branch("first");
  LivingRun fork(spec, table_);
  v1::ForkPoint& point = *fork.welcome().mutable_fork();
  point.set_directory(parent.journal().directory());
  point.set_batch(45);
  point.set_branch("first");
  const std::string other = GetParam().optimizer == v1::OPTIMIZER_KIND_ADAM ? "beta2" : "clip_norm";
  for (const std::string& name : {std::string("eta"), other}) {
    v1::KnobChange& knob = *point.add_knobs();
    knob.set_name(name);
    knob.set_value(0.05);
  }
  fork.welcome().set_target(80);
  fork.on_event = [&fork](const v1::Event& event) {
    if (event.has_status() && event.status().status() == v1::RUN_STATUS_IDLE) fork.Ask("stop", StopChange{});
  };
  fork.Live();
  EXPECT_EQ(fork.last().status, RunStatus::kStopped) << fork.last().message;
  const absl::StatusOr<ReplayResult> result = fork.Replay();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->difference.has_value()) << ToText(*result);
  EXPECT_EQ(result->first_batch, 45);
  EXPECT_EQ(result->losses, 35);
  EXPECT_THAT(ToText(*result), HasSubstr("begins at batch 45 of run parent, with checkpoints/"));
}

// Follows another schedule than the run it comes from.
TEST_P(ReplayLoopTest, AForkWithAScheduleOfItsOwnIsIdentical) {
  LivingRun parent(BusySpec(GetParam()), table_);
  Steer(parent);
  parent.Live();
  Way other = GetParam();
  other.eta_schedule = "10,0.2;14,0.4";
  v1::RunSpec spec = BusySpec(other);
  spec.set_eta(0.01);
  spec.mutable_parent()->set_run_id("parent");
  spec.mutable_parent()->set_batch(40);
  LivingRun fork(spec, table_);
  v1::ForkPoint& point = *fork.welcome().mutable_fork();
  point.set_directory(parent.journal().directory());
  point.set_batch(40);
  v1::KnobChange& eta = *point.add_knobs();
  eta.set_name("eta");
  eta.set_follow_schedule(true);
  // A plugin that sets eta is as good as a person.
  if (GetParam().eta_schedule.empty()) point.add_detach_plugins("eta-schedule");
  fork.welcome().set_target(80);
  fork.on_event = [&fork](const v1::Event& event) {
    if (event.has_status() && event.status().status() == v1::RUN_STATUS_IDLE) fork.Ask("stop", StopChange{});
  };
  fork.Live();
  EXPECT_EQ(fork.last().status, RunStatus::kStopped) << fork.last().message;
  // Of 5 batches is an epoch, whatever the way.
  for (const v1::Event& event : fork.events()) {
    if (!event.has_loss()) continue;
    EXPECT_EQ(event.loss().eta(), event.batch() < 50 ? 0.01 : event.batch() < 70 ? 0.2 : 0.4) << event.batch();
  }
  const absl::StatusOr<ReplayResult> result = fork.Replay();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->difference.has_value()) << ToText(*result);
  EXPECT_EQ(result->losses, 40);
}

INSTANTIATE_TEST_SUITE_P(Ways, ReplayLoopTest,
                         testing::Values(Way{"GradientDescent"}, Way{"Adam", v1::OPTIMIZER_KIND_ADAM},
                                         Way{"MomentumByASchedule", v1::OPTIMIZER_KIND_MOMENTUM, "2x8tx2",
                                             "cosine over=18 warmup=2 final=0.01"},
                                         Way{"DropoutAndBatchNorm", v1::OPTIMIZER_KIND_ADAM, "2x8btd0.3x2"},
                                         Way{"WeightedAndParted", v1::OPTIMIZER_KIND_ADAM, "2x8tx2", "", true}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace pilothouse::trainer
