// Test support: the gradients of a norm's three inputs, against finite differences.
#ifndef PILOTHOUSE_TRAINER_NET_NORM_GRADIENTS_H_
#define PILOTHOUSE_TRAINER_NET_NORM_GRADIENTS_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// With respect to gains and biases [features], and to the norm's input [rows, features].
template <typename T>
struct NormGradients {
  Eigen::Matrix<T, 1, Eigen::Dynamic> gains, biases;
  Matrix<T> x;
};

// forward(gains, biases, x) is the norm; backward(gains, x, delta) gives its NormGradients<double>.
template <typename Forward, typename Backward>
void ExpectNormGradients(int64_t rows, int64_t features, const Forward& forward, const Backward& backward) {
  using Row = Eigen::Matrix<double, 1, Eigen::Dynamic>;
  const auto wave = [](double phase) {
    return [phase](Eigen::Index i, Eigen::Index j) { return std::sin(phase + 2.0 * static_cast<double>(7 * i + j)); };
  };
  Matrix<double> x = Matrix<double>::NullaryExpr(rows, features, wave(1));
  Row gains = Row::NullaryExpr(1, features, wave(2));
  Row biases = Row::NullaryExpr(1, features, wave(3));
  const Matrix<double> weights = Matrix<double>::NullaryExpr(rows, features, wave(4));
  const NormGradients<double> gradients = backward(gains, x, weights);
  const auto expect = [&](double& value, double gradient) {
    constexpr double kStep = 1e-5;
    const double middle = value;
    value = middle + kStep;
    const double above = forward(gains, biases, x).cwiseProduct(weights).sum();
    value = middle - kStep;
    const double below = forward(gains, biases, x).cwiseProduct(weights).sum();
    value = middle;
    EXPECT_NEAR(gradient, (above - below) / (2 * kStep), 1e-8);
  };
  for (int64_t i = 0; i < features; ++i) {
    expect(gains[i], gradients.gains[i]);
    expect(biases[i], gradients.biases[i]);
  }
  for (int64_t i = 0; i < x.size(); ++i) expect(x.data()[i], gradients.x.data()[i]);
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_NORM_GRADIENTS_H_
