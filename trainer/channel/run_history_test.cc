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
#include "trainer/channel/journal_scan.h"
#include "trainer/channel/run_history_fixture.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

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

// At the batch that was left, since the event comes from the same boundary.
TEST_F(RunHistoryTest, ACheckpointToldOfAfterTheRewindDoesNotTakeTheRunForwardAgain) {
  Target(0, 100);
  Checkpoint(10, 10);
  Loss(50);
  Rewind(50, 20, "first");
  v1::Event late = EventAt(50);
  late.mutable_checkpoint()->set_batch(48);
  late.mutable_checkpoint()->set_controls(1);
  late.mutable_checkpoint()->set_line(0);
  late.mutable_checkpoint()->set_file(Read().checkpoints()[0].report.file());
  journal_.Add(std::move(late));
  EXPECT_THAT(Resume(50), ElementsAre("{\"batch\":10,\"controls\":1}", "20 pause", "through 20"));
  EXPECT_TRUE(Read().PlanResume(50, damaged_)->pause);
  EXPECT_EQ(*Read().LastBatch(""), 20);
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
