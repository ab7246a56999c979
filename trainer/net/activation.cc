#include "trainer/net/activation.h"

#include "trainer/kernels/kernels.h"

namespace pilothouse::trainer {
namespace {

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
      BestKernels<T>().gelu(x.data(), x.size(), y.data());
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
      BestKernels<T>().softplus(x.data(), x.size(), y.data());
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
      BestKernels<T>().gelu_backward(x.data(), x.size(), delta.data());
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
      BestKernels<T>().softplus_backward(x.data(), x.size(), delta.data());
      return;
  }
}

template void ActivationForward(Activation, ConstMatrixView<float>, MatrixView<float>);
template void ActivationForward(Activation, ConstMatrixView<double>, MatrixView<double>);
template void ActivationBackward(Activation, ConstMatrixView<float>, ConstMatrixView<float>, MatrixView<float>);
template void ActivationBackward(Activation, ConstMatrixView<double>, ConstMatrixView<double>, MatrixView<double>);

}  // namespace pilothouse::trainer
