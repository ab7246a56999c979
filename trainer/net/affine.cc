#include "trainer/net/affine.h"

namespace pilothouse::trainer {
namespace {

template <typename T>
Strided<T> AsItLies(ConstMatrixView<T> matrix) {
  return {matrix.data(), matrix.cols(), 1};
}

template <typename T>
Strided<T> Transposed(ConstMatrixView<T> matrix) {
  return {matrix.data(), 1, matrix.cols()};
}

}  // namespace

template <typename T>
void AffineForward(const Multiplier<T>& multiplier, ConstMatrixView<T> x, ConstMatrixView<T> weights, const T* biases,
                   MatrixView<T> y) {
  multiplier.Multiply({.rows = y.rows(),
                       .columns = y.cols(),
                       .depth = x.cols(),
                       .a = AsItLies(x),
                       .b = AsItLies(weights),
                       .c = y.data(),
                       .c_stride = y.cols(),
                       .start = biases});
}

template <typename T>
void AffineInputGradient(const Multiplier<T>& multiplier, ConstMatrixView<T> dy, ConstMatrixView<T> weights,
                         MatrixView<T> dx) {
  multiplier.Multiply({.rows = dx.rows(),
                       .columns = dx.cols(),
                       .depth = dy.cols(),
                       .a = AsItLies(dy),
                       .b = Transposed(weights),
                       .c = dx.data(),
                       .c_stride = dx.cols()});
}

template <typename T>
void AffineParameterGradient(const Multiplier<T>& multiplier, ConstMatrixView<T> x, ConstMatrixView<T> dy,
                             const AffineLearning<T>& learning) {
  multiplier.Multiply({.rows = x.cols(),
                       .columns = dy.cols(),
                       .depth = x.rows(),
                       .a = Transposed(x),
                       .b = AsItLies(dy),
                       .c = learning.weight_gradient,
                       .c_stride = dy.cols(),
                       .descended = learning.weights,
                       .step = learning.step});
  multiplier.kernels().sum_rows(dy.data(), dy.rows(), dy.cols(), learning.bias_gradient);
  if (learning.biases == nullptr) return;
  for (Eigen::Index j = 0; j < dy.cols(); ++j) learning.biases[j] -= learning.step * learning.bias_gradient[j];
}

template void AffineForward(const Multiplier<float>&, ConstMatrixView<float>, ConstMatrixView<float>, const float*,
                            MatrixView<float>);
template void AffineForward(const Multiplier<double>&, ConstMatrixView<double>, ConstMatrixView<double>, const double*,
                            MatrixView<double>);
template void AffineInputGradient(const Multiplier<float>&, ConstMatrixView<float>, ConstMatrixView<float>,
                                  MatrixView<float>);
template void AffineInputGradient(const Multiplier<double>&, ConstMatrixView<double>, ConstMatrixView<double>,
                                  MatrixView<double>);
template void AffineParameterGradient(const Multiplier<float>&, ConstMatrixView<float>, ConstMatrixView<float>,
                                      const AffineLearning<float>&);
template void AffineParameterGradient(const Multiplier<double>&, ConstMatrixView<double>, ConstMatrixView<double>,
                                      const AffineLearning<double>&);

}  // namespace pilothouse::trainer
