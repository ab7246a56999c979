// How the native learner splits its data, and what weights of examples do to a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/loop/curve_data.h"
#include "trainer/loop/supervised_learner.h"

namespace pilothouse::trainer {
namespace {

using ::testing::HasSubstr;

NumberTable Table(int64_t columns, std::vector<double> values) {
  const auto rows = static_cast<int64_t>(values.size()) / columns;
  return {rows, columns, std::move(values)};
}

std::unique_ptr<Learner> Make(const LearnerSpec& spec, Dataset data) {
  auto learner = MakeLearner(spec, std::move(data));
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

LearnerSpec CurveSpec() {
  LearnerSpec spec;
  spec.network = *ParseShorthand("2x8tx2");
  spec.precision = Precision::kFloat64;
  spec.seed = 3;
  spec.batch_size = 7;
  return spec;
}

std::vector<double> StateOf(const Learner& learner) {
  return std::get<std::vector<double>>(learner.Snapshot()->State().values);
}

std::vector<double> Train(Learner& learner, int64_t batches) {
  std::vector<double> losses;
  for (int64_t batch = 1; batch <= batches; ++batch) losses.push_back(learner.Step(batch, {.eta = 0.1}));
  return losses;
}

std::string Refusal(const LearnerSpec& spec, Dataset data) {
  const auto learner = MakeLearner(spec, std::move(data));
  if (learner.ok()) return "no refusal";
  const v1::Error error = ToError(learner.status());
  return absl::StrCat(ReasonName(error.reason()), " ", error.field(), ": ", error.message());
}

TEST(SupervisedLearnerSplit, TakesSizesAsPeopleWriteThem) {
  LearnerSpec spec = CurveSpec();
  for (const char* size : {"0.2", "20%", "10"}) {
    spec.validation_size = size;
    spec.test_size = "12%";
    const auto learner = Make(spec, Curve(50));
    EXPECT_EQ(learner->facts().validation_examples, 10) << size;
    EXPECT_EQ(learner->facts().test_examples, 6);
    EXPECT_EQ(learner->facts().examples, 34);
  }
}

TEST(SupervisedLearnerSplit, HoldsOutTheSameHoweverTheSizeIsWritten) {
  LearnerSpec written = CurveSpec();
  written.validation_size = "20%";
  LearnerSpec number = CurveSpec();
  number.validation_fraction = 0.2;
  const auto a = Make(written, Curve(50));
  const auto b = Make(number, Curve(50));
  EXPECT_EQ(Train(*a, 20), Train(*b, 20));
  EXPECT_EQ(a->Validate(20)->loss, b->Validate(20)->loss);
}

TEST(SupervisedLearnerSplit, RefusesPartsThatLeaveNothing) {
  LearnerSpec spec = CurveSpec();
  spec.validation_size = "50";
  EXPECT_THAT(Refusal(spec, Curve(50)), HasSubstr("SPEC_INVALID data.validation_size: 50 of 50 examples"));
  spec.validation_size = "-5";
  EXPECT_THAT(Refusal(spec, Curve(50)), HasSubstr("SPEC_INVALID data.validation_size: -5 is negative"));
  spec.validation_size = "60%";
  spec.test_size = "1.5";
  EXPECT_THAT(Refusal(spec, Curve(50)), HasSubstr("SPEC_INVALID data.test_size: 1.5 is neither"));
  spec.test_size = "20";
  EXPECT_THAT(
      Refusal(spec, Curve(50)),
      HasSubstr("SPEC_INVALID data.test_size: Of 50 examples, 30 for validation and 20 for the test leave none"));
  spec.test_size = "15";
  EXPECT_THAT(Refusal(spec, Curve(50)), HasSubstr("SPEC_INVALID batch_size: ")) << "5 are left";
  spec.test_size = "19";
  EXPECT_THAT(Refusal(spec, Curve(50)), HasSubstr("DATA_MALFORMED data: All 1 examples to learn from have the target"));
  spec.validation_fraction = 0.2;
  EXPECT_THAT(Refusal(spec, Curve(50)), HasSubstr("SPEC_INVALID data.validation_size: Give one of"));
}

TEST(SupervisedLearnerSplit, StratifiesOnlyWhatHasClasses) {
  LearnerSpec spec = CurveSpec();
  spec.split_method = SplitMethod::kStratified;
  spec.validation_size = "20%";
  EXPECT_EQ(Make(spec, Curve(50))->facts().validation_examples, 10);
  spec.network = *ParseShorthand("2x1");
  spec.loss = LossFunction::kMse;
  EXPECT_THAT(Refusal(spec, Curve(50)), HasSubstr("SPEC_INVALID data.split: With mse and 1 output"));
}

TEST(SupervisedLearnerSplit, TheMethodAndItsSeedDecideWhatIsHeldOut) {
  LearnerSpec spec = CurveSpec();
  spec.validation_size = "20%";
  const auto loss = [&] { return Make(spec, Curve(50))->Validate(0)->loss; };
  const double usual = loss();
  spec.split_method = SplitMethod::kRandom;
  EXPECT_EQ(loss(), usual);
  spec.split_seed = 1;
  EXPECT_NE(loss(), usual);
  spec.split_method = SplitMethod::kTail;
  const double tail = loss();
  spec.split_method.reset();
  spec.keep_order = true;
  EXPECT_EQ(loss(), tail);
}

TEST(SupervisedLearnerSplit, TheTestPartIsScoredAsAValidationWouldBeAndLeavesNoTrace) {
  LearnerSpec spec = CurveSpec();
  spec.keep_order = true;
  spec.test_size = "10";
  const auto tested = Make(spec, Curve(50));
  spec.test_size.reset();
  spec.validation_size = "10";
  const auto validated = Make(spec, Curve(50));
  for (int64_t batch = 1; batch <= 30; ++batch) {
    ASSERT_EQ(tested->Step(batch, {.eta = 0.1}), validated->Step(batch, {.eta = 0.1}));
    const absl::StatusOr<Validation> test = tested->Test(batch);
    ASSERT_TRUE(test.ok()) << test.status();
    EXPECT_EQ(test->loss, validated->Validate(batch)->loss);
    EXPECT_EQ(test->accuracy, validated->Validate(batch)->accuracy);
    EXPECT_EQ(test->batch, batch);
    EXPECT_EQ(test->examples, 10);
  }
  EXPECT_EQ(StateOf(*tested), StateOf(*validated));
  EXPECT_EQ(ReasonOf(tested->Validate(30).status()), v1::ERROR_REASON_NO_VALIDATION_DATA);
  EXPECT_EQ(ReasonOf(validated->Test(30).status()), v1::ERROR_REASON_NO_TEST_DATA);
}

Dataset WeightedCurve(int64_t rows) {
  Dataset data = Curve(rows);
  for (int64_t row = 0; row < rows; ++row) data.weights.push_back(static_cast<double>(row * 7 % 5 % 4));
  return data;
}

TEST(SupervisedLearnerWeights, ThatAreAllOneGiveTheBitsOfNone) {
  LearnerSpec spec = CurveSpec();
  spec.standardize = true;
  spec.validation_size = "20%";
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    spec.precision = precision;
    Dataset ones = Curve(60);
    ones.weights.assign(60, 1);
    const auto with = Make(spec, std::move(ones));
    const auto without = Make(spec, Curve(60));
    EXPECT_EQ(Train(*with, 40), Train(*without, 40));
    EXPECT_EQ(with->Snapshot()->State().values, without->Snapshot()->State().values);
    EXPECT_EQ(with->Validate(40)->loss, without->Validate(40)->loss);
    EXPECT_EQ(with->Validate(40)->roc_auc, without->Validate(40)->roc_auc);
  }
}

// Of a full batch, weights are to the last but a few bits as if each example were there so many times.
TEST(SupervisedLearnerWeights, AreAsIfExamplesWereRepeated) {
  LearnerSpec spec = CurveSpec();
  spec.batch_size.reset();
  spec.full_batch = true;
  spec.standardize = true;
  const Dataset weighted = WeightedCurve(40);
  Dataset repeated{{0, 2, {}}, {0, 1, {}}};
  for (size_t row = 0; row < 40; ++row) {
    for (double i = 0; i < weighted.weights[row]; ++i) {
      repeated.inputs.values.insert(repeated.inputs.values.end(),
                                    {weighted.inputs.values[2 * row], weighted.inputs.values[2 * row + 1]});
      repeated.targets.values.push_back(weighted.targets.values[row]);
      ++repeated.inputs.rows;
      ++repeated.targets.rows;
    }
  }
  const auto a = Make(spec, weighted);
  const auto b = Make(spec, repeated);
  const std::vector<double> losses = Train(*a, 50);
  const std::vector<double> expected = Train(*b, 50);
  for (size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(losses[i], expected[i], 1e-12);
  EXPECT_LT(losses.back(), losses.front());
  LearnerSpec unweighted = spec;
  Dataset plain = weighted;
  plain.weights.clear();
  EXPECT_GT(std::abs(Train(*Make(unweighted, plain), 50).back() - losses.back()), 1e-6) << "they matter";
}

// The gradient of a step from the parameters that the run begins with.
std::vector<double> GradientOf(Learner& learner, int64_t batch) {
  learner.Reset();
  learner.Step(batch, {.eta = 0.1});
  return std::get<std::vector<double>>(learner.Gradient().values);
}

TEST(SupervisedLearnerWeights, DecideHowFarABatchOfOneGoes) {
  LearnerSpec spec = CurveSpec();
  spec.network = *ParseShorthand("2x1");
  spec.loss = LossFunction::kMse;
  spec.keep_order = true;
  spec.batch_size = 1;
  Dataset data{Table(2, {0.5, -1, 0.5, -1}), Table(1, {3, 3})};
  const auto unweighted = Make(spec, Dataset(data));
  const double loss = unweighted->Step(1, {.eta = 0.1});
  data.weights = {1, 3};
  const auto learner = Make(spec, std::move(data));
  const std::vector<double> start = StateOf(*learner);
  EXPECT_EQ(learner->Step(1, {.eta = 0.1}), 0.5 * loss);
  const std::vector<double> light = StateOf(*learner);
  learner->Reset();
  EXPECT_EQ(learner->Step(2, {.eta = 0.1}), 1.5 * loss);
  const std::vector<double> heavy = StateOf(*learner);
  for (size_t i = 0; i < start.size(); ++i) {
    EXPECT_NE(light[i], start[i]);
    EXPECT_NEAR(heavy[i] - start[i], 3 * (light[i] - start[i]), 1e-15);
  }
}

// With batches' own sums of weights as divisors this held for full batches only.
TEST(SupervisedLearnerWeights, MakeTheGradientOfAnEpochThatOfTheWeightedMean) {
  LearnerSpec spec = CurveSpec();
  spec.full_batch = true;
  spec.batch_size.reset();
  const auto whole = Make(spec, WeightedCurve(40));
  const auto rows = whole->facts().examples;
  const std::vector<double> expected = GradientOf(*whole, 1);
  spec.full_batch = false;
  for (const int64_t batch_size : {1, 7, 16}) {
    spec.batch_size = batch_size;
    const auto learner = Make(spec, WeightedCurve(40));
    ASSERT_EQ(learner->facts().examples, rows);
    std::vector<double> mean(expected.size());
    for (int64_t batch = 1, left = rows; left > 0; ++batch, left -= batch_size) {
      const double share = static_cast<double>(std::min(left, batch_size)) / static_cast<double>(rows);
      const std::vector<double> gradient = GradientOf(*learner, batch);
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += share * gradient[i];
    }
    for (size_t i = 0; i < mean.size(); ++i) EXPECT_NEAR(mean[i], expected[i], 1e-15) << batch_size;
  }
}

TEST(SupervisedLearnerWeights, OfZeroAreAsIfTheRowWereNotThere) {
  LearnerSpec spec = CurveSpec();
  spec.standardize = true;
  spec.keep_order = true;
  const Dataset weighted = WeightedCurve(40);
  Dataset counted{{0, 2, {}}, {0, 1, {}}};
  for (size_t row = 0; row < 40; ++row) {
    if (weighted.weights[row] == 0) continue;
    counted.inputs.values.insert(counted.inputs.values.end(),
                                 {weighted.inputs.values[2 * row], weighted.inputs.values[2 * row + 1]});
    counted.targets.values.push_back(weighted.targets.values[row]);
    counted.weights.push_back(weighted.weights[row]);
    ++counted.inputs.rows;
    ++counted.targets.rows;
  }
  ASSERT_LT(counted.inputs.rows, 35);
  const auto with = Make(spec, weighted);
  const auto without = Make(spec, counted);
  EXPECT_EQ(with->facts().examples, counted.inputs.rows);
  EXPECT_EQ(Train(*with, 30), Train(*without, 30));
  EXPECT_EQ(StateOf(*with), StateOf(*without));
}

TEST(SupervisedLearnerWeights, DoNotDecideWhatIsHeldOut) {
  LearnerSpec spec = CurveSpec();
  spec.network = *ParseShorthand("2x1");
  spec.network.initial_state = NumberArray{{3}, std::vector<double>{0, 0, 0}};
  spec.loss = LossFunction::kMse;
  spec.validation_size = "3";
  // The squared target tells which rows were scored.
  Dataset data = Curve(8);
  data.targets.values = {1, 2, 4, 8, 16, 32, 64, 128};
  const auto mae = [&](std::vector<double> weights) {
    Dataset copy = data;
    copy.weights = std::move(weights);
    return Make(spec, std::move(copy))->Validate(0)->mae;
  };
  spec.batch_size = 1;
  const double sum = *mae({}) * 3;
  std::vector<double> held_out;
  std::vector<double> weights;
  for (const double target : data.targets.values) {
    const bool is_held_out = (static_cast<int>(std::lround(sum)) & static_cast<int>(target)) != 0;
    if (is_held_out) held_out.push_back(target);
    weights.push_back(is_held_out && held_out.size() == 2 ? 0 : 5);
  }
  ASSERT_EQ(held_out.size(), 3U);
  EXPECT_NEAR(*mae(weights), (held_out[0] + held_out[2]) / 2, 1e-12) << "that of weight 0 is left out, and none else";
}

TEST(SupervisedLearnerWeights, ValidationIsAMeanOverExamplesWhateverBlocksTheyAreComputedIn) {
  // A whole block of squared errors 1 with weight 0.5, and 32 of squared error 3 with weight 4.
  LearnerSpec spec = CurveSpec();
  spec.network = *ParseShorthand("1x1");
  spec.network.initial_state = NumberArray{{2}, std::vector<double>{0, 0}};
  spec.loss = LossFunction::kMse;
  spec.batch_size = 1;
  spec.keep_order = true;
  spec.validation_size = absl::StrCat(kPredictBlockRows + 32);
  std::vector<double> targets(1 + kPredictBlockRows, 1);
  targets.insert(targets.end(), 32, std::sqrt(3.0));
  Dataset data{Table(1, std::vector<double>(targets.size(), 1)), Table(1, targets)};
  data.weights.assign(1 + kPredictBlockRows, 0.5);
  data.weights.insert(data.weights.end(), 32, 4);
  const absl::StatusOr<Validation> scored = Make(spec, std::move(data))->Validate(0);
  const double of_blocks = 0.5 * static_cast<double>(kPredictBlockRows);
  EXPECT_NEAR(scored->loss, (of_blocks + 128 * 3) / (of_blocks + 128), 1e-12);
  EXPECT_NEAR(*scored->mae, (of_blocks + 128 * std::sqrt(3.0)) / (of_blocks + 128), 1e-12);
}

TEST(SupervisedLearnerWeights, AreCheckedBeforeTrainingStarts) {
  LearnerSpec spec = CurveSpec();
  spec.keep_order = true;
  spec.validation_size = "5";
  Dataset data = Curve(40);
  data.weights.assign(40, 1);
  data.weights[16] = -2;
  EXPECT_THAT(Refusal(spec, data), HasSubstr("DATA_MALFORMED data: Row 17 has the weight -2"));
  data.weights[16] = 1e-21;
  EXPECT_THAT(Refusal(spec, data), HasSubstr("DATA_MALFORMED data: Row 17 has the weight 1e-21, but the mean of the"));
  spec.is_new = false;
  EXPECT_TRUE(MakeLearner(spec, Dataset(data)).ok()) << "the run was started before that was refused";
  spec.is_new = true;
  data.weights.assign(40, 1);
  for (size_t row = 35; row < 40; ++row) data.weights[row] = 0;
  EXPECT_THAT(Refusal(spec, data), HasSubstr("DATA_MALFORMED data: All 5 examples of the validation part"));
  for (size_t row = 0; row < 40; ++row) data.weights[row] = row < 35 && data.targets.values[row] == 0 ? 0 : 1;
  EXPECT_THAT(Refusal(spec, data), HasSubstr("to learn from have the target 1")) << "one class is left";
  spec.is_new = false;
  EXPECT_TRUE(MakeLearner(spec, Dataset(data)).ok()) << "the run was started before that was refused";
  spec.is_new = true;
  data.weights.assign(40, 1);
  for (size_t row = 6; row < 35; ++row) data.weights[row] = 0;
  EXPECT_THAT(Refusal(spec, data), HasSubstr("SPEC_INVALID batch_size")) << "6 examples, fewer than a batch";
}

}  // namespace
}  // namespace pilothouse::trainer
