// What saves parameters, and what reports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "trainer/plugin/builtin/deciding_fixture.h"

namespace pilothouse::trainer {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class SavingTest : public DecidingTest {
 protected:
  // Of the best file: the batch whose parameters it holds.
  std::string BestBatch() const {
    const std::string content = Saved("best.safetensors");
    return content.substr(0, content.find(':'));
  }
};

TEST_F(SavingTest, TheBestIsKeptAlsoWhereTheLastValidationFindsIt) {
  const auto plugin = Make("save-best");
  for (const double loss : {0.5, 0.3, 0.4}) AfterValidation(*plugin, loss);
  EXPECT_EQ(BestBatch(), "2");
  run_.GoTo(4);
  EXPECT_TRUE(Call(*plugin, run_, /*done=*/true).outputs.empty())
      << "the last parameters are not better for being last";
  EXPECT_EQ(BestBatch(), "2");
  run_.next_validation_loss = 0.1;
  ASSERT_TRUE(run_.Validate().ok());
  EXPECT_EQ(Call(*plugin, run_, /*done=*/true).outputs.size(), 1U);
  EXPECT_EQ(BestBatch(), "4");
}

TEST_F(SavingTest, OfEqualsTheFirstStays) {
  const auto plugin = Make("save-best");
  for (const double loss : {0.3, 0.3}) AfterValidation(*plugin, loss);
  EXPECT_EQ(BestBatch(), "1");
}

TEST_F(SavingTest, ALossThatIsNotANumberIsNeverTheBest) {
  const auto plugin = Make("save-best");
  AfterValidation(*plugin, kNan);
  EXPECT_EQ(BestBatch(), "");
  for (const double loss : {0.2, kNan}) AfterValidation(*plugin, loss);
  EXPECT_EQ(BestBatch(), "2");
}

TEST_F(SavingTest, ARestoredPluginKnowsTheBest) {
  const auto plugin = Make("save-best");
  AfterValidation(*plugin, 0.3);
  const auto restored = Restored(*plugin, "save-best");
  AfterValidation(*restored, 0.9);
  EXPECT_EQ(BestBatch(), "1");
}

TEST_F(SavingTest, WhatCouldNotBeSavedIsNotTakenForTheBest) {
  const auto plugin = Make("save-best");
  run_.can_save = false;
  const Called called = AfterValidation(*plugin, 0.3);
  EXPECT_EQ(ReasonOf(called.status), v1::ERROR_REASON_SAVE_FAILED);
  EXPECT_THAT(std::string(called.status.message()), HasSubstr("saved/best.safetensors: no space left"));
  run_.can_save = true;
  AfterValidation(*plugin, 0.4);
  EXPECT_EQ(BestBatch(), "2");
}

TEST_F(SavingTest, TheBestAccuracyIsTheHighest) {
  const auto plugin = Make("save-best", {{"metric", "validation_accuracy"}, {"min_gain", "0.05"}});
  for (const double accuracy : {0.5, 0.7, 0.72, 0.6}) AfterValidation(*plugin, 1, accuracy);
  EXPECT_EQ(BestBatch(), "2");
}

TEST_F(SavingTest, EachGainIsReportedWithTheFile) {
  const auto plugin = Make("save-best", {{"file", "top.safetensors"}});
  const Called called = AfterValidation(*plugin, 0.5);
  EXPECT_EQ(Reported(called, "validation_loss"), 0.5);
  EXPECT_EQ(called.outputs[0].message, "saved saved/top.safetensors");
  EXPECT_THAT(Saved("top.safetensors"), StartsWith("1:"));
  Refusal("save-best", {{"file", "../up"}});
}

TEST_F(SavingTest, SoManyFilesAreKept) {
  const auto plugin = Make("checkpoint", {{"keep", "2"}});
  for (const int64_t batch : {10, 20, 30}) At(*plugin, batch);
  EXPECT_EQ(Saved("checkpoint-000000000010.safetensors"), "");
  EXPECT_THAT(Saved("checkpoint-000000000020.safetensors"), StartsWith("20:"));
  EXPECT_THAT(Saved("checkpoint-000000000030.safetensors"), StartsWith("30:"));
}

TEST_F(SavingTest, ZeroKeepsAll) {
  const auto plugin = Make("checkpoint", {{"keep", "0"}, {"prefix", "all"}});
  for (const int64_t batch : {1, 2, 3, 4, 5}) At(*plugin, batch);
  EXPECT_NE(Saved("all-000000000001.safetensors"), "");
}

TEST_F(SavingTest, FilesOfOthersAreLeftAlone) {
  const auto other = Make("checkpoint", {{"keep", "1"}, {"prefix", "other"}});
  At(*other, 1);
  const auto plugin = Make("checkpoint", {{"keep", "1"}});
  for (const int64_t batch : {2, 3}) At(*plugin, batch);
  EXPECT_NE(Saved("other-000000000001.safetensors"), "");
}

TEST_F(SavingTest, AfterGoingBackTheNewestFilesAreThoseSavedLast) {
  const auto plugin = Make("checkpoint", {{"keep", "2"}});
  for (const int64_t batch : {10, 20}) At(*plugin, batch);
  run_.current_batch = 5;
  Call(*plugin, run_);
  EXPECT_NE(Saved("checkpoint-000000000005.safetensors"), "");
  EXPECT_EQ(Saved("checkpoint-000000000010.safetensors"), "");
}

TEST_F(SavingTest, ARestoredPluginKnowsItsFiles) {
  const auto plugin = Make("checkpoint", {{"keep", "1"}});
  At(*plugin, 10);
  const auto restored = Restored(*plugin, "checkpoint", {{"keep", "1"}});
  At(*restored, 20);
  EXPECT_EQ(Saved("checkpoint-000000000010.safetensors"), "");
}

TEST_F(SavingTest, TheEndIsSavedUnlessItIsAlready) {
  const auto plugin = Make("checkpoint");
  EXPECT_TRUE(Call(*plugin, run_, /*done=*/true).outputs.empty()) << "nothing was learnt";
  At(*plugin, 10);
  EXPECT_TRUE(Call(*plugin, run_, /*done=*/true).outputs.empty());
  run_.GoTo(15);
  EXPECT_EQ(Call(*plugin, run_, /*done=*/true).outputs.size(), 1u);
  EXPECT_NE(Saved("checkpoint-000000000015.safetensors"), "");
}

TEST_F(SavingTest, ACheckpointThatFailsSaysWhyAndDeletesNothing) {
  const auto plugin = Make("checkpoint", {{"keep", "1"}});
  At(*plugin, 10);
  run_.can_save = false;
  EXPECT_EQ(ReasonOf(At(*plugin, 20).status), v1::ERROR_REASON_SAVE_FAILED);
  EXPECT_NE(Saved("checkpoint-000000000010.safetensors"), "");
}

TEST_F(SavingTest, WrongSettingsOfCheckpointsAreRefused) {
  EXPECT_THAT(Refusal("checkpoint", {{"keep", "-1"}}), HasSubstr("\"keep\""));
  EXPECT_THAT(Refusal("checkpoint", {{"prefix", "a/b"}}), HasSubstr("\"prefix\""));
  EXPECT_THAT(Refusal("checkpoint", {{"prefix", std::string(65, 'a')}}), HasSubstr("at most 64"));
}

TEST_F(SavingTest, ValidationsAreReported) {
  const auto plugin = Make("validate");
  run_.next_validation_loss = 0.25;
  Called called = At(*plugin, 1);
  EXPECT_EQ(Reported(called, "loss"), 0.25);
  EXPECT_EQ(Reported(called, "accuracy"), std::nullopt);
  run_.next_validation_accuracy = 0.75;
  EXPECT_EQ(Reported(At(*plugin, 2), "accuracy"), 0.75);
  run_.next_validation_loss = kNan;
  called = At(*plugin, 3);
  EXPECT_TRUE(called.status.ok()) << "a loss that diverged is no fault of the plugin";
  EXPECT_EQ(called.outputs[0].message, "loss is nan");
}

TEST_F(SavingTest, ConfusionIsReportedToWhoeverWantsIt) {
  run_.next_validation_loss = 0.25;
  run_.next_confusion = {3, 1, 0, 1};
  EXPECT_EQ(Reported(At(*Make("validate", {{"confusion", "yes"}}), 1), "confusion.0.1"), 1);
  EXPECT_EQ(Reported(At(*Make("validate"), 2), "confusion.0.1"), std::nullopt);
  EXPECT_EQ(At(*Make("validate", {{"confusion", "yes"}}), 3).outputs[0].message, "");
  run_.next_confusion.clear();
  EXPECT_EQ(At(*Make("validate", {{"confusion", "yes"}}), 4).outputs[0].message,
            "confusion is counted only where each example has one class, of up to 30");
  EXPECT_EQ(At(*Make("validate"), 5).outputs[0].message, "");
}

TEST_F(SavingTest, TheEndIsValidatedUnlessItIsAlready) {
  const auto plugin = Make("validate");
  run_.next_validation_loss = 0.25;
  EXPECT_TRUE(Call(*plugin, run_, /*done=*/true).outputs.empty()) << "nothing was learnt";
  At(*plugin, 1);
  EXPECT_TRUE(Call(*plugin, run_, /*done=*/true).outputs.empty());
  run_.GoTo(2);
  EXPECT_EQ(Reported(Call(*plugin, run_, /*done=*/true), "loss"), 0.25);
}

TEST_F(SavingTest, NotifyReportsTheValuesThatThereAre) {
  const auto plugin = Make("notify", {{"values", "loss, validation_loss,eta"}, {"message", "here"}});
  run_.current_loss = 0.5;
  const Called called = At(*plugin, 1);
  EXPECT_EQ(Reported(called, "loss"), 0.5);
  EXPECT_EQ(Reported(called, "eta"), 0.1);
  EXPECT_EQ(Reported(called, "validation_loss"), std::nullopt);
  EXPECT_EQ(called.outputs[0].message, "here");
  EXPECT_TRUE(Call(*plugin, run_, /*done=*/true).outputs.empty());
  EXPECT_THAT(Refusal("notify", {{"values", "loss,joy"}}), HasSubstr("It has: batch, target, loss"));
}

}  // namespace
}  // namespace pilothouse::trainer
