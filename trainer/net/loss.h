// Losses and their gradients. z are the network's outputs of shape [n, k], t the targets, w_i >= 0 the weight of
// example i and W = Σ_i w_i; without weights every w_i is 1, and W is n:
//
//   cross_entropy         (1/W) Σ_i w_i (log Σ_j exp z_ij − z_i,label)   dz_i = (softmax(z_i) − onehot(label)) w_i / W
//   binary_cross_entropy  (1/(W·k)) Σ w_i (max(z, 0) − z·t + log(1 + e^−|z|))   dz = (sigmoid(z) − t) w_i / (W·k)
//   mse                   (1/(W·k)) Σ w_i (z − t)²                       dz = 2·(z − t) w_i / (W·k)
//   half_mse              (1/(2·W)) Σ w_i (z − t)²                       dz = (z − t) w_i / W
//   huber                 (1/(W·k)) Σ w_i h(z − t)                       dz = max(−1, min(z − t, 1)) w_i / (W·k)
//                         h(e) = e²/2 where |e| <= 1, |e| − 1/2 beyond; Huber (1964), with the bend at 1
//
// So the loss is a mean over examples: one of weight 2 counts as much as two of weight 1. The cross-entropies take
// logits: a final softmax or sigmoid is part of the loss, which neither overflows nor loses digits that way. For float
// and double; sums are taken in double, in order, and weights that are all 1 give the same bits as none. Thread-safe.
#ifndef PILOTHOUSE_TRAINER_NET_LOSS_H_
#define PILOTHOUSE_TRAINER_NET_LOSS_H_

#include "absl/types/span.h"
#include "trainer/net/matrix.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// Returns the loss and sets `delta` to its gradient with respect to `outputs`; both have shape [n, k], n > 0. `targets`
// has shape [n, k]; for cross_entropy [n, 1], holding whole numbers from 0 to k − 1. `weights` has shape [n], or is
// empty: without weights. The loss is not finite if an output is NaN, be the weight of its example 0; then `delta` has
// no meaning. Of weights that are all 0 there is no mean: the loss is NaN. REQUIRES: weights are finite and not
// negative, and so are their sum, and its products with losses.
template <typename T>
double LossAndGradient(LossFunction loss, ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta,
                       absl::Span<const double> weights = {});

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_LOSS_H_
