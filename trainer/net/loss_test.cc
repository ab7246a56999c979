#include "trainer/net/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pilothouse::trainer {
namespace {

template <typename T>
double LossOf(LossFunction loss, const Matrix<T>& outputs, const Matrix<T>& targets, Matrix<T>* delta_out = nullptr) {
  Matrix<T> delta(outputs.rows(), outputs.cols());
  const double value =
      LossAndGradient<T>(loss, {outputs.data(), outputs.rows(), outputs.cols()},
                         {targets.data(), targets.rows(), targets.cols()}, {delta.data(), delta.rows(), delta.cols()});
  if (delta_out != nullptr) *delta_out = delta;
  return value;
}

TEST(Loss, HalfMseSumsOverOutputsAndAveragesOverExamples) {
  const Matrix<double> x{{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  const Matrix<double> shifted = x.rowwise() - Eigen::RowVector2d(1, -1);
  EXPECT_EQ(LossOf<double>(LossFunction::kHalfMse, x, x), 0);
  EXPECT_EQ(LossOf<double>(LossFunction::kHalfMse, x, shifted), 1);
  EXPECT_EQ(LossOf<double>(LossFunction::kHalfMse, x, 2 * x), 17.5);
}

TEST(Loss, MseIsTheMeanOverAllElements) {
  const Matrix<double> x{{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  EXPECT_EQ(LossOf<double>(LossFunction::kMse, x, 2 * x), 17.5);
  const Matrix<double> one_column{{1}, {3}};
  EXPECT_EQ(LossOf<double>(LossFunction::kMse, one_column, Matrix<double>::Zero(2, 1)), 5);
  EXPECT_EQ(LossOf<double>(LossFunction::kHalfMse, one_column, Matrix<double>::Zero(2, 1)), 2.5);
}

TEST(Loss, HuberIsSquareNearTheTargetAndLinearFarFromIt) {
  const Matrix<double> outputs{{0, 0.5, 1}, {-1, 3, -10}};
  Matrix<double> delta;
  EXPECT_EQ(LossOf<double>(LossFunction::kHuber, outputs, Matrix<double>::Zero(2, 3), &delta),
            (0.125 + 0.5 + 0.5 + 2.5 + 9.5) / 6);
  EXPECT_TRUE(delta.isApprox(Matrix<double>({{0, 0.5, 1}, {-1, 1, -1}}) / 6, 1e-15));
}

TEST(Loss, HuberStaysFiniteWhereSquaresDoNot) {
  const Matrix<float> outputs{{3e38F, -10'000}};
  Matrix<float> delta;
  EXPECT_EQ(LossOf<float>(LossFunction::kHuber, outputs, Matrix<float>::Zero(1, 2), &delta),
            (static_cast<double>(3e38F) + 10'000 - 1) / 2);
  EXPECT_EQ(delta, Matrix<float>({{0.5F, -0.5F}}));
  EXPECT_EQ(LossOf<float>(LossFunction::kHuber, outputs, outputs, &delta), 0);
  EXPECT_EQ(delta, Matrix<float>({{0, 0}}));
}

// Where the networks' gradients are checked, errors are small: this has both sides of the bend.
TEST(Loss, HuberGradientAgreesWithFiniteDifferences) {
  const Matrix<double> outputs{{-5, -1.1, -0.9}, {0.3, 0.95, 1.2}};
  const Matrix<double> targets = Matrix<double>::Constant(2, 3, 0.01);
  Matrix<double> delta;
  LossOf<double>(LossFunction::kHuber, outputs, targets, &delta);
  for (int i = 0; i < 6; ++i) {
    Matrix<double> above = outputs;
    Matrix<double> below = outputs;
    above.data()[i] += 1e-6;
    below.data()[i] -= 1e-6;
    const double rise =
        LossOf<double>(LossFunction::kHuber, above, targets) - LossOf<double>(LossFunction::kHuber, below, targets);
    EXPECT_NEAR(delta.data()[i], rise / 2e-6, 1e-9) << "output " << i;
  }
}

TEST(Loss, CrossEntropyIsTheMeanOfMinusLogProbability) {
  const Matrix<double> logits{{0, std::log(3.0)}, {std::log(4.0), 0}};
  const Matrix<double> labels{{1}, {1}};
  EXPECT_NEAR(LossOf<double>(LossFunction::kCrossEntropy, logits, labels), -(std::log(0.75) + std::log(0.2)) / 2,
              1e-15);
}

TEST(Loss, CrossEntropiesNeitherOverflowNorLoseDigitsAtLargeLogits) {
  const Matrix<float> certain{{1000, -1000}};
  EXPECT_EQ(LossOf<float>(LossFunction::kCrossEntropy, certain, Matrix<float>{{0}}), 0);
  EXPECT_EQ(LossOf<float>(LossFunction::kCrossEntropy, certain, Matrix<float>{{1}}), 2000);
  const Matrix<float> targets{{1, 0}};
  EXPECT_EQ(LossOf<float>(LossFunction::kBinaryCrossEntropy, certain, targets), 0);
  Matrix<float> delta;
  EXPECT_EQ(LossOf<float>(LossFunction::kBinaryCrossEntropy, -certain, targets, &delta), 1000);
  EXPECT_EQ(delta, Matrix<float>({{-0.5F, 0.5F}}));
  EXPECT_NEAR(LossOf<double>(LossFunction::kBinaryCrossEntropy, Matrix<double>{{40}}, Matrix<double>{{1}}),
              std::exp(-40.0), 1e-30);
}

TEST(Loss, BinaryCrossEntropyTakesTargetsBetweenTheClasses) {
  const double p = 1 / (1 + std::exp(-0.3));
  EXPECT_NEAR(LossOf<double>(LossFunction::kBinaryCrossEntropy, Matrix<double>{{0.3}}, Matrix<double>{{0.25}}),
              -(0.25 * std::log(p) + 0.75 * std::log(1 - p)), 1e-15);
}

template <typename T>
void ExpectNotFinite(T bad) {
  const Matrix<T> outputs{{1, bad, 2, 3, 4, 5, 6, 7, 8}};
  const Matrix<T> targets = Matrix<T>::Zero(1, 9);
  for (const auto loss :
       {LossFunction::kBinaryCrossEntropy, LossFunction::kMse, LossFunction::kHalfMse, LossFunction::kHuber}) {
    EXPECT_FALSE(std::isfinite(LossOf<T>(loss, outputs, targets))) << Name(loss) << " of " << bad;
  }
  EXPECT_FALSE(std::isfinite(LossOf<T>(LossFunction::kCrossEntropy, outputs, Matrix<T>{{0}}))) << bad;
}

TEST(Loss, IsNotFiniteWhereAnOutputIsNot) {
  ExpectNotFinite<float>(std::numeric_limits<float>::quiet_NaN());
  ExpectNotFinite<double>(std::numeric_limits<double>::quiet_NaN());
  ExpectNotFinite<float>(std::numeric_limits<float>::infinity());
  ExpectNotFinite<double>(std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace pilothouse::trainer
