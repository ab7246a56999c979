// Dropout: in training every element is dropped with probability p, independently of all others, and those that are
// kept are divided by 1 − p, so that sums over many stay what they are without it. With d the gradient of the loss with
// respect to y:
//
//   forward   y = m·x      m = 1 / (1 − p) where the element is kept, else 0
//   backward  dx = m·d
//
// Which are dropped is a function of the run's seed, the learning step, the layer and the element's place in the batch:
// there is nothing to remember, and a step that is made again drops the same. For float and double; thread-safe.
#ifndef PILOTHOUSE_TRAINER_NET_DROPOUT_H_
#define PILOTHOUSE_TRAINER_NET_DROPOUT_H_

#include <cstdint>

#include "trainer/net/matrix.h"
#include "trainer/net/random.h"

namespace pilothouse::trainer {

// Sets `factors`, of shape [n, k], to m. Drops with probability `rate`, to within 2^-33, by the draws that `random` has
// for `layer`; that of element (i, j) depends on i·k + j and nothing else. REQUIRES: 0 <= rate < 1;
// 0 <= layer < kMaxLayers; at most kMaxBatchActivations elements.
template <typename T>
void DrawDropout(const RandomStream& random, double rate, int64_t layer, MatrixView<T> factors);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_DROPOUT_H_
