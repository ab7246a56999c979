// Activations, forward and backward. With y = f(x) and d the gradient of the loss with respect to y:
//
//   tanh        y = tanh x                          dx = d·(1 − y²)
//   ReLU        y = max(0, x)                       dx = d where x > 0, else 0
//   sigmoid     y = σ(x) = 1 / (1 + exp(−x))        dx = d·y·(1 − y)
//   GELU        y = x·Φ(x)                          dx = d·(Φ(x) + x·φ(x))
//   softmax     y_j = exp(x_j) / Σ exp(x)           dx = y·(d − Σ d·y), sums over a row
//   leaky ReLU  y = x where x > 0, else 0.01·x      dx = d where x > 0, else 0.01·d
//   SiLU        y = x·σ(x)                          dx = d·σ(x)·(1 + x − y)
//   softplus    y = max(0, x) + log(1 + exp(−|x|))  dx = d·σ(x)
//
// NaN in gives NaN out, so that a run that diverges cannot hide it. Where the true values are finite, no step on the
// way to them overflows. For float and double; thread-safe.
#ifndef PILOTHOUSE_TRAINER_NET_ACTIVATION_H_
#define PILOTHOUSE_TRAINER_NET_ACTIVATION_H_

#include "trainer/net/matrix.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// `x` and `y` have the same shape and may be the same memory.
template <typename T>
void ActivationForward(Activation activation, ConstMatrixView<T> x, MatrixView<T> y);

// Turns `delta` from the gradient with respect to y into that with respect to x. All have the same shape.
template <typename T>
void ActivationBackward(Activation activation, ConstMatrixView<T> x, ConstMatrixView<T> y, MatrixView<T> delta);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_ACTIVATION_H_
