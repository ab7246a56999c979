// Answers from what a run has left, given by a program that stands in for the trainer.
#include "service/runs/saved_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/checkpoint_testing.h"

namespace pilothouse::service {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kHash[] = "aa";

class SavedRunTest : public CheckpointFixture {
 protected:
  void Keep(int64_t batch) {
    v1::CheckpointReport report = ReportOf(batch);
    report.set_sha256(kHash);
    CheckpointFixture::Keep(report);
  }
  // Two files of the same batch and state, of which the second is named so.
  static std::string TwinFile(int64_t batch) { return absl::StrCat("checkpoints/twin-", batch, ".safetensors"); }
  void KeepTwins(int64_t batch) {
    v1::CheckpointReport report = ReportOf(batch);
    report.set_state_sha256("state");
    report.set_sha256(kHash);
    CheckpointFixture::Keep(report);
    report.set_file(TwinFile(batch));
    report.set_sha256("bb");
    CheckpointFixture::Keep(report);
  }
  // What the program says when it is asked for the n-th time, counted from 1, and what it does before.
  void OnCall(int n, const v1::Answer& answer, const std::string& commands = ":") {
    WriteFile(directory_.File(absl::StrCat("answer-", n)), answer.SerializeAsString());
    WriteFile(directory_.File(absl::StrCat("do-", n)), commands);
  }
  absl::StatusOr<v1::Answer> Ask() {
    const std::string program = directory_.File("trainer");
    WriteFile(program, absl::StrCat("#!/bin/sh\ncd '", directory_.path(),
                                    "' || exit 1\ncat > query\necho \"$*\" >> calls\nn=$(($(wc -l < calls)))\n"
                                    ". ./do-$n\ncat answer-$n\n"));
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    v1::Query query;
    query.mutable_predict();
    return AnswerSavedQuery(place_, run_, program, query, v1::ModelChoice(), [] { return false; });
  }
  // What the program was asked last.
  v1::SavedQuery Asked() const {
    v1::SavedQuery query;
    EXPECT_TRUE(query.ParseFromString(ReadFile(directory_.File("query"))));
    return query;
  }
  static v1::Answer Refusal(v1::ErrorReason reason) {
    v1::Answer answer;
    *answer.mutable_error() = ToError(MakeError(reason, "", "No.", {{"cause", "it is odd."}}));
    return answer;
  }
  static v1::Answer Prediction(int64_t batch) {
    v1::Answer answer;
    answer.mutable_predict()->set_batch(batch);
    return answer;
  }
};

TEST_F(SavedRunTest, TheProgramIsToldWhatTheFileMustHold) {
  Keep(20);
  OnCall(1, Prediction(20));
  const absl::StatusOr<v1::Answer> answer = Ask();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->model().file(), FileOf(20));
  EXPECT_EQ(answer->model().batch(), 20);
  EXPECT_EQ(Asked().checkpoint_sha256(), kHash);
  EXPECT_EQ(ReadFile(directory_.File("calls")), "--saved-query\n")
      << "trainers of older versions know no more arguments";
}

TEST_F(SavedRunTest, OfADamagedCheckpointItIsSaidWhichItIsAndWhatToDo) {
  Keep(10);
  Keep(20);
  OnCall(1, Refusal(v1::ERROR_REASON_CHECKPOINT_DAMAGED));
  const absl::Status refused = Ask().status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_CHECKPOINT_DAMAGED);
  EXPECT_EQ(ToError(refused).metadata().at("file"), FileOf(20));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("it is odd. Put it back"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("fork the run at batch 20"));
}

TEST_F(SavedRunTest, WhatIsOfferedForADamagedCheckpointCanBeDone) {
  OnCall(1, Refusal(v1::ERROR_REASON_CHECKPOINT_DAMAGED));
  const auto refused = [&] {
    std::filesystem::remove(directory_.File("calls"));
    return std::string(Ask().status().message());
  };
  constexpr char kAgain[] = "fork the run at batch 20";
  constexpr char kNext[] = "remove the file";
  Keep(20);
  EXPECT_THAT(refused(), AllOf(HasSubstr(kAgain), Not(HasSubstr(kNext)))) << "it begins at batch 0, by itself";
  v1::RunSpec fork;
  fork.mutable_parent()->set_run_id("parent");
  fork.mutable_parent()->set_batch(15);
  Begin(fork);
  Keep(20);
  EXPECT_THAT(refused(),
              AllOf(HasSubstr("fork parent anew at batch 15"), Not(HasSubstr(kAgain)), Not(HasSubstr(kNext))));
  v1::CheckpointReport cut = ReportOf(15);
  cut.set_bytes(900);
  CheckpointFixture::Keep(cut);
  EXPECT_THAT(refused(), Not(HasSubstr(kAgain))) << "of another size than it was";
  Keep(17);
  EXPECT_THAT(refused(), AllOf(HasSubstr(kAgain), HasSubstr(kNext), Not(HasSubstr("anew"))));
}

TEST_F(SavedRunTest, InPlaceOfADamagedCheckpointItsTwinAnswers) {
  KeepTwins(20);
  OnCall(1, Refusal(v1::ERROR_REASON_CHECKPOINT_DAMAGED), "cp query first");
  OnCall(2, Prediction(20));
  const absl::StatusOr<v1::Answer> answer = Ask();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->model().file(), FileOf(20));
  EXPECT_EQ(Asked().checkpoint_sha256(), kHash);
  v1::SavedQuery first;
  ASSERT_TRUE(first.ParseFromString(ReadFile(directory_.File("first"))));
  EXPECT_EQ(first.checkpoint_path(), directory_.File(TwinFile(20)));
  EXPECT_EQ(first.checkpoint_sha256(), "bb");
}

TEST_F(SavedRunTest, WhereAllTwinsAreDamagedThatIsSaid) {
  Keep(10);
  KeepTwins(20);
  for (const int call : {1, 2}) OnCall(call, Refusal(v1::ERROR_REASON_CHECKPOINT_DAMAGED));
  EXPECT_EQ(ReasonOf(Ask().status()), v1::ERROR_REASON_CHECKPOINT_DAMAGED);
  EXPECT_EQ(ReadFile(directory_.File("calls")), "--saved-query\n--saved-query\n");
}

TEST_F(SavedRunTest, AFileThatWasRemovedBeforeItWasReadIsLookedForOnceMore) {
  Keep(10);
  Keep(20);
  OnCall(1, Refusal(v1::ERROR_REASON_NO_PARAMETERS), absl::StrCat("rm ", FileOf(20)));
  OnCall(2, Prediction(10));
  const absl::StatusOr<v1::Answer> answer = Ask();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->model().file(), FileOf(10));
  EXPECT_EQ(Asked().checkpoint_path(), directory_.File(FileOf(10)));
}

TEST_F(SavedRunTest, AFileThatIsGoneForGoodIsNamed) {
  Keep(10);
  OnCall(1, Refusal(v1::ERROR_REASON_NO_PARAMETERS), absl::StrCat("rm ", FileOf(10)));
  const absl::Status gone = Ask().status();
  EXPECT_EQ(ReasonOf(gone), v1::ERROR_REASON_NO_PARAMETERS);
  EXPECT_EQ(ToError(gone).metadata().at("file"), FileOf(10));
}

TEST_F(SavedRunTest, NoFileIsLookedForAThirdTime) {
  Keep(10);
  for (const int call : {1, 2}) OnCall(call, Refusal(v1::ERROR_REASON_NO_PARAMETERS));
  EXPECT_EQ(ToError(Ask().status()).metadata().at("file"), FileOf(10));
  EXPECT_EQ(ReadFile(directory_.File("calls")), "--saved-query\n--saved-query\n");
}

}  // namespace
}  // namespace pilothouse::service
