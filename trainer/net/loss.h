// Losses and their gradients. z are the network's outputs of shape [n, k], t the targets:
//
//   cross_entropy         (1/n) Σ_i (log Σ_j exp z_ij − z_i,label)         dz = (softmax(z) − onehot(label)) / n
//   binary_cross_entropy  (1/(n·k)) Σ (max(z, 0) − z·t + log(1 + e^−|z|))  dz = (sigmoid(z) − t) / (n·k)
//   mse                   (1/(n·k)) Σ (z − t)²                             dz = 2·(z − t) / (n·k)
//   half_mse              (1/(2·n)) Σ (z − t)²                             dz = (z − t) / n
//   huber                 (1/(n·k)) Σ h(z − t)                             dz = max(−1, min(z − t, 1)) / (n·k)
//                         h(e) = e²/2 where |e| <= 1, |e| − 1/2 beyond
//
// The cross-entropies take logits: a final softmax or sigmoid is part of the loss, which neither overflows nor loses
// digits that way. For float and double; sums are taken in double, in order. Thread-safe.
#ifndef PILOTHOUSE_TRAINER_NET_LOSS_H_
#define PILOTHOUSE_TRAINER_NET_LOSS_H_

#include "trainer/net/matrix.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// Returns the loss and sets `delta` to its gradient with respect to `outputs`; both have shape [n, k], n > 0. `targets`
// has shape [n, k]; for cross_entropy [n, 1], holding whole numbers from 0 to k − 1. The loss is not finite if an
// output is NaN; then `delta` has no meaning.
template <typename T>
double LossAndGradient(LossFunction loss, ConstMatrixView<T> outputs, ConstMatrixView<T> targets, MatrixView<T> delta);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_LOSS_H_
