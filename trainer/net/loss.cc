#include "trainer/net/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "trainer/kernels/kernels.h"
#include "trainer/kernels/scalar_functions.h"

namespace pilothouse::trainer {
namespace {

// The weights of n examples that have none, and so are one group of the same weight. What multiplies or divides by 1 is
// left out by the compiler: one text serves both, and gives both the same bits.
class Alike {
 public:
  explicit Alike(Eigen::Index examples) : examples_(examples) {}
  // What all examples of a batch count together, had each the mean weight: W.
  double Whole() const { return static_cast<double>(examples_); }
  double Of(Eigen::Index /*example*/) const { return 1; }
  Eigen::Index groups() const { return 1; }

 private:
  Eigen::Index examples_;
};

// Each example is a group.
class Weighted {
 public:
  Weighted(absl::Span<const double> weights, double mean)
      : weights_(weights), whole_(static_cast<double>(weights.size()) * mean) {}
  double Whole() const { return whole_; }
  double Of(Eigen::Index example) const { return weights_[static_cast<size_t>(example)]; }
  Eigen::Index groups() const { return static_cast<Eigen::Index>(weights_.size()); }

 private:
  absl::Span<const double> weights_;
  double whole_;
};

// Views go by reference here: copying them twice would cost a small network more than its loss does.
//
// An example's part in a gradient is divided by W/w rather than multiplied by w/W: of weights 1 that is n, whatever T.
// Of weight 0 it is infinity, and the part 0; of others it is in T's range (kLeastWeightRatio), but of those that a run
// begun long ago may have.

// Infinity where T has no number so large: casting such a one is undefined. `value` is not negative.
template <typename T>
T Saturated(double value) {
  return value > std::numeric_limits<T>::max() ? std::numeric_limits<T>::infinity() : static_cast<T>(value);
}

template <typename T, typename Weights>
double CrossEntropy(const ConstMatrixView<T>& outputs, const ConstMatrixView<T>& targets, Weights weights,
                    MatrixView<T>& delta) {
  const Eigen::Index group_rows = outputs.rows() / weights.groups();
  for (Eigen::Index i = 0; i < outputs.rows(); ++i) {
    delta.row(i) = outputs.row(i).array() - outputs.row(i).maxCoeff();
  }
  // All at once: a row may be shorter than a vector.
  BestKernels<T>().exp(delta.data(), delta.size(), delta.data());
  double total = 0;
  for (Eigen::Index group = 0, i = 0; group < weights.groups(); ++group) {
    const T divisor = Saturated<T>(weights.Whole() / weights.Of(group));
    const T share = T{1} / divisor;
    for (const Eigen::Index end = i + group_rows; i < end; ++i) {
      const auto label = static_cast<Eigen::Index>(targets(i, 0));
      const T largest = outputs.row(i).maxCoeff();
      const T sum = delta.row(i).sum();
      total += weights.Of(group) * static_cast<double>(fixed::Log(sum) - (outputs(i, label) - largest));
      delta.row(i) /= sum * divisor;
      delta(i, label) -= share;
    }
  }
  return total / weights.Whole();
}

template <typename T, typename Weights>
double BinaryCrossEntropy(const ConstMatrixView<T>& outputs, const ConstMatrixView<T>& targets, Weights weights,
                          MatrixView<T>& delta) {
  const double size = weights.Whole() * static_cast<double>(outputs.cols());
  const Eigen::Index group_size = outputs.size() / weights.groups();
  delta = -outputs.array().abs();
  BestKernels<T>().exp(delta.data(), delta.size(), delta.data());
  double total = 0;
  for (Eigen::Index group = 0, i = 0; group < weights.groups(); ++group) {
    const T divisor = Saturated<T>(size / weights.Of(group));
    for (const Eigen::Index end = i + group_size; i < end; ++i) {
      const T z = outputs.data()[i];
      const T t = targets.data()[i];
      const T decay = delta.data()[i];
      total += weights.Of(group) * static_cast<double>((z > 0 ? z : 0) - z * t + fixed::LogOnePlus(decay));
      const T probability = z >= 0 ? 1 / (1 + decay) : decay / (1 + decay);
      delta.data()[i] = (probability - t) / divisor;
    }
  }
  return total / size;
}

// Σ w_i (outputs − targets)² / divisor.
template <typename T, typename Weights>
double SquaredError(const ConstMatrixView<T>& outputs, const ConstMatrixView<T>& targets, Weights weights,
                    double divisor, MatrixView<T>& delta) {
  const Eigen::Index group_size = outputs.size() / weights.groups();
  double total = 0;
  for (Eigen::Index group = 0, i = 0; group < weights.groups(); ++group) {
    const T slope = Saturated<T>(2 * weights.Of(group) / divisor);
    for (const Eigen::Index end = i + group_size; i < end; ++i) {
      const T error = outputs.data()[i] - targets.data()[i];
      total += weights.Of(group) * (static_cast<double>(error) * static_cast<double>(error));
      delta.data()[i] = error * slope;
    }
  }
  return total / divisor;
}

template <typename T, typename Weights>
double Huber(const ConstMatrixView<T>& outputs, const ConstMatrixView<T>& targets, Weights weights,
             MatrixView<T>& delta) {
  const double size = weights.Whole() * static_cast<double>(outputs.cols());
  const Eigen::Index group_size = outputs.size() / weights.groups();
  double total = 0;
  for (Eigen::Index group = 0, i = 0; group < weights.groups(); ++group) {
    const T divisor = Saturated<T>(size / weights.Of(group));
    for (const Eigen::Index end = i + group_size; i < end; ++i) {
      const T error = outputs.data()[i] - targets.data()[i];
      const double distance = std::abs(static_cast<double>(error));
      total += weights.Of(group) * (distance <= 1 ? distance * distance / 2 : distance - 0.5);
      delta.data()[i] = std::clamp(error, T{-1}, T{1}) / divisor;
    }
  }
  return total / size;
}

template <typename T, typename Weights>
double Compute(LossFunction loss, const ConstMatrixView<T>& outputs, const ConstMatrixView<T>& targets, Weights weights,
               MatrixView<T>& delta) {
  switch (loss) {
    case LossFunction::kCrossEntropy:
      return CrossEntropy<T>(outputs, targets, weights, delta);
    case LossFunction::kBinaryCrossEntropy:
      return BinaryCrossEntropy<T>(outputs, targets, weights, delta);
    case LossFunction::kMse:
      return SquaredError<T>(outputs, targets, weights, weights.Whole() * static_cast<double>(outputs.cols()), delta);
    case LossFunction::kHalfMse:
      return SquaredError<T>(outputs, targets, weights, 2 * weights.Whole(), delta);
    case LossFunction::kHuber:
      return Huber<T>(outputs, targets, weights, delta);
  }
  return 0;
}

}  // namespace

template <typename T>
double LossAndGradient(LossFunction loss, ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta,
                       absl::Span<const double> weights, double mean_weight) {
  return weights.empty() ? Compute<T>(loss, outputs, targets, Alike(outputs.rows()), delta)
                         : Compute<T>(loss, outputs, targets, Weighted(weights, mean_weight), delta);
}

template double LossAndGradient(LossFunction, ConstMatrixView<float>, ConstMatrixView<float>, MatrixView<float>,
                                absl::Span<const double>, double);
template double LossAndGradient(LossFunction, ConstMatrixView<double>, ConstMatrixView<double>, MatrixView<double>,
                                absl::Span<const double>, double);

}  // namespace pilothouse::trainer
