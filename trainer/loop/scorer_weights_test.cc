// Scores of examples that do not count alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "trainer/loop/scorer.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;

struct Example {
  std::vector<double> outputs;
  std::vector<double> targets;
  double weight;
};

// `block_rows` at once; with `weighted` false, as if no example had a weight.
Validation Score(LossFunction loss, const std::vector<Example>& examples, size_t block_rows, bool weighted = true) {
  Scorer<double> scorer(loss, static_cast<int64_t>(examples[0].outputs.size()));
  for (size_t begin = 0; begin < examples.size(); begin += block_rows) {
    std::vector<double> outputs;
    std::vector<double> targets;
    std::vector<double> weights;
    const size_t end = std::min(begin + block_rows, examples.size());
    for (size_t i = begin; i < end; ++i) {
      outputs.insert(outputs.end(), examples[i].outputs.begin(), examples[i].outputs.end());
      targets.insert(targets.end(), examples[i].targets.begin(), examples[i].targets.end());
      if (weighted) weights.push_back(examples[i].weight);
    }
    const auto rows = static_cast<int64_t>(end - begin);
    scorer.Add({outputs.data(), rows, static_cast<int64_t>(outputs.size()) / rows},
               {targets.data(), rows, static_cast<int64_t>(targets.size()) / rows}, weights);
  }
  Validation validation;
  scorer.Finish(validation);
  return validation;
}

TEST(ScorerWeights, CountWhatIsRight) {
  // Of class 0 weights of 3 of 4 are right, of class 1 of 0.5 of 2; in all 3.5 of 6.
  const std::vector<Example> examples = {{{1, 0}, {0}, 3}, {{0, 1}, {0}, 1}, {{0, 1}, {1}, 0.5}, {{1, 0}, {1}, 1.5}};
  for (const size_t block_rows : {1U, 3U, 4U}) {
    const Validation scored = Score(LossFunction::kCrossEntropy, examples, block_rows);
    EXPECT_EQ(scored.accuracy, 3.5 / 6);
    EXPECT_EQ(scored.balanced_accuracy, (0.75 + 0.25) / 2);
    EXPECT_THAT(scored.confusion, ElementsAre(3, 1, 1.5, 0.5));
  }
  const std::vector<Example> sides = {{{1, -1}, {1, 0}, 3}, {{1, 1}, {1, 0}, 1}};
  EXPECT_EQ(Score(LossFunction::kBinaryCrossEntropy, sides, 2).accuracy, 0.75);
}

TEST(ScorerWeights, CountPairsForRocAuc) {
  // Second class: 0.9 with weight 2, 0.5 with 1. First: 0.7 with 3, 0.5 with 4. In order: 2·3 + 2·4, and half of 1·4.
  const std::vector<Example> examples = {{{0.9}, {1}, 2}, {{0.7}, {0}, 3}, {{0.5}, {1}, 1}, {{0.5}, {0}, 4}};
  EXPECT_EQ(Score(LossFunction::kBinaryCrossEntropy, examples, 4).roc_auc, (6 + 8 + 2) / 21.0);
}

TEST(ScorerWeights, CountErrorsOfNumbers) {
  // ȳ = (3·1 + 1·5) / 4 = 2; Σ w(y − ȳ)² = 3 + 9; Σ w(y − ŷ)² = 3·1 + 1·4; Σ w|y − ŷ| = 3 + 2.
  const Validation scored = Score(LossFunction::kMse, {{{2}, {1}, 3}, {{3}, {5}, 1}}, 2);
  EXPECT_EQ(scored.r2, 1 - 7.0 / 12);
  EXPECT_EQ(scored.mae, 5.0 / 4);
}

TEST(ScorerWeights, OfTargetsThatAreAllAlikeNothingIsExplained) {
  const std::vector<Example> examples = {{{1}, {0.7}, 0.1}, {{2}, {0.7}, 0.3}, {{2}, {0.7}, 1e-3}};
  EXPECT_FALSE(Score(LossFunction::kMse, examples, 2).r2.has_value());
}

// Pseudo-random examples with ties among their scores, and weights 1 to 4.
std::vector<Example> Examples(LossFunction loss, size_t outputs) {
  std::vector<Example> examples;
  for (size_t i = 0; i < 120; ++i) {
    const auto x = static_cast<double>(i);
    Example example{{}, {}, 1 + static_cast<double>(i * i % 7 % 4)};
    for (size_t j = 0; j < outputs; ++j) {
      example.outputs.push_back(std::round(6 * std::sin(1.7 * x + 2.0 * static_cast<double>(j))) / 6);
      example.targets.push_back(std::sin(1.7 * x) + std::sin(0.3 * x * x + static_cast<double>(j)) > 0.3 ? 1 : 0);
    }
    if (loss == LossFunction::kCrossEntropy) example.targets = {static_cast<double>(i * i % 11 % outputs)};
    examples.push_back(std::move(example));
  }
  return examples;
}

// Each as often as its weight says, with weight 1.
std::vector<Example> Repeated(const std::vector<Example>& examples) {
  std::vector<Example> repeated;
  for (const Example& example : examples) {
    for (double i = 0; i < example.weight; ++i) repeated.push_back({example.outputs, example.targets, 1});
  }
  return repeated;
}

struct Case {
  LossFunction loss;
  size_t outputs;
};

const Case kCases[] = {
    {LossFunction::kCrossEntropy, 2},       {LossFunction::kCrossEntropy, 4}, {LossFunction::kBinaryCrossEntropy, 1},
    {LossFunction::kBinaryCrossEntropy, 3}, {LossFunction::kMse, 1},          {LossFunction::kHuber, 3}};

TEST(ScorerWeights, ScoreAsExamplesThatAreRepeatedDo) {
  for (const auto& [loss, outputs] : kCases) {
    SCOPED_TRACE(Name(loss));
    const std::vector<Example> examples = Examples(loss, outputs);
    const Validation weighted = Score(loss, examples, 7);
    const Validation repeated = Score(loss, Repeated(examples), 5, /*weighted=*/false);
    for (const ScoreFacts& score : ScoresOfValidations()) {
      const std::optional<double>& got = weighted.*score.value;
      ASSERT_EQ(got.has_value(), (repeated.*score.value).has_value()) << score.name;
      EXPECT_NEAR(got.value_or(0), (repeated.*score.value).value_or(0), 1e-12) << score.name;
    }
    EXPECT_EQ(weighted.confusion, repeated.confusion);
  }
}

TEST(ScorerWeights, ThatAreAllOneGiveTheBitsOfNone) {
  for (const auto& [loss, outputs] : kCases) {
    SCOPED_TRACE(Name(loss));
    std::vector<Example> examples = Examples(loss, outputs);
    for (Example& example : examples) example.weight = 1;
    const Validation ones = Score(loss, examples, 7);
    const Validation none = Score(loss, examples, 7, /*weighted=*/false);
    for (const ScoreFacts& score : ScoresOfValidations()) {
      EXPECT_EQ(ones.*score.value, none.*score.value) << score.name;
    }
    EXPECT_EQ(ones.confusion, none.confusion);
  }
}

TEST(ScorerWeights, RocAucAgreesWithCountingPairs) {
  std::vector<Example> examples = Examples(LossFunction::kBinaryCrossEntropy, 1);
  for (size_t i = 0; i < examples.size(); ++i) examples[i].weight = 0.1 + std::abs(std::sin(static_cast<double>(i)));
  double in_order = 0;
  double pairs = 0;
  for (const Example& second : examples) {
    for (const Example& first : examples) {
      if (second.targets[0] != 1 || first.targets[0] != 0) continue;
      const double weight = second.weight * first.weight;
      pairs += weight;
      in_order += second.outputs > first.outputs ? weight : second.outputs == first.outputs ? weight / 2 : 0;
    }
  }
  EXPECT_NEAR(*Score(LossFunction::kBinaryCrossEntropy, examples, 9).roc_auc, in_order / pairs, 1e-14);
}

}  // namespace
}  // namespace pilothouse::trainer
