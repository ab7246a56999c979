#include "trainer/channel/run_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/channel/journal_fixture.h"
#include "trainer/channel/journal_scan.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/checkpoint/file_hash.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// "10 eta 0.5", "20 target 50", "20 pause", "30 stop".
std::string Describe(const AppliedControl& applied) {
  const std::string at = absl::StrCat(applied.batch, " ");
  if (const auto* knob = std::get_if<KnobChange>(&applied.control.change)) {
    return absl::StrCat(at, knob->name, " ", knob->value);
  }
  if (const auto* target = std::get_if<TargetChange>(&applied.control.change)) {
    return target->kind == TargetChange::Kind::kPause ? at + "pause" : absl::StrCat(at, "target ", target->count);
  }
  if (const auto* stop = std::get_if<StopChange>(&applied.control.change)) {
    return at + (stop->completed ? "complete" : "stop");
  }
  if (const auto* parameters = std::get_if<ParametersChange>(&applied.control.change)) {
    return absl::StrCat(at, "parameters of ", parameters->from_run_id);
  }
  return at + "?";
}

class RunHistoryTest : public testing::Test {
 protected:
  v1::Event EventAt(int64_t batch) {
    v1::Event event;
    event.set_batch(batch);
    event.mutable_time()->set_seconds(++seconds_);
    return event;
  }
  void Loss(int64_t batch) {
    v1::Event event = EventAt(batch);
    event.mutable_loss()->set_value(0.5);
    journal_.Add(std::move(event));
  }
  void Status(int64_t batch, v1::RunStatus status) {
    v1::Event event = EventAt(batch);
    event.mutable_status()->set_status(status);
    journal_.Add(std::move(event));
  }
  void Plugin(int64_t batch, const std::string& name) {
    v1::Event event = EventAt(batch);
    event.mutable_plugin()->set_plugin(name);
    journal_.Add(std::move(event));
  }
  v1::Event ControlAt(int64_t batch) {
    v1::Event event = EventAt(batch);
    event.mutable_control()->set_request_id(absl::StrCat("control-", ++controls_));
    return event;
  }
  void Eta(int64_t batch, double eta) {
    v1::Event event = ControlAt(batch);
    event.mutable_control()->mutable_change()->mutable_knob()->set_name("eta");
    event.mutable_control()->mutable_change()->mutable_knob()->set_value(eta);
    journal_.Add(std::move(event));
  }
  void Target(int64_t batch, int64_t target) {
    v1::Event event = ControlAt(batch);
    event.mutable_control()->mutable_change()->mutable_target()->set_batch(target);
    journal_.Add(std::move(event));
  }
  void Stop(int64_t batch, const std::string& origin) {
    v1::Event event = ControlAt(batch);
    event.mutable_control()->mutable_change()->mutable_stop();
    event.mutable_control()->set_origin(origin);
    journal_.Add(std::move(event));
  }
  void Rewind(int64_t from, int64_t to, const std::string& branch) {
    v1::Event event = ControlAt(from);
    event.mutable_control()->mutable_change()->mutable_rewind()->set_batch(to);
    event.mutable_control()->set_value(static_cast<double>(to));
    event.mutable_control()->set_branch(branch);
    journal_.Add(std::move(event));
    ++line_;
  }
  // A checkpoint of `batch`, told of at `told_at`, after all controls until now.
  std::string Checkpoint(int64_t batch, int64_t told_at) {
    CheckpointStore store(journal_.directory(), {}, {}, nullptr);
    CheckpointRequest request;
    request.facts.batch = batch;
    request.state.texts["made"] = absl::StrCat("{\"batch\":", batch, ",\"controls\":", controls_, "}");
    const CheckpointOutcome outcome = store.WriteNow(std::move(request));
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    v1::Event event = EventAt(told_at);
    v1::CheckpointReport& report = *event.mutable_checkpoint();
    report.set_batch(batch);
    report.set_controls(controls_);
    report.set_line(line_);
    report.set_file(outcome.file);
    report.set_sha256(outcome.sha256);
    journal_.Add(std::move(event));
    return journal_.directory() + "/" + outcome.file;
  }
  static void Damage(const std::string& file) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-1, std::ios::end);
    stream.put('~');
  }

  RunHistory Read() {
    absl::StatusOr<RunHistory> history = RunHistory::Read(journal_.directory());
    EXPECT_TRUE(history.ok()) << history.status();
    return *std::move(history);
  }
  // What a plan says in a line: where it begins, what it feeds back.
  std::vector<std::string> Told(const absl::StatusOr<ResumePlan>& plan) {
    if (!plan.ok()) return {std::string(plan.status().message())};
    std::vector<std::string> told = {plan->checkpoint == nullptr ? "anew" : plan->checkpoint->texts.at("made")};
    for (const AppliedControl& applied : plan->controls) told.push_back(Describe(applied));
    told.push_back(absl::StrCat("through ", plan->through_batch));
    return told;
  }
  std::vector<std::string> Resume(int64_t seen_batch = 0) { return Told(Read().PlanResume(seen_batch, damaged_)); }
  std::vector<std::string> Visit(int64_t batch, const std::string& branch = "") {
    return Told(Read().PlanVisit(batch, branch, damaged_));
  }

  JournalFixture journal_;
  std::vector<std::string> damaged_;

 private:
  int64_t seconds_ = 0;
  int64_t controls_ = 0;
  int64_t line_ = 0;
};

TEST_F(RunHistoryTest, BeginsAnewWithoutACheckpointAndFeedsEveryControlBack) {
  Target(0, 100);
  Eta(10, 0.5);
  Eta(10, 0.25);
  Loss(40);
  EXPECT_THAT(Resume(), ElementsAre("anew", "0 target 100", "10 eta 0.5", "10 eta 0.25", "through 40"));
  EXPECT_THAT(Resume(60), ElementsAre("anew", "0 target 100", "10 eta 0.5", "10 eta 0.25", "through 60"));
}

TEST_F(RunHistoryTest, GoesOnFromTheNewestCheckpointWithTheControlsItLacks) {
  Target(0, 100);
  Checkpoint(10, 12);
  Eta(20, 0.5);
  Checkpoint(20, 21);
  Eta(20, 0.25);
  Eta(30, 0.125);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":20,\"controls\":2}", "20 eta 0.25", "30 eta 0.125", "through 30"));
  const absl::StatusOr<ResumePlan> plan = Read().PlanResume(0, damaged_);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->controls_recorded, 4);
  EXPECT_EQ(plan->line, 0);
  ASSERT_THAT(plan->recorded, SizeIs(2));
  EXPECT_EQ(plan->recorded[1].facts.batch, 20);
  EXPECT_THAT(damaged_, IsEmpty());
}

TEST_F(RunHistoryTest, TakesAnOlderCheckpointWhereTheNewestIsDamagedAndSaysSo) {
  Target(0, 100);
  Checkpoint(10, 10);
  Eta(15, 0.5);
  const std::string newest = Checkpoint(20, 20);
  Damage(newest);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":10,\"controls\":1}", "15 eta 0.5", "through 20"));
  EXPECT_THAT(damaged_, ElementsAre(HasSubstr(newest)));
}

TEST_F(RunHistoryTest, BeginsAnewWhereEveryCheckpointIsDamagedOrGone) {
  Damage(Checkpoint(10, 10));
  std::filesystem::remove(Checkpoint(20, 20));
  Eta(20, 0.5);
  EXPECT_THAT(Resume(), ElementsAre("anew", "20 eta 0.5", "through 20"));
  EXPECT_THAT(damaged_, SizeIs(1)) << "retention removes files: one that is gone is not damaged";
}

TEST_F(RunHistoryTest, AForkWhoseCheckpointsAreAllDamagedCannotGoOn) {
  journal_.run().mutable_spec()->mutable_parent()->set_batch(30);
  journal_.Execute("DELETE FROM meta");
  journal_.Store();
  const std::string base = Checkpoint(30, 30);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":30,\"controls\":0}", "through 30"));
  EXPECT_EQ(Read().first_batch(), 30);
  Damage(base);
  EXPECT_EQ(ReasonOf(Read().PlanResume(0, damaged_).status()), v1::ERROR_REASON_CHECKPOINT_DAMAGED);
}

TEST_F(RunHistoryTest, VisitsABatchWithAllThatWasChangedThereButAStop) {
  Target(0, 100);
  Checkpoint(10, 10);
  Eta(20, 0.5);
  Eta(30, 0.25);
  Checkpoint(30, 30);
  Stop(40, "ana");
  EXPECT_THAT(Visit(20), ElementsAre("{\"batch\":10,\"controls\":1}", "20 eta 0.5", "through 20"));
  EXPECT_THAT(Visit(19), ElementsAre("{\"batch\":10,\"controls\":1}", "through 19"));
  EXPECT_THAT(Visit(5), ElementsAre("anew", "0 target 100", "through 5"));
  EXPECT_THAT(Visit(40), ElementsAre("{\"batch\":30,\"controls\":3}", "through 40"));
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":30,\"controls\":3}", "40 stop", "through 40"));
}

TEST_F(RunHistoryTest, WhatAPluginStoppedIsCompleted) {
  Stop(10, "plugin early-stopping");
  EXPECT_THAT(Resume(), ElementsAre("anew", "10 complete", "through 10"));
}

TEST_F(RunHistoryTest, ARewindDropsWhatCameAfterItsBatchAndPausesThere) {
  Target(0, 100);
  Checkpoint(10, 10);
  Eta(20, 0.5);
  Eta(30, 0.25);
  Checkpoint(40, 40);
  Loss(50);
  Rewind(50, 20, "first");
  EXPECT_THAT(Resume(50), ElementsAre("{\"batch\":10,\"controls\":1}", "20 eta 0.5", "20 pause", "through 20"));
  EXPECT_TRUE(Read().PlanResume(50, damaged_)->pause);
  Eta(20, 0.125);
  Loss(22);
  EXPECT_THAT(Resume(),
              ElementsAre("{\"batch\":10,\"controls\":1}", "20 eta 0.5", "20 pause", "20 eta 0.125", "through 22"));
  EXPECT_FALSE(Read().PlanResume(0, damaged_)->pause);
  Checkpoint(22, 23);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":22,\"controls\":5}", "through 23"));
}

TEST_F(RunHistoryTest, ABranchIsTheLineAsItWasBeforeItWasLeft) {
  Target(0, 100);
  Eta(20, 0.5);
  Checkpoint(40, 40);
  Rewind(50, 20, "first");
  Eta(20, 0.25);
  Checkpoint(30, 30);
  EXPECT_THAT(Visit(45, "first"), ElementsAre("{\"batch\":40,\"controls\":2}", "through 45"));
  EXPECT_THAT(Visit(30, "first"), ElementsAre("anew", "0 target 100", "20 eta 0.5", "through 30"));
  const RunHistory history = Read();
  ASSERT_THAT(history.branches(), SizeIs(1));
  EXPECT_EQ(history.branches()[0].name(), "first");
  EXPECT_EQ(history.branches()[0].from_batch(), 20);
  EXPECT_EQ(history.branches()[0].through_batch(), 50);
  EXPECT_EQ(*history.LastBatch("first"), 50);
  EXPECT_EQ(*history.LastBatch(""), 30);
}

TEST_F(RunHistoryTest, ARewindOfARewindKeepsWhatBothKept) {
  Target(0, 100);
  Checkpoint(5, 5);
  Eta(10, 0.5);
  Eta(40, 0.25);
  Rewind(50, 30, "first");
  Eta(35, 0.125);
  Checkpoint(35, 35);
  Rewind(60, 20, "second");
  Eta(25, 2);
  Loss(28);
  EXPECT_THAT(Resume(),
              ElementsAre("{\"batch\":5,\"controls\":1}", "10 eta 0.5", "20 pause", "25 eta 2", "through 28"));
  EXPECT_THAT(Visit(55, "second"), ElementsAre("{\"batch\":35,\"controls\":5}", "through 55"));
  EXPECT_THAT(Visit(45, "first"),
              ElementsAre("{\"batch\":5,\"controls\":1}", "10 eta 0.5", "40 eta 0.25", "through 45"));
  EXPECT_EQ(Read().PlanResume(0, damaged_)->line, 2);
}

TEST_F(RunHistoryTest, ACheckpointToldOfAfterTheRewindBelongsToTheLineItWasMadeOn) {
  Target(0, 100);
  Checkpoint(10, 10);
  Rewind(50, 20, "first");
  v1::Event late = EventAt(20);
  late.mutable_checkpoint()->set_batch(40);
  late.mutable_checkpoint()->set_controls(1);
  late.mutable_checkpoint()->set_line(0);
  late.mutable_checkpoint()->set_file(Read().checkpoints()[0].report.file());
  journal_.Add(std::move(late));
  Loss(45);
  EXPECT_THAT(Resume(), ElementsAre("{\"batch\":10,\"controls\":1}", "20 pause", "through 45"));
}

TEST_F(RunHistoryTest, TellsWhatWasReportedOfTheLastBatch) {
  Loss(9);
  Plugin(10, "old");
  Loss(20);
  Plugin(20, "norms");
  Plugin(20, "norms");
  Status(0, v1::RUN_STATUS_LOST);
  const absl::StatusOr<ResumePlan> plan = Read().PlanResume(20, damaged_);
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(plan->loss_reported);
  EXPECT_FALSE(plan->state_reported);
  EXPECT_THAT(plan->plugin_reports, UnorderedElementsAre(Pair("norms", 2)));
  const absl::StatusOr<ResumePlan> further = Read().PlanResume(21, damaged_);
  EXPECT_FALSE(further->loss_reported);
  EXPECT_THAT(further->plugin_reports, IsEmpty());
}

TEST_F(RunHistoryTest, AfterARewindWhatWasReportedOfItsBatchBeforeIsNotReportedAgain) {
  Loss(10);
  Loss(20);
  Plugin(20, "norms");
  Loss(30);
  Rewind(30, 20, "first");
  Status(30, v1::RUN_STATUS_LOST);
  const absl::StatusOr<ResumePlan> plan = Read().PlanResume(30, damaged_);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->through_batch, 20);
  EXPECT_TRUE(plan->loss_reported);
  EXPECT_THAT(plan->plugin_reports, UnorderedElementsAre(Pair("norms", 1)));
}

TEST_F(RunHistoryTest, MarksTellWhenTheLineWasWhereSinceTheCheckpoint) {
  Loss(5);
  Checkpoint(10, 11);
  Loss(20);
  Loss(30);
  Rewind(30, 20, "first");
  Loss(25);
  const absl::StatusOr<ResumePlan> plan = Read().PlanResume(0, damaged_);
  ASSERT_TRUE(plan.ok());
  std::vector<int64_t> batches;
  for (const TimeMark& mark : plan->marks) batches.push_back(mark.batch);
  EXPECT_THAT(batches, ElementsAre(11, 20, 25));
  EXPECT_EQ(plan->marks[0].time.time_since_epoch(), std::chrono::seconds(2));
}

TEST(PositionScanTest, OfManyMarksTheNewestStayComplete) {
  PositionScan scan({}, 0);
  const auto count = static_cast<int64_t>(kMaxTimeMarks) + 10;
  for (int64_t batch = 1; batch <= count; ++batch) {
    v1::Event event;
    event.set_batch(batch);
    event.set_sequence(static_cast<uint64_t>(batch));
    event.mutable_loss();
    scan.Take(event);
  }
  const std::vector<SequenceMark>& marks = scan.marks();
  EXPECT_EQ(marks.size(), kMaxTimeMarks * 3 / 4 + 10);
  EXPECT_EQ(marks[0].batch, 1);
  EXPECT_EQ(marks[1].batch, 3);
  EXPECT_EQ(marks[marks.size() - 2].batch, count - 1);
  EXPECT_EQ(marks.back().batch, count);
  EXPECT_EQ(scan.last_batch(), count);
}

TEST_F(RunHistoryTest, RefusesBranchesAndBatchesThatThereAreNot) {
  Target(0, 100);
  Rewind(50, 20, "first");
  EXPECT_EQ(ReasonOf(Read().PlanVisit(10, "second", damaged_).status()), v1::ERROR_REASON_BRANCH_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Read().LastBatch("second").status()), v1::ERROR_REASON_BRANCH_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Read().PlanVisit(51, "first", damaged_).status()), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(Read().PlanVisit(-1, "", damaged_).status()), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(RunHistory::Read("/nowhere").status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(RunHistoryTest, ADamagedLossDoesNoHarmButADamagedControlDoes) {
  Target(0, 100);
  Loss(30);
  Loss(40);
  Status(40, v1::RUN_STATUS_IDLE);
  journal_.Execute("UPDATE events SET payload = x'ffff' WHERE sequence = 2");
  EXPECT_THAT(Resume(), ElementsAre("anew", "0 target 100", "through 40"));
  journal_.Execute("UPDATE events SET payload = x'ffff' WHERE sequence = 1");
  EXPECT_EQ(ReasonOf(RunHistory::Read(journal_.directory()).status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(RunHistoryTest, WhatIsToldOfCheckpointsThatCouldNotBeWrittenIsNoCheckpoint) {
  v1::Event failed = EventAt(10);
  failed.mutable_checkpoint()->set_batch(10);
  failed.mutable_checkpoint()->set_error("The disk is full.");
  journal_.Add(std::move(failed));
  EXPECT_THAT(Read().checkpoints(), IsEmpty());
  EXPECT_THAT(Resume(), ElementsAre("anew", "through 10"));
}

}  // namespace
}  // namespace pilothouse::trainer
