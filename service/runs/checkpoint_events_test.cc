// Which checkpoints of a run there are, by its journal and its folder.
#include "service/runs/checkpoint_events.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/runs/checkpoint_testing.h"

namespace pilothouse::service {
namespace {

class CheckpointEvents : public CheckpointFixture {
 protected:
  static v1::CheckpointReport OfLine(int64_t line, int64_t batch) {
    v1::CheckpointReport report = ReportOf(batch);
    report.set_line(line);
    return report;
  }
  // Recorded with a size, whatever is there.
  void RecordSized(int64_t batch, int64_t bytes, bool pinned) {
    v1::CheckpointReport report = ReportOf(batch);
    report.set_bytes(bytes);
    report.set_pinned(pinned);
    Record(report);
  }
  // The n-th rewind, from `through` to `from`.
  void TakeBack(const std::string& name, int64_t from, int64_t through) {
    v1::Branch& branch = *run_.add_branches();
    branch.set_name(name);
    branch.set_from_batch(from);
    branch.set_through_batch(through);
  }
  std::vector<std::string> Listed() const {
    std::vector<std::string> listed;
    const auto list = ListCheckpoints(place_, run_);
    EXPECT_TRUE(list.ok()) << list.status();
    if (!list.ok()) return listed;
    for (const v1::Checkpoint& one : *list) {
      listed.push_back(absl::StrCat(one.batch(), one.branch().empty() ? "" : " ", one.branch()));
    }
    return listed;
  }

  std::vector<v1::CheckpointCondition> Conditions() const {
    std::vector<v1::CheckpointCondition> conditions;
    const std::vector<v1::Checkpoint> list = ListCheckpoints(place_, run_).value();
    for (const v1::Checkpoint& one : list) conditions.push_back(one.condition());
    return conditions;
  }
};

using Names = std::vector<std::string>;

TEST_F(CheckpointEvents, ThoseThatAreThereAreListedTheNewestFirst) {
  Keep(ReportOf(10));
  Keep(ReportOf(20));
  Record(ReportOf(30));
  Touch("checkpoints/batch-000000000040.safetensors");
  Touch("checkpoints/notes.txt");
  EXPECT_EQ(Listed(), (Names{"20", "10"})) << "30 was removed, and nobody recorded 40";
}

TEST_F(CheckpointEvents, BelongToTheBranchThatTheRunWasTakenBackFrom) {
  Keep(ReportOf(10));
  Keep(ReportOf(20));
  Keep(ReportOf(30));
  TakeBack("first", 15, 30);
  Keep(OfLine(1, 18));
  Keep(OfLine(1, 25));
  TakeBack("second", 19, 25);
  EXPECT_EQ(Listed(), (Names{"18", "10", "30 first", "25 second", "20 first"}));
}

TEST_F(CheckpointEvents, OfAnEarlierLineMayBeLeftByALaterRewind) {
  Keep(ReportOf(10));
  Keep(ReportOf(20));
  TakeBack("first", 20, 30);
  TakeBack("second", 15, 40);
  EXPECT_EQ(Listed(), (Names{"10", "20 second"}));
}

TEST_F(CheckpointEvents, OfAFileThatWasWrittenAgainTheLastOneCounts) {
  v1::CheckpointReport report = ReportOf(20);
  report.set_sha256("old");
  Record(report);
  TakeBack("first", 10, 20);
  report.set_line(1);
  report.set_sha256("new");
  Keep(report);
  const auto list = ListCheckpoints(place_, run_);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().sha256(), "new");
  EXPECT_EQ(list->front().branch(), "");
}

TEST_F(CheckpointEvents, TellWhatALookAtTheFileShows) {
  for (const int64_t batch : {10, 20, 30}) Touch(FileOf(batch));
  RecordSized(10, 1, false);
  RecordSized(20, 900, false);
  RecordSized(30, 0, false);
  RecordSized(40, 900, true);
  std::filesystem::create_directory(directory_.File(FileOf(50)));
  RecordSized(50, 900, false);
  EXPECT_EQ(Listed(), (Names{"50", "40", "30", "20", "10"}));
  EXPECT_EQ(Conditions(), (std::vector{v1::CHECKPOINT_CONDITION_DAMAGED, v1::CHECKPOINT_CONDITION_GONE,
                                       v1::CHECKPOINT_CONDITION_PRESENT, v1::CHECKPOINT_CONDITION_DAMAGED,
                                       v1::CHECKPOINT_CONDITION_PRESENT}))
      << "40 was to be kept, and of 30 no size is recorded";
}

TEST_F(CheckpointEvents, WhatNobodyMayLookAtIsNotSaidToBeGoneOrDamaged) {
  std::filesystem::create_symlink(directory_.File(FileOf(10)), directory_.File(FileOf(10)));
  RecordSized(10, 1, false);
  EXPECT_EQ(Conditions(), std::vector{v1::CHECKPOINT_CONDITION_UNSPECIFIED});
  EXPECT_EQ(NewestCheckpoint(place_, run_).size(), 1U);
  EXPECT_FALSE(NewestGoodCheckpoint(place_, run_).has_value());
}

TEST_F(CheckpointEvents, WhatIsDamagedOrGoneIsNotGoneOnFrom) {
  EXPECT_FALSE(NewestGoodCheckpoint(place_, run_).has_value());
  for (const int64_t batch : {10, 20}) Touch(FileOf(batch));
  RecordSized(10, 1, false);
  RecordSized(20, 900, false);
  RecordSized(30, 900, true);
  EXPECT_EQ(NewestGoodCheckpoint(place_, run_), 10);
  EXPECT_EQ(NewestCheckpoint(place_, run_).front().batch, 20) << "whoever asks for the last is told that it is damaged";
}

TEST_F(CheckpointEvents, ParametersAreThoseOfTheNewestOnThePresentLine) {
  EXPECT_TRUE(NewestCheckpoint(place_, run_).empty());
  Keep(ReportOf(10));
  Keep(ReportOf(30));
  TakeBack("first", 15, 30);
  run_.set_status(v1::RUN_STATUS_FAILED);
  run_.set_batch(17);
  const auto newest = NewestCheckpoint(place_, run_);
  ASSERT_EQ(newest.size(), 1U);
  EXPECT_EQ(newest.front().batch, 10);
  EXPECT_EQ(newest.front().path, directory_.File(FileOf(10)));
}

TEST_F(CheckpointEvents, TwinsHoldTheSameAndWholeOnesComeFirst) {
  const auto keep = [&](const std::string& name, int64_t batch, const std::string& state, int64_t bytes) {
    v1::CheckpointReport report = ReportOf(batch);
    report.set_file(absl::StrCat("checkpoints/", name));
    report.set_state_sha256(state);
    report.set_sha256(name);
    report.set_bytes(bytes);
    Keep(report);
  };
  const auto newest = [&] {
    Names names;
    for (const SavedParameters& file : NewestCheckpoint(place_, run_)) names.push_back(file.sha256);
    return names;
  };
  keep("earlier", 10, "state", 1);
  keep("loaded over", 20, "another state", 1);
  keep("periodic", 20, "state", 1);
  keep("cut", 20, "state", 900);
  keep("asked for", 20, "state", 1);
  EXPECT_EQ(newest(), (Names{"asked for", "periodic", "cut"}));
  keep("at the stop", 20, "state", 900);
  EXPECT_EQ(newest(), (Names{"asked for", "periodic", "at the stop", "cut"}));
  keep("of an older version", 20, "", 900);
  EXPECT_EQ(newest(), (Names{"of an older version"})) << "of which nobody knows the state";
  for (size_t i = 0; i < 2 * kMaxTwins; ++i) keep(absl::StrCat(i), 30, "state", 1);
  EXPECT_EQ(newest().size(), kMaxTwins);
}

TEST_F(CheckpointEvents, ParametersOfAnOldRunAreFoundByName) {
  Touch(FileOf(10));
  Touch(FileOf(40));
  const auto newest = NewestCheckpoint(place_, run_);
  ASSERT_EQ(newest.size(), 1U);
  EXPECT_EQ(newest.front().batch, 40);
}

TEST_F(CheckpointEvents, WhatAStoppedRunSavedLastCountsThoughItWasNotRecorded) {
  Keep(ReportOf(10));
  Touch(FileOf(17));
  Touch(FileOf(99));
  run_.set_batch(17);
  run_.set_status(v1::RUN_STATUS_FAILED);
  EXPECT_EQ(NewestCheckpoint(place_, run_).front().batch, 10);
  run_.set_status(v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(NewestCheckpoint(place_, run_).front().batch, 17);
}

}  // namespace
}  // namespace pilothouse::service
