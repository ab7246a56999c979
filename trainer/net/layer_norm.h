// Layer normalisation: every example is shifted and scaled to mean 0 and variance 1 over its features, then takes a
// gain and a bias that are learnt. For a row x of k features, g the gains and b the biases, and d the gradient of the
// loss with respect to y:
//
//   forward   μ = (1/k) Σ x     v = (1/k) Σ (x − μ)²     s = 1 / √(v + ε)     x̂ = s·(x − μ)     y = g·x̂ + b
//   backward  dg = Σ_rows d·x̂   db = Σ_rows d            h = d·g
//             dx = s·(h − (1/k) Σ h − x̂·(1/k) Σ h·x̂)
//
// Products of rows are elementwise. Statistics are taken in double. NaN or an infinite value in an example makes all of
// its results NaN. For float and double; thread-safe.
#ifndef PILOTHOUSE_TRAINER_NET_LAYER_NORM_H_
#define PILOTHOUSE_TRAINER_NET_LAYER_NORM_H_

#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// ε.
inline constexpr double kLayerNormEpsilon = 1e-5;

// `x` and `y` have the shape [n, k] and may be the same memory; `gains` and `biases` have k values.
template <typename T>
void LayerNormForward(ConstRowView<T> gains, ConstRowView<T> biases, ConstMatrixView<T> x, MatrixView<T> y);

// Turns `delta` from the gradient with respect to y into that with respect to x, both of shape [n, k], and sets
// `gain_gradient` and `bias_gradient`, of k values.
template <typename T>
void LayerNormBackward(ConstRowView<T> gains, ConstMatrixView<T> x, RowView<T> gain_gradient, RowView<T> bias_gradient,
                       MatrixView<T> delta);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_LAYER_NORM_H_
