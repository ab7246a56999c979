#include "trainer/replay/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/replay/scripted_run.h"

namespace pilothouse::trainer {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;

ReplayResult ReplayOf(ScriptedRun& run) {
  absl::StatusOr<ReplayResult> result = run.Replay();
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : ReplayResult{};
}

double NextAfter(double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  ++bits;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

// Steered by hand: eta, a pause, states, validations and checkpoints.
void Steer(ScriptedRun& run) {
  run.TrainTo(10);
  run.Eta(0.25);
  run.State();
  run.Tell(run.CheckpointNow());
  run.TrainTo(20);
  run.Validate();
  run.Pause();
  const v1::CheckpointReport made = run.CheckpointNow();
  run.Eta(1.5);
  run.TrainTo(30);
  // Written beside training, told of later.
  run.Tell(made);
  run.State();
}

TEST(ReplayTest, ASteeredRunIsIdentical) {
  ScriptedRun run(CircleSpec());
  Steer(run);
  const ReplayResult result = ReplayOf(run);
  EXPECT_EQ(ToText(result), "identical through batch 30 (30 losses, 2 states, 2 checkpoints, 1 validation compared)\n");
  EXPECT_EQ(result.batches, 30);
  EXPECT_EQ(result.run_id, "test-run");
}

TEST(ReplayTest, RunsOfEveryKindAreIdentical) {
  for (const v1::Precision precision : {v1::PRECISION_FLOAT32, v1::PRECISION_FLOAT64}) {
    for (const std::string kind : {"shuffled", "in order", "full batch", "standardised", "dropout and batch norm"}) {
      SCOPED_TRACE(absl::StrCat(v1::Precision_Name(precision), ", ", kind));
      v1::RunSpec spec = CircleSpec();
      spec.set_precision(precision);
      spec.set_keep_order(kind == "in order");
      spec.set_full_batch(kind == "full batch");
      if (spec.full_batch()) spec.clear_batch_size();
      spec.mutable_data()->set_standardize(kind == "standardised");
      if (kind == "dropout and batch norm") spec.mutable_network()->set_shorthand("2x8btd0.3x2");
      ScriptedRun run(spec);
      Steer(run);
      EXPECT_FALSE(ReplayOf(run).difference.has_value()) << ToText(ReplayOf(run));
    }
  }
}

TEST(ReplayTest, RunsOfEveryOptimizerAreIdenticalAndTheirSettingsCount) {
  for (int number = 1; number < v1::OptimizerKind_ARRAYSIZE; ++number) {
    const auto kind = static_cast<v1::OptimizerKind>(number);
    SCOPED_TRACE(v1::OptimizerKind_Name(kind));
    v1::RunSpec spec = CircleSpec();
    spec.mutable_optimizer()->set_kind(kind);
    spec.clear_eta();
    ScriptedRun run(spec);
    run.TrainTo(10);
    const uint64_t decay = run.Knob("weight_decay", 0.1);
    run.Tell(run.CheckpointNow());
    run.TrainTo(20);
    run.Rewind(15, "first");
    run.Knob("clip_value", 0.05);
    run.TrainTo(30);
    run.State();
    EXPECT_FALSE(ReplayOf(run).difference.has_value()) << ToText(ReplayOf(run));
    run.journal().Rewrite(decay, [](v1::Event& event) { event.mutable_control()->set_value(0.2); });
    EXPECT_TRUE(ReplayOf(run).difference.has_value()) << "the change was not taken up";
  }
}

// Of 5 batches is an epoch.
TEST(ReplayTest, ARunWhoseEtaFollowedAScheduleIsIdenticalAndTheScheduleCounts) {
  for (const std::string schedule : {"cosine over=8 warmup=1", "2,0.1;5,0.3", "one-cycle over=35 unit=batches"}) {
    SCOPED_TRACE(schedule);
    v1::RunSpec spec = CircleSpec();
    spec.mutable_optimizer()->set_kind(v1::OPTIMIZER_KIND_MOMENTUM);
    spec.set_eta_schedule(schedule);
    ScriptedRun run(spec);
    run.TrainTo(8);
    run.Eta(0.25);
    run.TrainTo(13);
    run.FollowSchedule();
    run.TrainTo(20);
    run.Tell(run.CheckpointNow());
    run.TrainTo(28);
    run.Rewind(11, "first");
    run.TrainTo(13);
    run.FollowSchedule();
    run.TrainTo(30);
    const ReplayResult result = ReplayOf(run);
    EXPECT_FALSE(result.difference.has_value()) << ToText(result);
    EXPECT_EQ(result.losses, 28 + 19);
    run.journal().run().mutable_spec()->set_eta_schedule("cosine over=9");
    run.journal().Store();
    EXPECT_TRUE(ReplayOf(run).difference.has_value());
  }
}

TEST(ReplayTest, ARunThatDivergedIsIdentical) {
  v1::RunSpec spec = CircleSpec();
  spec.mutable_network()->set_shorthand("2x8x1");
  spec.set_loss(v1::LOSS_FUNCTION_MSE);
  ScriptedRun run(spec);
  run.TrainTo(3);
  run.Eta(1e30);
  run.TrainTo(12);
  run.State();
  const ReplayResult result = ReplayOf(run);
  EXPECT_FALSE(result.difference.has_value()) << ToText(result);
  EXPECT_EQ(result.losses, 12);
}

TEST(ReplayTest, ALossThatIsOneBitOffIsFoundWhereItIs) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(12);
  const uint64_t sequence = run.TrainTo(13);
  run.TrainTo(20);
  run.journal().Rewrite(sequence,
                        [](v1::Event& event) { event.mutable_loss()->set_value(NextAfter(event.loss().value())); });
  const ReplayResult result = ReplayOf(run);
  ASSERT_TRUE(result.difference.has_value());
  EXPECT_EQ(result.difference->batch, 13);
  EXPECT_EQ(result.difference->sequence, sequence);
  EXPECT_EQ(result.difference->kind, "loss");
  EXPECT_NE(result.difference->journal.bits, result.difference->replay.bits);
  EXPECT_EQ(result.through_batch, 12);
  EXPECT_THAT(ToText(result), HasSubstr(absl::StrCat("differs at batch 13, sequence ", sequence, ", loss")));
}

TEST(ReplayTest, AControlThatWasChangedShowsAtTheFirstLossItLeadsTo) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(10);
  const uint64_t control = run.Eta(0.25);
  run.TrainTo(20);
  run.journal().Rewrite(control, [](v1::Event& event) { event.mutable_control()->set_value(0.26); });
  const ReplayResult result = ReplayOf(run);
  ASSERT_TRUE(result.difference.has_value());
  EXPECT_EQ(result.difference->batch, 12) << "the loss of a batch is that before its update";
  EXPECT_EQ(result.difference->sequence, control + 2);
  EXPECT_EQ(result.difference->kind, "loss");
}

TEST(ReplayTest, AStateAndACheckpointAndAValidationThatAreOffAreFound) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(5);
  const uint64_t state = run.State();
  run.TrainTo(6);
  const uint64_t validation = run.Validate();
  run.TrainTo(7);
  const uint64_t checkpoint = run.Tell(run.CheckpointNow());
  run.TrainTo(8);
  run.journal().Rewrite(checkpoint, [](v1::Event& event) { event.mutable_checkpoint()->set_state_sha256("0"); });
  EXPECT_EQ(ReplayOf(run).difference->sequence, checkpoint);
  EXPECT_EQ(ReplayOf(run).difference->batch, 7);
  run.journal().Rewrite(validation, [](v1::Event& event) {
    v1::NamedValue& value = *event.mutable_plugin()->mutable_output()->mutable_values(0);
    value.set_value(NextAfter(value.value()));
  });
  EXPECT_EQ(ReplayOf(run).difference->sequence, validation);
  run.journal().Rewrite(state, [](v1::Event& event) {
    std::string& bytes = *event.mutable_state()->mutable_state()->mutable_data();
    bytes[4 * 3] = static_cast<char>(bytes[4 * 3] ^ 1);
  });
  EXPECT_EQ(ReplayOf(run).difference->sequence, state);
  EXPECT_EQ(ReplayOf(run).difference->part, "parameter 3");
}

TEST(ReplayTest, AScoreThatReplayDoesNotFindIsADifferenceUnlessNoneIsCalledSo) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(5);
  const uint64_t validation = run.Validate();
  run.journal().Rewrite(validation, [](v1::Event& event) {
    v1::NamedValue& value = *event.mutable_plugin()->mutable_output()->add_values();
    value.set_name("of a newer trainer");
    value.set_value(0.5);
  });
  EXPECT_FALSE(ReplayOf(run).difference.has_value()) << ToText(ReplayOf(run));
  for (const std::string name : {"mae", "confusion.2.0"}) {
    run.journal().Rewrite(validation, [&](v1::Event& event) {
      event.mutable_plugin()->mutable_output()->mutable_values(1)->set_name(name);
    });
    const ReplayResult result = ReplayOf(run);
    ASSERT_TRUE(result.difference.has_value()) << name;
    EXPECT_EQ(result.difference->sequence, validation);
    EXPECT_EQ(result.difference->part, "held-out " + name);
    EXPECT_EQ(result.difference->replay.text, "no such score");
  }
}

TEST(ReplayTest, ParametersFromAFileAreTakenAndTheirFileChecked) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(4);
  const std::string file = "exchanged.safetensors";
  ASSERT_TRUE(run.learner().Snapshot()->Save(run.journal().directory() + "/" + file, 4).ok());
  run.TrainTo(9);
  const v1::CheckpointReport before = run.CheckpointNow();
  const uint64_t sequence = run.Parameters(file);
  const v1::CheckpointReport after = run.CheckpointNow();
  run.TrainTo(12);
  run.Tell(before);
  run.Tell(after);
  EXPECT_FALSE(ReplayOf(run).difference.has_value()) << ToText(ReplayOf(run));
  EXPECT_EQ(ReplayOf(run).checkpoints, 2);
  std::ofstream(run.journal().directory() + "/" + file) << "other";
  EXPECT_EQ(ReplayOf(run).difference->sequence, sequence);
  EXPECT_EQ(ReplayOf(run).difference->kind, "control");
}

TEST(ReplayTest, BranchesAreGoneThroughAsTheRunDid) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(10);
  run.Eta(0.25);
  run.TrainTo(20);
  const v1::CheckpointReport left = run.CheckpointNow();
  run.Rewind(10, "first");
  // Told of after the run was taken back, and of the line before.
  run.Tell(left);
  run.Eta(0.75);
  run.TrainTo(15);
  run.Tell(run.CheckpointNow());
  run.Rewind(5, "second");
  run.TrainTo(25);
  run.Rewind(25, "third");
  run.Eta(0.1);
  run.TrainTo(30);
  run.Rewind(25, "fourth");
  run.TrainTo(28);
  run.State();
  const ReplayResult result = ReplayOf(run);
  EXPECT_FALSE(result.difference.has_value()) << ToText(result);
  EXPECT_EQ(result.losses, 20 + 5 + 20 + 5 + 3);
  EXPECT_EQ(result.checkpoints, 2);
  EXPECT_EQ(result.rewinds, 4);
  EXPECT_EQ(result.through_batch, 28);
}

TEST(ReplayTest, ThroughABatchNothingAfterItIsLookedAt) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(20);
  run.Rewind(15, "first");
  run.TrainTo(18);
  run.Rewind(5, "second");
  const uint64_t last = run.TrainTo(12);
  ReplayOptions options = run.Options();
  options.through = 10;
  const absl::StatusOr<ReplayResult> result = Replay(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->difference.has_value()) << ToText(*result);
  EXPECT_EQ(result->losses, 10 + 5);
  EXPECT_EQ(result->batches, 10 + 5);
  run.journal().Rewrite(last, [](v1::Event& event) { event.mutable_loss()->set_value(-1); });
  EXPECT_FALSE(Replay(options)->difference.has_value());
  EXPECT_TRUE(ReplayOf(run).difference.has_value());
}

TEST(ReplayTest, ADamagedLossIsLeftOutAndSaid) {
  ScriptedRun run(CircleSpec());
  const uint64_t damaged = run.TrainTo(5);
  run.TrainTo(10);
  run.journal().Execute(absl::StrCat("UPDATE events SET payload = x'ffff' WHERE sequence = ", damaged));
  const ReplayResult result = ReplayOf(run);
  EXPECT_FALSE(result.difference.has_value());
  EXPECT_EQ(result.losses, 9);
  EXPECT_THAT(result.damaged, SizeIs(1));
  EXPECT_THAT(ToText(result), HasSubstr(absl::StrCat("from sequence ", damaged, " to ", damaged)));
}

TEST(ReplayTest, AJournalWithADamagedLogIsRefused) {
  ScriptedRun run(CircleSpec());
  run.journal().Execute("PRAGMA journal_mode = WAL");
  run.TrainTo(5);
  ASSERT_TRUE(run.Replay().ok()) << run.Replay().status();
  std::fstream log(run.Options().directory + "/run.db-wal", std::ios::in | std::ios::out | std::ios::binary);
  log.seekg(1000);
  const int byte = log.get();
  log.seekp(1000);
  log.put(static_cast<char>(byte ^ 1));
  log.close();
  const absl::Status refused = run.Replay().status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_THAT(std::string(refused.message()),
              ::testing::AllOf(HasSubstr("run.db-wal"), HasSubstr("start pilothoused")));
}

TEST(ReplayTest, OtherDataAndJournalsThatCannotBeReadAreRefused) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(5);
  ReplayOptions options = run.Options();
  options.data_directory = "/nowhere";
  options.data.clear();
  const absl::Status missing = Replay(options).status();
  EXPECT_EQ(ReasonOf(missing), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("are not below /nowhere. Say where they are: --data FILE"));
  std::ofstream(run.table(), std::ios::app) << "1,1,1\n";
  const absl::Status changed = run.Replay().status();
  EXPECT_EQ(ReasonOf(changed), v1::ERROR_REASON_DATA_CHANGED);
  EXPECT_THAT(std::string(changed.message()),
              EndsWith(". Give the data that the run was trained on: --data FILE, or for "
                       "inputs, targets and perhaps weights as arrays, --data FILE for each."));
  options.directory = "/nowhere";
  EXPECT_EQ(ReasonOf(Replay(options).status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST(ReplayTest, FindsTheDataWhereTheServiceOfTheRunHasThem) {
  ScriptedRun run(CircleSpec());
  run.TrainTo(5);
  const std::string root = run.journal().directory() + "/root";
  std::filesystem::create_directories(root + "/runs/copy");
  std::filesystem::create_directories(root + "/files");
  std::filesystem::copy(run.table(), root + "/files/circle.csv");
  std::filesystem::copy(run.journal().directory() + "/run.db", root + "/runs/copy/run.db");
  ReplayOptions options;
  options.directory = root + "/runs/copy/";
  const absl::StatusOr<ReplayResult> result = Replay(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->losses, 5);
}

}  // namespace
}  // namespace pilothouse::trainer
