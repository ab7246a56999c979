// Losses of examples that do not count alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "trainer/net/loss.h"

namespace pilothouse::trainer {
namespace {

using Weights = std::vector<double>;

constexpr LossFunction kAllLosses[] = {LossFunction::kCrossEntropy, LossFunction::kBinaryCrossEntropy,
                                       LossFunction::kMse, LossFunction::kHalfMse, LossFunction::kHuber};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <typename T>
struct Result {
  double loss;
  Matrix<T> delta;
};

double Mean(const Weights& weights) {
  return std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(weights.size());
}

template <typename T>
Result<T> Compute(LossFunction loss, const Matrix<T>& outputs, const Matrix<T>& targets, const Weights& weights,
                  double mean_weight) {
  Result<T> result{0, Matrix<T>(outputs.rows(), outputs.cols())};
  result.loss = LossAndGradient<T>(loss, {outputs.data(), outputs.rows(), outputs.cols()},
                                   {targets.data(), targets.rows(), targets.cols()},
                                   {result.delta.data(), outputs.rows(), outputs.cols()}, weights, mean_weight);
  return result;
}

// Of examples that are all there are.
template <typename T>
Result<T> Compute(LossFunction loss, const Matrix<T>& outputs, const Matrix<T>& targets, const Weights& weights) {
  return Compute(loss, outputs, targets, weights, weights.empty() ? 1 : Mean(weights));
}

// On both sides of Huber's bend.
template <typename T>
Matrix<T> Outputs(Eigen::Index rows, Eigen::Index columns) {
  Matrix<T> outputs(rows, columns);
  for (Eigen::Index i = 0; i < outputs.size(); ++i) {
    outputs.data()[i] = static_cast<T>(2.5 * std::sin(static_cast<double>(3 * i + 1)));
  }
  return outputs;
}

// Labels, or targets from 0 to 1.
template <typename T>
Matrix<T> Targets(LossFunction loss, Eigen::Index rows, Eigen::Index columns) {
  Matrix<T> targets(rows, loss == LossFunction::kCrossEntropy ? 1 : columns);
  for (Eigen::Index i = 0; i < targets.size(); ++i) {
    targets.data()[i] = loss == LossFunction::kCrossEntropy
                            ? static_cast<T>(i * i % columns)
                            : static_cast<T>(0.5 + 0.5 * std::cos(static_cast<double>(i * i)));
  }
  return targets;
}

TEST(LossWeights, AreThoseOfAMeanOverExamples) {
  const Matrix<double> outputs{{1, 3}, {2, 0}};
  const Matrix<double> targets{{0, 0}, {0, 0}};
  const Weights weights = {3, 1};
  // Squared errors add up to 10 and 4; Huber's to 0.5 + 2.5 and 1.5.
  EXPECT_EQ(Compute(LossFunction::kMse, outputs, targets, weights).loss, (3 * 10 + 4) / (4.0 * 2));
  EXPECT_EQ(Compute(LossFunction::kHalfMse, outputs, targets, weights).loss, (3 * 10 + 4) / (2 * 4.0));
  EXPECT_EQ(Compute(LossFunction::kHuber, outputs, targets, weights).loss, (3 * 3 + 1.5) / (4.0 * 2));
  EXPECT_EQ(Compute(LossFunction::kMse, outputs, targets, weights).delta, Matrix<double>({{0.75, 2.25}, {0.5, 0}}));
  EXPECT_EQ(Compute(LossFunction::kHalfMse, outputs, targets, weights).delta, Matrix<double>({{0.75, 2.25}, {0.5, 0}}));
  EXPECT_EQ(Compute(LossFunction::kHuber, outputs, targets, weights).delta,
            Matrix<double>({{0.375, 0.375}, {0.125, 0}}));

  const Matrix<double> logits{{0, std::log(3.0)}, {std::log(4.0), 0}};
  const Result<double> entropy =
      Compute<double>(LossFunction::kCrossEntropy, logits, Matrix<double>{{1}, {1}}, weights);
  EXPECT_NEAR(entropy.loss, -(3 * std::log(0.75) + std::log(0.2)) / 4, 1e-15);
  EXPECT_TRUE(entropy.delta.isApprox(Matrix<double>{{0.1875, -0.1875}, {0.2, -0.2}}, 1e-14));
  const Result<double> binary = Compute<double>(LossFunction::kBinaryCrossEntropy, Matrix<double>{{0}, {std::log(3.0)}},
                                                Matrix<double>{{1}, {0}}, weights);
  EXPECT_NEAR(binary.loss, (3 * std::log(2.0) + std::log(4.0)) / 4, 1e-15);
  EXPECT_TRUE(binary.delta.isApprox(Matrix<double>{{-0.375}, {0.1875}}, 1e-14));
}

template <typename T>
void ExpectOnesGiveTheBitsOfNone() {
  for (const LossFunction loss : kAllLosses) {
    for (const Eigen::Index rows : {1, 3, 7, 32, 100}) {
      SCOPED_TRACE(Name(loss) + " of " + std::to_string(rows));
      const Matrix<T> outputs = Outputs<T>(rows, 5);
      const Matrix<T> targets = Targets<T>(loss, rows, 5);
      const Result<T> none = Compute<T>(loss, outputs, targets, {});
      const Result<T> ones = Compute<T>(loss, outputs, targets, Weights(static_cast<size_t>(rows), 1));
      EXPECT_EQ(ones.loss, none.loss);
      EXPECT_EQ(ones.delta, none.delta);
    }
  }
}

TEST(LossWeights, ThatAreAllOneGiveTheBitsOfNone) {
  ExpectOnesGiveTheBitsOfNone<float>();
  ExpectOnesGiveTheBitsOfNone<double>();
}

TEST(LossWeights, GradientsAgreeWithFiniteDifferences) {
  const Weights weights = {0.5, 3, 0, 1e-3, 40};
  for (const LossFunction loss : kAllLosses) {
    for (const auto& [given, mean] : {std::pair(weights, Mean(weights)), {weights, 2.0}, {Weights(), 1.0}}) {
      const Matrix<double> outputs = Outputs<double>(5, 3);
      const Matrix<double> targets = Targets<double>(loss, 5, 3);
      const Matrix<double> delta = Compute(loss, outputs, targets, given, mean).delta;
      for (Eigen::Index i = 0; i < outputs.size(); ++i) {
        Matrix<double> above = outputs;
        Matrix<double> below = outputs;
        above.data()[i] += 1e-5;
        below.data()[i] -= 1e-5;
        const double rise =
            Compute(loss, above, targets, given, mean).loss - Compute(loss, below, targets, given, mean).loss;
        EXPECT_NEAR(delta.data()[i], rise / 2e-5, 2e-9) << Name(loss) << " of output " << i;
      }
    }
  }
}

// An example of weight 3 is as three of weight 1, one of weight 0 as none.
TEST(LossWeights, AreAsIfExamplesWereRepeated) {
  const std::vector<int> times = {1, 3, 0, 2, 1};
  for (const LossFunction loss : kAllLosses) {
    const Matrix<double> outputs = Outputs<double>(5, 3);
    const Matrix<double> targets = Targets<double>(loss, 5, 3);
    Matrix<double> repeated_outputs(7, 3);
    Matrix<double> repeated_targets(7, targets.cols());
    std::vector<Eigen::Index> from;
    for (size_t i = 0; i < times.size(); ++i)
      from.insert(from.end(), static_cast<size_t>(times[i]), static_cast<int>(i));
    for (size_t i = 0; i < from.size(); ++i) {
      repeated_outputs.row(static_cast<Eigen::Index>(i)) = outputs.row(from[i]);
      repeated_targets.row(static_cast<Eigen::Index>(i)) = targets.row(from[i]);
    }
    const Result<double> weighted = Compute(loss, outputs, targets, {times.begin(), times.end()});
    const Result<double> repeated = Compute(loss, repeated_outputs, repeated_targets, {});
    EXPECT_NEAR(weighted.loss, repeated.loss, 1e-15) << Name(loss);
    Matrix<double> added = Matrix<double>::Zero(5, 3);
    for (size_t i = 0; i < from.size(); ++i) added.row(from[i]) += repeated.delta.row(static_cast<Eigen::Index>(i));
    EXPECT_TRUE(weighted.delta.isApprox(added, 1e-14)) << Name(loss);
    EXPECT_EQ(weighted.delta.row(2), Matrix<double>::Zero(1, 3)) << Name(loss);
  }
}

TEST(LossWeights, DoNotMatterAllTogether) {
  for (const LossFunction loss : kAllLosses) {
    const Matrix<double> outputs = Outputs<double>(3, 2);
    const Matrix<double> targets = Targets<double>(loss, 3, 2);
    const Result<double> some = Compute(loss, outputs, targets, {1, 2, 5});
    const Result<double> more = Compute(loss, outputs, targets, {1024, 2048, 5120});
    EXPECT_EQ(some.loss, more.loss) << Name(loss);
    EXPECT_EQ(some.delta, more.delta) << Name(loss);
  }
}

TEST(LossWeights, OfZeroDoNotHideWhatIsNoNumber) {
  for (const LossFunction loss : kAllLosses) {
    for (const double bad : {kNan, std::numeric_limits<double>::infinity()}) {
      Matrix<double> outputs = Outputs<double>(2, 3);
      outputs(1, 1) = bad;
      EXPECT_FALSE(std::isfinite(Compute(loss, outputs, Targets<double>(loss, 2, 3), {1, 0}).loss)) << Name(loss);
    }
    EXPECT_EQ(Compute(loss, Outputs<double>(2, 3), Targets<double>(loss, 2, 3), {0, 0}, 0.5).loss, 0)
        << "others have weights";
  }
}

TEST(LossWeights, OfABatchOfOneScaleItsLossAndGradient) {
  for (const LossFunction loss : kAllLosses) {
    const Matrix<double> outputs = Outputs<double>(1, 3);
    const Matrix<double> targets = Targets<double>(loss, 1, 3);
    const Result<double> plain = Compute(loss, outputs, targets, {});
    for (const double weight : {1.0, 3.0}) {
      const Result<double> weighted = Compute(loss, outputs, targets, {weight}, 2);
      EXPECT_NEAR(weighted.loss, plain.loss * weight / 2, 1e-15) << Name(loss);
      EXPECT_TRUE(weighted.delta.isApprox(plain.delta * weight / 2, 1e-15)) << Name(loss);
    }
  }
}

// Batches count by their rows.
TEST(LossWeights, MakeTheMeanOfBatchesThatOverExamples) {
  const Weights weights = {0.5, 3, 0, 1e-3, 40, 7, 2};
  const auto rows = static_cast<Eigen::Index>(weights.size());
  for (const LossFunction loss : kAllLosses) {
    const Matrix<double> outputs = Outputs<double>(rows, 3);
    const Matrix<double> targets = Targets<double>(loss, rows, 3);
    const Result<double> whole = Compute(loss, outputs, targets, weights);
    for (const Eigen::Index batch_rows : {1, 2, 3, 5}) {
      double mean = 0;
      Matrix<double> delta(rows, 3);
      for (Eigen::Index begin = 0; begin < rows; begin += batch_rows) {
        const Eigen::Index count = std::min(batch_rows, rows - begin);
        const double share = static_cast<double>(count) / static_cast<double>(rows);
        const Result<double> batch =
            Compute<double>(loss, outputs.middleRows(begin, count), targets.middleRows(begin, count),
                            {weights.begin() + begin, weights.begin() + begin + count}, Mean(weights));
        mean += batch.loss * share;
        delta.middleRows(begin, count) = batch.delta * share;
      }
      EXPECT_NEAR(mean, whole.loss, 1e-14) << Name(loss) << " in batches of " << batch_rows;
      EXPECT_TRUE(delta.isApprox(whole.delta, 1e-14)) << Name(loss) << " in batches of " << batch_rows;
    }
  }
}

// That no number leaves T's range on the way is what the sanitizers look at here.
template <typename T>
void ExpectAllDigitsAtTheBounds(double tolerance) {
  for (const LossFunction loss : kAllLosses) {
    const Matrix<T> outputs = Outputs<T>(2, 3);
    const Matrix<T> targets = Targets<T>(loss, 2, 3);
    const Result<T> plain = Compute<T>(loss, outputs, targets, {});
    for (const double mean : {1e-100, 1.0, 1e100}) {
      const double least = mean * kLeastWeightRatio;
      const double most = mean / kLeastWeightRatio;
      const Result<T> weighted = Compute<T>(loss, outputs, targets, {least, most}, mean);
      EXPECT_TRUE(std::isfinite(weighted.loss)) << Name(loss);
      for (const Eigen::Index row : {0, 1}) {
        const auto ratio = static_cast<T>(row == 0 ? 1 / kLeastWeightRatio : kLeastWeightRatio);
        EXPECT_TRUE((weighted.delta.row(row) * ratio).isApprox(plain.delta.row(row), static_cast<T>(tolerance)))
            << Name(loss) << " of a mean of " << mean;
      }
    }
  }
}

TEST(LossWeights, KeepAllDigitsOfGradientsAtTheirBounds) {
  ExpectAllDigitsAtTheBounds<float>(1e-6);
  ExpectAllDigitsAtTheBounds<double>(1e-15);
}

// A run that was begun when such weights were taken may have them: n·k·m/w is no number of float.
TEST(LossWeights, SoSmallThatTheirPartLeavesFloatGiveNone) {
  for (const LossFunction loss : kAllLosses) {
    const Matrix<float> outputs = Outputs<float>(2, 3);
    const Matrix<float> targets = Targets<float>(loss, 2, 3);
    const Result<float> without = Compute<float>(loss, outputs, targets, {0, 1}, 0.5);
    for (const double least : {1e-60, 1e-300, std::numeric_limits<double>::denorm_min()}) {
      const Result<float> with = Compute<float>(loss, outputs, targets, {least, 1}, 0.5);
      EXPECT_EQ(with.loss, without.loss) << Name(loss);
      EXPECT_EQ(with.delta.row(0), (Matrix<float>::Zero(1, 3))) << Name(loss) << " of a weight of " << least;
      EXPECT_EQ(with.delta.row(1), without.delta.row(1)) << Name(loss);
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
