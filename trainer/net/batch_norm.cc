#include "trainer/net/batch_norm.h"

namespace pilothouse::trainer {
namespace {

void SetScale(FeatureStatistics& statistics) {
  statistics.scale = (statistics.variance + kBatchNormEpsilon).sqrt().inverse();
}

// Row `i` of x̂, computed anew wherever it is read.
template <typename T>
auto NormalRow(const FeatureStatistics& statistics, const ConstMatrixView<T>& x, Eigen::Index i) {
  return ((x.row(i).template cast<double>().array() - statistics.mean) * statistics.scale).template cast<T>();
}

}  // namespace

template <typename T>
void MeasureFeatures(ConstMatrixView<T> x, FeatureStatistics& statistics) {
  // Row by row, which is how the numbers lie in memory.
  statistics.examples = x.rows();
  const auto count = static_cast<double>(x.rows());
  statistics.mean.setZero();
  for (Eigen::Index i = 0; i < x.rows(); ++i) statistics.mean += x.row(i).template cast<double>().array();
  statistics.mean /= count;
  // The variance of what is left after the shift: a difference of sums of squares would lose it where the mean is
  // large.
  statistics.variance.setZero();
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    statistics.variance += (x.row(i).template cast<double>().array() - statistics.mean).square();
  }
  statistics.variance /= count;
  SetScale(statistics);
}

template <typename T>
void TakeRunning(const ConstRowView<T>& means, const ConstRowView<T>& variances, FeatureStatistics& statistics) {
  statistics.examples = 0;
  statistics.mean = means.template cast<double>();
  statistics.variance = variances.template cast<double>();
  SetScale(statistics);
}

template <typename T>
void UpdateRunning(const FeatureStatistics& statistics, RowView<T> means, RowView<T> variances) {
  const auto examples = static_cast<double>(statistics.examples);
  const auto follow = [](RowView<T>& running, const auto& batch) {
    running = (kBatchNormMomentum * batch + (1 - kBatchNormMomentum) * running.template cast<double>().array())
                  .template cast<T>();
  };
  follow(means, statistics.mean);
  follow(variances, statistics.variance * (examples / (examples - 1)));
}

template <typename T>
void BatchNormForward(const FeatureStatistics& statistics, ConstRowView<T> gains, ConstRowView<T> biases,
                      ConstMatrixView<T> x, MatrixView<T> y) {
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    y.row(i) = NormalRow<T>(statistics, x, i) * gains.array() + biases.array();
  }
}

template <typename T>
void BatchNormBackward(const FeatureStatistics& statistics, ConstRowView<T> gains, ConstMatrixView<T> x,
                       RowView<T> gain_gradient, RowView<T> bias_gradient, MatrixView<T> delta) {
  bias_gradient = delta.colwise().sum();
  gain_gradient.setZero();
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    gain_gradient.array() += delta.row(i).array() * NormalRow<T>(statistics, x, i);
  }
  const T part = T{1} / static_cast<T>(x.rows());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const auto normal = NormalRow<T>(statistics, x, i);
    delta.row(i).array() =
        (delta.row(i).array() - part * bias_gradient.array() - normal * (part * gain_gradient.array())) *
        (gains.array() * statistics.scale.template cast<T>());
  }
}

template void MeasureFeatures(ConstMatrixView<float>, FeatureStatistics&);
template void MeasureFeatures(ConstMatrixView<double>, FeatureStatistics&);
template void TakeRunning(const ConstRowView<float>&, const ConstRowView<float>&, FeatureStatistics&);
template void TakeRunning(const ConstRowView<double>&, const ConstRowView<double>&, FeatureStatistics&);
template void UpdateRunning(const FeatureStatistics&, RowView<float>, RowView<float>);
template void UpdateRunning(const FeatureStatistics&, RowView<double>, RowView<double>);
template void BatchNormForward(const FeatureStatistics&, ConstRowView<float>, ConstRowView<float>,
                               ConstMatrixView<float>, MatrixView<float>);
template void BatchNormForward(const FeatureStatistics&, ConstRowView<double>, ConstRowView<double>,
                               ConstMatrixView<double>, MatrixView<double>);
template void BatchNormBackward(const FeatureStatistics&, ConstRowView<float>, ConstMatrixView<float>, RowView<float>,
                                RowView<float>, MatrixView<float>);
template void BatchNormBackward(const FeatureStatistics&, ConstRowView<double>, ConstMatrixView<double>,
                                RowView<double>, RowView<double>, MatrixView<double>);

}  // namespace pilothouse::trainer
