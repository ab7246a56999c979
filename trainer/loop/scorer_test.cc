#include "trainer/loop/scorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Row by row; `blocks` at once, to show that it makes no difference.
Validation Score(LossFunction loss, int64_t columns, const std::vector<double>& outputs,
                 const std::vector<double>& targets, int64_t block_rows = 1) {
  Scorer<double> scorer(loss, columns);
  const auto rows = static_cast<int64_t>(outputs.size()) / columns;
  const auto target_columns = static_cast<int64_t>(targets.size()) / rows;
  for (int64_t row = 0; row < rows; row += block_rows) {
    const int64_t count = std::min(block_rows, rows - row);
    scorer.Add(ConstMatrixView<double>(outputs.data() + row * columns, count, columns),
               ConstMatrixView<double>(targets.data() + row * target_columns, count, target_columns));
  }
  Validation validation;
  scorer.Finish(validation);
  return validation;
}

TEST(Scorer, BalancedAccuracyCountsEachClassAlike) {
  // Of class 0 three of four are right, of class 1 none of one, of class 2 there are none.
  const std::vector<double> outputs = {1, 0, 0, 2, 0, 1, 3, 1, 0, 0, 0, 1, 1, 0, 0};
  for (const int64_t block_rows : {1, 2, 5}) {
    const Validation scored = Score(LossFunction::kCrossEntropy, 3, outputs, {0, 0, 0, 0, 1}, block_rows);
    EXPECT_EQ(scored.accuracy, 0.6);
    EXPECT_EQ(scored.balanced_accuracy, 0.375);
    EXPECT_THAT(scored.confusion, ElementsAre(3, 0, 1, 1, 0, 0, 0, 0, 0));
    EXPECT_FALSE(scored.roc_auc.has_value());
    EXPECT_FALSE(scored.r2.has_value() || scored.mae.has_value());
  }
}

TEST(Scorer, TheFirstOfTheLargestOutputsIsPredictedAndNanIsNoPrediction) {
  const Validation scored = Score(LossFunction::kCrossEntropy, 3, {1, 1, 0, 0, 1, 1, kNan, 0, 0}, {0, 2, 0});
  EXPECT_EQ(scored.accuracy, 1.0 / 3);
  EXPECT_THAT(scored.confusion, ElementsAre(1, 0, 0, 0, 0, 0, 0, 1, 0)) << "the third is in no column";
}

TEST(Scorer, RocAucIsThePartOfPairsInTheRightOrder) {
  // The example of Fawcett's kind: scores of the second class 0.9, 0.6, 0.5; of the first 0.7, 0.5, 0.1. Of the nine
  // pairs 3 + 2 + 1 are in order, and one is a tie.
  const std::vector<double> scores = {0.9, 0.7, 0.6, 0.5, 0.5, 0.1};
  const std::vector<double> labels = {1, 0, 1, 1, 0, 0};
  EXPECT_EQ(Score(LossFunction::kBinaryCrossEntropy, 1, scores, labels).roc_auc, 6.5 / 9);
  std::vector<double> two;
  for (const double score : scores) two.insert(two.end(), {-1, score - 1});
  EXPECT_EQ(Score(LossFunction::kCrossEntropy, 2, two, labels).roc_auc, 6.5 / 9);
}

TEST(Scorer, RocAucAgreesWithCountingPairs) {
  std::vector<double> scores;
  std::vector<double> labels;
  for (int i = 0; i < 200; ++i) {
    scores.push_back(std::round(8 * std::sin(1.7 * i)) / 8);
    labels.push_back(std::sin(1.7 * i) + std::sin(0.3 * i * i) > 0.5 ? 1 : 0);
  }
  double in_order = 0;
  double pairs = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    for (size_t j = 0; j < scores.size(); ++j) {
      if (!(labels[i] == 1 && labels[j] == 0)) continue;
      pairs += 1;
      in_order += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  }
  ASSERT_GT(pairs, 0);
  EXPECT_EQ(Score(LossFunction::kBinaryCrossEntropy, 1, scores, labels, 7).roc_auc, in_order / pairs);
}

TEST(Scorer, RocAucOfOneClassIsNoneAndOfNanIsNan) {
  EXPECT_FALSE(Score(LossFunction::kBinaryCrossEntropy, 1, {1, 2}, {1, 1}).roc_auc.has_value());
  EXPECT_FALSE(Score(LossFunction::kBinaryCrossEntropy, 1, {1, 2}, {0, 0}).roc_auc.has_value());
  const std::optional<double> none = Score(LossFunction::kBinaryCrossEntropy, 1, {1, kNan, 0}, {0, 1, 1}).roc_auc;
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(std::isnan(*none));
}

TEST(Scorer, OneBinaryOutputMakesTwoClasses) {
  const Validation scored = Score(LossFunction::kBinaryCrossEntropy, 1, {0, -0.1, 3, -2}, {0.5, 1, 0, 0.4});
  EXPECT_EQ(scored.accuracy, 0.5);
  EXPECT_EQ(scored.balanced_accuracy, 0.5);
  EXPECT_THAT(scored.confusion, ElementsAre(1, 1, 1, 1));
}

TEST(Scorer, OfSeveralBinaryOutputsThereIsOnlyAnAccuracy) {
  const Validation scored = Score(LossFunction::kBinaryCrossEntropy, 2, {1, -1, 1, 1, kNan, 1}, {1, 0, 1, 0, 1, 1});
  EXPECT_EQ(scored.accuracy, 1.0 / 3);
  EXPECT_FALSE(scored.balanced_accuracy.has_value() || scored.roc_auc.has_value());
  EXPECT_THAT(scored.confusion, IsEmpty());
}

TEST(Scorer, OfNumbersTellsWhatPartOfTheVarianceIsExplainedAndTheMeanError) {
  // Of the first output Σ(y − ŷ)² is 1.5 and Σ(y − ȳ)² is 8, of the second 0 and 2.
  const std::vector<double> targets = {3, 1, -1, 2, 1, 2, 1, 3};
  const std::vector<double> outputs = {2.5, 1, 0, 2, 1, 2, 1.5, 3};
  for (const LossFunction loss : {LossFunction::kMse, LossFunction::kHalfMse, LossFunction::kHuber}) {
    const Validation scored = Score(loss, 2, outputs, targets, 3);
    ASSERT_TRUE(scored.r2.has_value() && scored.mae.has_value());
    EXPECT_NEAR(*scored.r2, (1 - 1.5 / 8 + 1) / 2, 1e-15);
    EXPECT_EQ(*scored.mae, 2.0 / 8);
    EXPECT_FALSE(scored.accuracy.has_value() || scored.balanced_accuracy.has_value());
  }
}

TEST(Scorer, OfTargetsThatAreAllAlikeNothingIsExplained) {
  const Validation scored = Score(LossFunction::kMse, 1, {1, 2}, {5, 5});
  EXPECT_FALSE(scored.r2.has_value());
  EXPECT_EQ(scored.mae, 3.5);
}

TEST(Scorer, BeginsAnewWhenItHasFinished) {
  Scorer<float> scorer(LossFunction::kCrossEntropy, 2);
  const std::vector<float> outputs = {1, 0, 0, 1};
  const std::vector<float> targets = {0, 1};
  const ConstMatrixView<float> predicted(outputs.data(), 2, 2);
  const ConstMatrixView<float> labels(targets.data(), 2, 1);
  for (int times = 0; times < 2; ++times) {
    scorer.Add(predicted, labels);
    Validation validation;
    scorer.Finish(validation);
    EXPECT_EQ(validation.accuracy, 1);
    EXPECT_EQ(validation.roc_auc, 1);
    EXPECT_THAT(validation.confusion, ElementsAre(1, 0, 0, 1));
  }
}

TEST(Scorer, OfManyClassesNothingIsCountedForEachPair) {
  constexpr int64_t kClasses = kMaxConfusionClasses + 1;
  std::vector<double> outputs(kClasses);
  outputs[7] = 1;
  const Validation scored = Score(LossFunction::kCrossEntropy, kClasses, outputs, {7});
  EXPECT_EQ(scored.balanced_accuracy, 1);
  EXPECT_THAT(scored.confusion, IsEmpty());
}

TEST(ScoreNames, AreOfWhatAScorerFinds) {
  const auto found = [](LossFunction loss, int64_t outputs, const std::vector<double>& targets) {
    const auto rows = static_cast<int64_t>(targets.size()) / (loss == LossFunction::kCrossEntropy ? 1 : outputs);
    std::vector<double> answers;
    for (int64_t i = 0; i < rows * outputs; ++i) answers.push_back(0.25 * static_cast<double>(i));
    const Validation scored = Score(loss, outputs, answers, targets);
    std::vector<std::string> names;
    for (const ScoreFacts& score : ScoresOfValidations()) {
      if ((scored.*score.value).has_value()) names.emplace_back(score.name);
    }
    return names;
  };
  EXPECT_EQ(found(LossFunction::kCrossEntropy, 2, {0, 1, 1}), ScoreNames(LossFunction::kCrossEntropy, 2));
  EXPECT_EQ(found(LossFunction::kCrossEntropy, 3, {0, 1, 2}), ScoreNames(LossFunction::kCrossEntropy, 3));
  const LossFunction binary = LossFunction::kBinaryCrossEntropy;
  EXPECT_EQ(found(binary, 1, {0, 1, 1}), ScoreNames(binary, 1));
  EXPECT_EQ(found(binary, 2, {0, 1, 1, 0}), ScoreNames(binary, 2));
  for (const LossFunction loss : {LossFunction::kMse, LossFunction::kHalfMse, LossFunction::kHuber}) {
    EXPECT_EQ(found(loss, 2, {0, 1, 1, 0}), ScoreNames(loss, 2));
  }
}

}  // namespace
}  // namespace pilothouse::trainer
