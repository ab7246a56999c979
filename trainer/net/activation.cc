#include "trainer/net/activation.h"

#include <cmath>
#include <numbers>

#include "trainer/kernels/kernels.h"

namespace pilothouse::trainer {
namespace {

// Φ. By erfc, which keeps its digits where Φ is small.
template <typename T>
T NormalDistribution(T x) {
  return std::erfc(-x / std::numbers::sqrt2_v<T>) / 2;
}

// φ.
template <typename T>
T NormalDensity(T x) {
  return std::exp(-x * x / 2) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
}

// x·Φ(x), with its limit 0 at −∞.
template <typename T>
T Gelu(T x) {
  const T probability = NormalDistribution(x);
  return probability == 0 ? 0 : x * probability;
}

template <typename T>
T GeluSlope(T x) {
  const T density = NormalDensity(x);
  return NormalDistribution(x) + (density == 0 ? 0 : x * density);
}

template <typename T>
void SoftmaxForward(ConstMatrixView<T> x, MatrixView<T> y) {
  for (Eigen::Index i = 0; i < x.rows(); ++i) y.row(i) = x.row(i).array() - x.row(i).maxCoeff();
  BestKernels<T>().exp(y.data(), y.size(), y.data());
  for (Eigen::Index i = 0; i < x.rows(); ++i) y.row(i) /= y.row(i).sum();
}

template <typename T>
void SoftmaxBackward(ConstMatrixView<T> y, MatrixView<T> delta) {
  for (Eigen::Index i = 0; i < y.rows(); ++i) {
    const T mean = delta.row(i).dot(y.row(i));
    delta.row(i).array() = y.row(i).array() * (delta.row(i).array() - mean);
  }
}

}  // namespace

template <typename T>
void ActivationForward(Activation activation, ConstMatrixView<T> x, MatrixView<T> y) {
  switch (activation) {
    case Activation::kTanh:
      BestKernels<T>().tanh(x.data(), x.size(), y.data());
      return;
    case Activation::kRelu:
      BestKernels<T>().relu(x.data(), x.size(), y.data());
      return;
    case Activation::kSigmoid:
      BestKernels<T>().sigmoid(x.data(), x.size(), y.data());
      return;
    case Activation::kGelu:
      y = x.unaryExpr(&Gelu<T>);
      return;
    case Activation::kSoftmax:
      SoftmaxForward(x, y);
      return;
    case Activation::kLeakyRelu:
      y = (x.array() > T{0}).select(x, static_cast<T>(kLeakySlope) * x);
      return;
    case Activation::kSilu:
      BestKernels<T>().silu(x.data(), x.size(), y.data());
      return;
    case Activation::kSoftplus:
      // max may lose NaN; the other term keeps it. A select would take twice as long.
      y = x.array().max(T{0}) + (-x.array().abs()).exp().log1p();
      return;
  }
}

template <typename T>
void ActivationBackward(Activation activation, ConstMatrixView<T> x, ConstMatrixView<T> y, MatrixView<T> delta) {
  switch (activation) {
    case Activation::kTanh:
      BestKernels<T>().tanh_backward(y.data(), y.size(), delta.data());
      return;
    case Activation::kRelu:
      BestKernels<T>().relu_backward(y.data(), y.size(), delta.data());
      return;
    case Activation::kSigmoid:
      delta.array() *= y.array() * (T{1} - y.array());
      return;
    case Activation::kGelu:
      delta.array() *= x.unaryExpr(&GeluSlope<T>).array();
      return;
    case Activation::kSoftmax:
      SoftmaxBackward(y, delta);
      return;
    case Activation::kLeakyRelu:
      delta = (x.array() > T{0}).select(delta, static_cast<T>(kLeakySlope) * delta);
      return;
    case Activation::kSilu:
      BestKernels<T>().silu_backward(x.data(), y.data(), x.size(), delta.data());
      return;
    case Activation::kSoftplus:
      delta.array() /= T{1} + (-x.array()).exp();
      return;
  }
}

template void ActivationForward(Activation, ConstMatrixView<float>, MatrixView<float>);
template void ActivationForward(Activation, ConstMatrixView<double>, MatrixView<double>);
template void ActivationBackward(Activation, ConstMatrixView<float>, ConstMatrixView<float>, MatrixView<float>);
template void ActivationBackward(Activation, ConstMatrixView<double>, ConstMatrixView<double>, MatrixView<double>);

}  // namespace pilothouse::trainer
