#include "trainer/net/loss.h"

#include <algorithm>
#include <cmath>

namespace pilothouse::trainer {
namespace {

template <typename T>
double CrossEntropy(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta) {
  const Eigen::Index n = outputs.rows();
  double total = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto label = static_cast<Eigen::Index>(targets(i, 0));
    const T largest = outputs.row(i).maxCoeff();
    delta.row(i) = (outputs.row(i).array() - largest).exp();
    const T sum = delta.row(i).sum();
    total += std::log(sum) - (outputs(i, label) - largest);
    delta.row(i) /= sum * static_cast<T>(n);
    delta(i, label) -= T{1} / static_cast<T>(n);
  }
  return total / static_cast<double>(n);
}

template <typename T>
double BinaryCrossEntropy(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta) {
  const Eigen::Index size = outputs.size();
  double total = 0;
  for (Eigen::Index i = 0; i < size; ++i) {
    const T z = outputs.data()[i];
    const T t = targets.data()[i];
    const T decay = std::exp(-std::abs(z));
    total += (z > 0 ? z : 0) - z * t + std::log1p(decay);
    const T probability = z >= 0 ? 1 / (1 + decay) : decay / (1 + decay);
    delta.data()[i] = (probability - t) / static_cast<T>(size);
  }
  return total / static_cast<double>(size);
}

// Σ (outputs − targets)² / divisor.
template <typename T>
double SquaredError(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, double divisor, MatrixView<T> delta) {
  const T slope = static_cast<T>(2 / divisor);
  double total = 0;
  for (Eigen::Index i = 0; i < outputs.size(); ++i) {
    const T error = outputs.data()[i] - targets.data()[i];
    total += static_cast<double>(error) * static_cast<double>(error);
    delta.data()[i] = error * slope;
  }
  return total / divisor;
}

template <typename T>
double Huber(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta) {
  const auto size = static_cast<double>(outputs.size());
  double total = 0;
  for (Eigen::Index i = 0; i < outputs.size(); ++i) {
    const T error = outputs.data()[i] - targets.data()[i];
    const double distance = std::abs(static_cast<double>(error));
    total += distance <= 1 ? distance * distance / 2 : distance - 0.5;
    delta.data()[i] = std::clamp(error, T{-1}, T{1}) / static_cast<T>(size);
  }
  return total / size;
}

}  // namespace

template <typename T>
double LossAndGradient(LossFunction loss, ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta) {
  switch (loss) {
    case LossFunction::kCrossEntropy:
      return CrossEntropy(outputs, targets, delta);
    case LossFunction::kBinaryCrossEntropy:
      return BinaryCrossEntropy(outputs, targets, delta);
    case LossFunction::kMse:
      return SquaredError(outputs, targets, static_cast<double>(outputs.size()), delta);
    case LossFunction::kHalfMse:
      return SquaredError(outputs, targets, 2 * static_cast<double>(outputs.rows()), delta);
    case LossFunction::kHuber:
      return Huber(outputs, targets, delta);
  }
  return 0;
}

template double LossAndGradient(LossFunction, ConstMatrixView<float>, ConstMatrixView<float>, MatrixView<float>);
template double LossAndGradient(LossFunction, ConstMatrixView<double>, ConstMatrixView<double>, MatrixView<double>);

}  // namespace pilothouse::trainer
