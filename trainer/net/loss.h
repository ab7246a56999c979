// Losses and their gradients. z are a network's outputs for n examples, of shape [n, k], t the targets, w_i >= 0 the
// weight of example i, m the mean weight of the part of the data that the n are taken from, and W = n·m; without
// weights every w_i is 1, and so is m:
//
//   cross_entropy         (1/W) Σ_i w_i (log Σ_j exp z_ij − z_i,label)   dz_i = (softmax(z_i) − onehot(label)) w_i / W
//   binary_cross_entropy  (1/(W·k)) Σ w_i (max(z, 0) − z·t + log(1 + e^−|z|))   dz = (sigmoid(z) − t) w_i / (W·k)
//   mse                   (1/(W·k)) Σ w_i (z − t)²                       dz = 2·(z − t) w_i / (W·k)
//   half_mse              (1/(2·W)) Σ w_i (z − t)²                       dz = (z − t) w_i / W
//   huber                 (1/(W·k)) Σ w_i h(z − t)                       dz = max(−1, min(z − t, 1)) w_i / (W·k)
//                         h(e) = e²/2 where |e| <= 1, |e| − 1/2 beyond; Huber (1964), with the bend at 1
//
// An example of weight 2 counts as much as two of weight 1, whichever others are in its batch: over all batches of a
// part, the mean of their losses by their rows is Σ w_i·l_i / Σ w_i, and that of their gradients is its gradient. Were
// a batch divided by its own weights instead, those of its examples that are heavy together would count too little, and
// in a batch of one example its weight would not count at all.
//
// The cross-entropies take logits: a final softmax or sigmoid is part of the loss, which neither overflows nor loses
// digits that way. For float and double; sums are taken in double, in order, and weights that are all 1 give the same
// bits as none. Thread-safe.
#ifndef PILOTHOUSE_TRAINER_NET_LOSS_H_
#define PILOTHOUSE_TRAINER_NET_LOSS_H_

#include "absl/types/span.h"
#include "trainer/net/matrix.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// Weights, as multiples of their mean, lie between this and its reciprocal: with any n·k that fits into memory, n·k·m/w
// is far within float's range, so that the least weight still gives a gradient with all its digits.
inline constexpr double kLeastWeightRatio = 1e-20;

// Returns the loss and sets `delta` to its gradient with respect to `outputs`; both have shape [n, k], n > 0. `targets`
// has shape [n, k]; for cross_entropy [n, 1], holding whole numbers from 0 to k − 1. `weights` has shape [n], or is
// empty: without weights; `mean_weight` is m. The loss is not finite if an output is NaN, be the weight of its example
// 0; then `delta` has no meaning. The part in it of an example whose weight is below m · kLeastWeightRatio may be 0.
// REQUIRES: weights are at least 0 and at most m / kLeastWeightRatio, m > 0, and products of weights and losses are
// finite.
template <typename T>
double LossAndGradient(LossFunction loss, ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta,
                       absl::Span<const double> weights = {}, double mean_weight = 1);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_LOSS_H_
