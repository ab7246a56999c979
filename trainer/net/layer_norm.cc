#include "trainer/net/layer_norm.h"

#include <cmath>

namespace pilothouse::trainer {
namespace {

// What the row of one example is shifted and scaled by.
struct RowStatistics {
  double mean = 0;
  double scale = 0;
};

template <typename T>
RowStatistics StatisticsOf(const T* row, Eigen::Index features) {
  const auto values = ConstRowView<T>(row, features).template cast<double>().array();
  const double mean = values.mean();
  // The variance of what is left after the shift: a difference of sums of squares would lose it where the mean is
  // large.
  return {mean, 1 / std::sqrt((values - mean).square().mean() + kLayerNormEpsilon)};
}

}  // namespace

template <typename T>
void LayerNormForward(ConstRowView<T> gains, ConstRowView<T> biases, ConstMatrixView<T> x, MatrixView<T> y) {
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const RowStatistics row = StatisticsOf<T>(x.row(i).data(), x.cols());
    y.row(i) = ((x.row(i).template cast<double>().array() - row.mean) * row.scale).template cast<T>() * gains.array() +
               biases.array();
  }
}

template <typename T>
void LayerNormBackward(ConstRowView<T> gains, ConstMatrixView<T> x, RowView<T> gain_gradient, RowView<T> bias_gradient,
                       MatrixView<T> delta) {
  bias_gradient = delta.colwise().sum();
  gain_gradient.setZero();
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const RowStatistics row = StatisticsOf<T>(x.row(i).data(), x.cols());
    // Computed anew wherever they are read, since there is no memory to keep them in.
    const auto normal = ((x.row(i).template cast<double>().array() - row.mean) * row.scale).template cast<T>();
    const auto scaled = delta.row(i).array() * gains.array();
    gain_gradient.array() += delta.row(i).array() * normal;
    const T mean = scaled.mean();
    const T slope = (scaled * normal).mean();
    delta.row(i).array() = (scaled - mean - normal * slope) * static_cast<T>(row.scale);
  }
}

template void LayerNormForward(ConstRowView<float>, ConstRowView<float>, ConstMatrixView<float>, MatrixView<float>);
template void LayerNormForward(ConstRowView<double>, ConstRowView<double>, ConstMatrixView<double>, MatrixView<double>);
template void LayerNormBackward(ConstRowView<float>, ConstMatrixView<float>, RowView<float>, RowView<float>,
                                MatrixView<float>);
template void LayerNormBackward(ConstRowView<double>, ConstMatrixView<double>, RowView<double>, RowView<double>,
                                MatrixView<double>);

}  // namespace pilothouse::trainer
