#include "trainer/net/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pilothouse::trainer {
namespace {

constexpr Activation kElementwise[] = {Activation::kTanh,     Activation::kRelu, Activation::kSigmoid,
                                       Activation::kGelu,     Activation::kSilu, Activation::kSoftplus,
                                       Activation::kLeakyRelu};

template <typename T>
ConstMatrixView<T> View(const Matrix<T>& matrix) {
  return {matrix.data(), matrix.rows(), matrix.cols()};
}

template <typename T>
Matrix<T> Values(Activation activation, const Matrix<T>& x) {
  Matrix<T> y(x.rows(), x.cols());
  ActivationForward<T>(activation, View(x), {y.data(), y.rows(), y.cols()});
  return y;
}

// Of the sum of all outputs.
template <typename T>
Matrix<T> Slopes(Activation activation, const Matrix<T>& x) {
  const Matrix<T> y = Values(activation, x);
  Matrix<T> delta = Matrix<T>::Ones(x.rows(), x.cols());
  ActivationBackward<T>(activation, View(x), View(y), {delta.data(), delta.rows(), delta.cols()});
  return delta;
}

std::string NameOf(Activation activation) { return Describe(MapLayer{activation}); }

TEST(Activation, SlopesAgreeWithFiniteDifferences) {
  // Nine columns: some are computed by vector instructions, one is not.
  const Matrix<double> x{{-30, -6, -1.5, -0.25, 0.125, 0.5, 3, 7, 30}};
  constexpr double kStep = 1e-6;
  for (const Activation activation : kElementwise) {
    const Matrix<double> above = Values<double>(activation, x.array() + kStep);
    const Matrix<double> below = Values<double>(activation, x.array() - kStep);
    const Matrix<double> difference = (above - below) / (2 * kStep);
    EXPECT_LT((Slopes(activation, x) - difference).cwiseAbs().maxCoeff(), 1e-8) << NameOf(activation);
  }
}

template <typename T>
void ExpectLimits() {
  // More than one vector of each sign.
  Matrix<T> x = Matrix<T>::Constant(2, 19, T{10'000});
  x.row(0) *= -1;
  const struct {
    Activation activation;
    T below, above, slope_below, slope_above;
  } cases[] = {
      {Activation::kTanh, -1, 1, 0, 0},
      {Activation::kRelu, 0, 10'000, 0, 1},
      {Activation::kSigmoid, 0, 1, 0, 0},
      {Activation::kGelu, 0, 10'000, 0, 1},
      {Activation::kSilu, 0, 10'000, 0, 1},
      {Activation::kSoftplus, 0, 10'000, 0, 1},
      {Activation::kLeakyRelu, -100, 10'000, static_cast<T>(kLeakySlope), 1},
  };
  for (const auto& [activation, below, above, slope_below, slope_above] : cases) {
    SCOPED_TRACE(NameOf(activation));
    const Matrix<T> y = Values(activation, x);
    const Matrix<T> slopes = Slopes(activation, x);
    for (Eigen::Index i = 0; i < x.cols(); ++i) {
      EXPECT_NEAR(y(0, i), below, 1e-5);
      EXPECT_EQ(y(1, i), above);
      EXPECT_NEAR(slopes(0, i), slope_below, 1e-6);
      EXPECT_NEAR(slopes(1, i), slope_above, 1e-6);
    }
  }
}

TEST(Activation, ReachesItsLimitsAtExtremeInputs) {
  ExpectLimits<float>();
  ExpectLimits<double>();
}

TEST(Activation, KeepsItsDigitsFarBelowZero) {
  const Matrix<double> x{{-40}};
  EXPECT_NEAR(Values(Activation::kSoftplus, x)(0) / std::exp(-40.0), 1, 1e-14);
  EXPECT_NEAR(Values(Activation::kSilu, x)(0) / (-40 * std::exp(-40.0)), 1, 1e-14);
  EXPECT_NEAR(Slopes(Activation::kSoftplus, x)(0) / std::exp(-40.0), 1, 1e-14);
}

TEST(Activation, HasTheSlopeOfItsLeftSideAtAKink) {
  const Matrix<double> zero{{0}};
  EXPECT_EQ(Slopes(Activation::kRelu, zero)(0), 0);
  EXPECT_EQ(Slopes(Activation::kLeakyRelu, zero)(0), kLeakySlope);
}

}  // namespace
}  // namespace pilothouse::trainer
