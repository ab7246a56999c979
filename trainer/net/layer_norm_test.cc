#include "trainer/net/layer_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "trainer/net/norm_gradients.h"

namespace pilothouse::trainer {
namespace {

template <typename T>
using Row = Eigen::Matrix<T, 1, Eigen::Dynamic>;

template <typename T>
Matrix<T> Forward(const Row<T>& gains, const Row<T>& biases, const Matrix<T>& x) {
  Matrix<T> y(x.rows(), x.cols());
  LayerNormForward<T>({gains.data(), gains.size()}, {biases.data(), biases.size()}, {x.data(), x.rows(), x.cols()},
                      {y.data(), y.rows(), y.cols()});
  return y;
}

// Gains 1, biases 0.
template <typename T>
Matrix<T> Plain(const Matrix<T>& x) {
  return Forward<T>(Row<T>::Ones(x.cols()), Row<T>::Zero(x.cols()), x);
}

template <typename T>
NormGradients<T> Backward(const Row<T>& gains, const Matrix<T>& x, const Matrix<T>& delta) {
  // Of which nothing may be left.
  NormGradients<T> result{Row<T>::Constant(x.cols(), 1e9F), Row<T>::Constant(x.cols(), 1e9F), delta};
  LayerNormBackward<T>({gains.data(), gains.size()}, {x.data(), x.rows(), x.cols()},
                       {result.gains.data(), result.gains.size()}, {result.biases.data(), result.biases.size()},
                       {result.x.data(), result.x.rows(), result.x.cols()});
  return result;
}

TEST(LayerNorm, IsItsFormula) {
  const Matrix<double> x{{1, 2, 3, 6}, {-1, -1, 1, 1}};
  const Row<double> gains{{1, 2, -1, 0.5}};
  const Row<double> biases{{0, 1, 0, -3}};
  const Matrix<double> y = Forward(gains, biases, x);
  // The rows have means 3 and 0, variances 3.5 and 1.
  const double a = 1 / std::sqrt(3.5 + 1e-5);
  const double b = 1 / std::sqrt(1 + 1e-5);
  const Matrix<double> expected{{-2 * a, 1 - 2 * a, 0, 1.5 * a - 3}, {-b, 1 - 2 * b, -b, 0.5 * b - 3}};
  EXPECT_TRUE(y.isApprox(expected, 1e-15)) << y;
}

TEST(LayerNorm, WorksInPlace) {
  const Matrix<float> x{{1, 2, 3, 6, 9}};
  const Row<float> ones = Row<float>::Ones(5);
  Matrix<float> y = x;
  LayerNormForward<float>({ones.data(), 5}, {ones.data(), 5}, {y.data(), 1, 5}, {y.data(), 1, 5});
  EXPECT_EQ(y, Forward<float>(ones, ones, x));
}

TEST(LayerNorm, GradientsAgreeWithFiniteDifferences) {
  ExpectNormGradients(
      3, 7,
      [](const Row<double>& gains, const Row<double>& biases, const Matrix<double>& x) {
        return Forward(gains, biases, x);
      },
      Backward<double>);
}

template <typename T>
void ExpectFiniteAtExtremes() {
  Matrix<T> x = Matrix<T>::Constant(3, 9, T{10'000});
  x.row(1).setLinSpaced(T{-10'000}, T{10'000});
  x.row(2).setConstant(T{-1e-30F});
  const Matrix<T> y = Plain(x);
  EXPECT_EQ(y.row(0), Row<T>::Zero(9)) << "a row of equal values has no deviation to divide by";
  EXPECT_NEAR(y.row(1).squaredNorm() / 9, 1, 1e-6);
  EXPECT_EQ(y(1, 4), 0);
  const NormGradients<T> gradients = Backward<T>(Row<T>::Ones(9), x, Matrix<T>::Identity(3, 9));
  EXPECT_TRUE(gradients.x.allFinite() && gradients.gains.allFinite() && gradients.biases.allFinite());
}

TEST(LayerNorm, StaysFiniteAtExtremeInputs) {
  ExpectFiniteAtExtremes<float>();
  ExpectFiniteAtExtremes<double>();
}

TEST(LayerNorm, KeepsDeviationsThatAreSmallBesideTheMean) {
  // Differences of squares would leave nothing of them in float: 1e8 ± 1.
  const Matrix<float> x{{10'000, 10'001, 10'002, 10'003}};
  EXPECT_TRUE(Plain(x).isApprox(Plain(Matrix<float>{{0, 1, 2, 3}}), 1e-6F));
}

TEST(LayerNorm, MakesNanOfARowThatIsNotFiniteAndOfNoOther) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Matrix<float> x{{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}};
    x(0, 3) = bad;
    const Matrix<float> y = Plain(x);
    EXPECT_TRUE(y.row(0).array().isNaN().all()) << bad;
    EXPECT_TRUE(y.row(1).allFinite());
  }
}

}  // namespace
}  // namespace pilothouse::trainer
