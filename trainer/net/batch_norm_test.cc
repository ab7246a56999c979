#include "trainer/net/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "trainer/net/norm_gradients.h"

namespace pilothouse::trainer {
namespace {

template <typename T>
using Row = Eigen::Matrix<T, 1, Eigen::Dynamic>;

template <typename T>
ConstMatrixView<T> View(const Matrix<T>& matrix) {
  return {matrix.data(), matrix.rows(), matrix.cols()};
}

template <typename T>
Matrix<T> Forward(const FeatureStatistics& statistics, const Row<T>& gains, const Row<T>& biases, const Matrix<T>& x) {
  Matrix<T> y(x.rows(), x.cols());
  BatchNormForward<T>(statistics, {gains.data(), gains.size()}, {biases.data(), biases.size()}, View(x),
                      {y.data(), y.rows(), y.cols()});
  return y;
}

template <typename T>
FeatureStatistics Measured(const Matrix<T>& x) {
  FeatureStatistics statistics(x.cols());
  MeasureFeatures(View(x), statistics);
  return statistics;
}

// In training, with gains 1, biases 0.
template <typename T>
Matrix<T> Plain(const Matrix<T>& x) {
  return Forward<T>(Measured(x), Row<T>::Ones(x.cols()), Row<T>::Zero(x.cols()), x);
}

template <typename T>
NormGradients<T> Backward(const Row<T>& gains, const Matrix<T>& x, const Matrix<T>& delta) {
  // Of which nothing may be left.
  NormGradients<T> result{Row<T>::Constant(x.cols(), 1e9F), Row<T>::Constant(x.cols(), 1e9F), delta};
  BatchNormBackward<T>(Measured(x), {gains.data(), gains.size()}, View(x), {result.gains.data(), result.gains.size()},
                       {result.biases.data(), result.biases.size()},
                       {result.x.data(), result.x.rows(), result.x.cols()});
  return result;
}

TEST(BatchNorm, IsItsFormula) {
  // The columns have means 3 and 0, variances 3.5 and 1.
  const Matrix<double> x{{1, -1}, {2, -1}, {3, 1}, {6, 1}};
  const double a = 1 / std::sqrt(3.5 + 1e-5);
  const double b = 1 / std::sqrt(1 + 1e-5);
  const Matrix<double> expected{{1 - 4 * a, b}, {1 - 2 * a, b}, {1, -b}, {1 + 6 * a, -b}};
  const Matrix<double> y = Forward<double>(Measured(x), Row<double>{{2, -1}}, Row<double>{{1, 0}}, x);
  EXPECT_TRUE(y.isApprox(expected, 1e-15)) << y;
}

TEST(BatchNorm, FollowsTheBatchesByATenthAndWithoutBias) {
  const Matrix<double> x{{1, -1}, {2, -1}, {3, 1}, {6, 1}};
  Row<double> means{{10, 1}};
  Row<double> variances{{2, 4}};
  UpdateRunning<double>(Measured(x), {means.data(), 2}, {variances.data(), 2});
  EXPECT_TRUE(means.isApprox(Row<double>{{9.3, 0.9}}, 1e-15)) << means;
  EXPECT_TRUE(variances.isApprox(Row<double>{{1.8 + 0.1 * 14 / 3, 3.6 + 0.1 * 4 / 3}}, 1e-15)) << variances;
}

TEST(BatchNorm, OutsideTrainingIsItsFormulaWithTheRunningStatistics) {
  const Matrix<double> x{{1, 2}};
  const Row<double> means{{3, -2}};
  const Row<double> variances{{4, 0}};
  FeatureStatistics statistics(2);
  TakeRunning<double>({means.data(), 2}, {variances.data(), 2}, statistics);
  const Matrix<double> y = Forward<double>(statistics, Row<double>{{1, 2}}, Row<double>{{0, 5}}, x);
  const Matrix<double> expected{{-2 / std::sqrt(4 + 1e-5), 5 + 8 / std::sqrt(1e-5)}};
  EXPECT_TRUE(y.isApprox(expected, 1e-15)) << y;
}

TEST(BatchNorm, WorksInPlace) {
  const Matrix<float> x{{1, 2, 3}, {6, 9, -4}};
  const Row<float> ones = Row<float>::Ones(3);
  Matrix<float> y = x;
  BatchNormForward<float>(Measured(x), {ones.data(), 3}, {ones.data(), 3}, View(y), {y.data(), 2, 3});
  EXPECT_EQ(y, Forward<float>(Measured(x), ones, ones, x));
}

TEST(BatchNorm, GradientsAgreeWithFiniteDifferences) {
  ExpectNormGradients(
      7, 3,
      [](const Row<double>& gains, const Row<double>& biases, const Matrix<double>& x) {
        return Forward(Measured(x), gains, biases, x);
      },
      Backward<double>);
}

template <typename T>
void ExpectFiniteAtExtremes() {
  Matrix<T> x = Matrix<T>::Constant(9, 3, T{10'000});
  x.col(1).setLinSpaced(T{-10'000}, T{10'000});
  x.col(2).setConstant(T{-1e-30F});
  const Matrix<T> y = Plain(x);
  EXPECT_EQ(y.col(0), Vector<T>::Zero(9)) << "a column of equal values has no deviation to divide by";
  EXPECT_NEAR(y.col(1).squaredNorm() / 9, 1, 1e-6);
  EXPECT_EQ(y(4, 1), 0);
  const NormGradients<T> gradients = Backward<T>(Row<T>::Ones(3), x, Matrix<T>::Identity(9, 3));
  EXPECT_TRUE(gradients.x.allFinite() && gradients.gains.allFinite() && gradients.biases.allFinite());
}

TEST(BatchNorm, StaysFiniteAtExtremeInputs) {
  ExpectFiniteAtExtremes<float>();
  ExpectFiniteAtExtremes<double>();
}

TEST(BatchNorm, KeepsDeviationsThatAreSmallBesideTheMean) {
  // Differences of squares would leave nothing of them in float: 1e8 ± 1.
  const Matrix<float> x{{10'000}, {10'001}, {10'002}, {10'003}};
  EXPECT_TRUE(Plain(x).isApprox(Plain(Matrix<float>{{0}, {1}, {2}, {3}}), 1e-6F));
}

TEST(BatchNorm, MakesNanOfAFeatureThatIsNotFiniteAndOfNoOther) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Matrix<float> x{{1, 1}, {2, 2}, {3, 3}};
    x(1, 0) = bad;
    const Matrix<float> y = Plain(x);
    EXPECT_TRUE(y.col(0).array().isNaN().all()) << bad;
    EXPECT_TRUE(y.col(1).allFinite());
  }
}

}  // namespace
}  // namespace pilothouse::trainer
