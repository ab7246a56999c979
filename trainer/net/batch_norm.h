// Batch normalisation, as PyTorch's BatchNorm1d: every feature is shifted and scaled, then takes a gain and a bias that
// are learnt. Training, that gives it mean 0 and variance 1 over the examples of the batch; otherwise what is done to
// an example must not depend on others, so running statistics of the batches that were learnt from are used. For a
// column x of n examples, g and b its gain and bias, and d the gradient of the loss with respect to y:
//
//   training   μ = (1/n) Σ x     v = (1/n) Σ (x − μ)²
//   otherwise  μ and v are the running mean and variance
//   forward    s = 1 / √(v + ε)     x̂ = s·(x − μ)     y = g·x̂ + b
//   backward   dg = Σ d·x̂     db = Σ d     dx = g·s·(d − db/n − x̂·dg/n)
//   update     running mean     ← (1 − α)·running mean + α·μ
//              running variance ← (1 − α)·running variance + α·v·n/(n − 1)
//
// Statistics are taken in double, in the order of the examples. In training, NaN or an infinite value makes NaN of its
// feature's results for all examples. For float and double; thread-safe.
#ifndef PILOTHOUSE_TRAINER_NET_BATCH_NORM_H_
#define PILOTHOUSE_TRAINER_NET_BATCH_NORM_H_

#include <cstdint>

#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// ε and α.
inline constexpr double kBatchNormEpsilon = 1e-5;
inline constexpr double kBatchNormMomentum = 0.1;

// What k features are shifted and scaled by.
struct FeatureStatistics {
  using Row = Eigen::Array<double, 1, Eigen::Dynamic>;

  explicit FeatureStatistics(int64_t features) : mean(features), variance(features), scale(features) {}

  // μ, v and s.
  Row mean;
  Row variance;
  Row scale;
  // n; 0 where they are running ones.
  int64_t examples = 0;
};

// In all of these, `x`, `y` and `delta` have the shape [n, k], and what a feature has one of has k values. Nothing is
// allocated.

// Sets `statistics` to those of the batch `x`.
template <typename T>
void MeasureFeatures(ConstMatrixView<T> x, FeatureStatistics& statistics);

// Sets `statistics` to the running ones.
template <typename T>
void TakeRunning(const ConstRowView<T>& means, const ConstRowView<T>& variances, FeatureStatistics& statistics);

// Moves the running statistics towards those of a batch. REQUIRES: statistics.examples >= 2.
template <typename T>
void UpdateRunning(const FeatureStatistics& statistics, RowView<T> means, RowView<T> variances);

// `x` and `y` may be the same memory.
template <typename T>
void BatchNormForward(const FeatureStatistics& statistics, ConstRowView<T> gains, ConstRowView<T> biases,
                      ConstMatrixView<T> x, MatrixView<T> y);

// Turns `delta` from the gradient with respect to y into that with respect to x, and sets `gain_gradient` and
// `bias_gradient`. REQUIRES: `statistics` are those of `x`.
template <typename T>
void BatchNormBackward(const FeatureStatistics& statistics, ConstRowView<T> gains, ConstMatrixView<T> x,
                       RowView<T> gain_gradient, RowView<T> bias_gradient, MatrixView<T> delta);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_BATCH_NORM_H_
