// The affine step: y = x·W + 1·bᵀ.
#ifndef PILOTHOUSE_TRAINER_NET_AFFINE_H_
#define PILOTHOUSE_TRAINER_NET_AFFINE_H_

#include "trainer/kernels/parallel_product.h"
#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// y = x·W + 1·bᵀ, for x [n, inputs], W [inputs, outputs], b [outputs], y [n, outputs]. Each sum begins with its bias.
template <typename T>
void AffineForward(const Multiplier<T>& multiplier, ConstMatrixView<T> x, ConstMatrixView<T> weights, const T* biases,
                   MatrixView<T> y);

// dx = dy·Wᵀ, for dy [n, outputs], W [inputs, outputs], dx [n, inputs].
template <typename T>
void AffineInputGradient(const Multiplier<T>& multiplier, ConstMatrixView<T> dy, ConstMatrixView<T> weights,
                         MatrixView<T> dx);

// What an affine step learns from: dW = xᵀ·dy [inputs, outputs] and db = Σ_rows dy [outputs], each sum over the
// examples in their order. Where `weights` is not null, W and b then go a step down: W ← W − step·dW, b ← b − step·db.
template <typename T>
struct AffineLearning {
  T* weight_gradient;
  T* bias_gradient;
  T* weights = nullptr;
  T* biases = nullptr;
  T step = 0;
};
template <typename T>
void AffineParameterGradient(const Multiplier<T>& multiplier, ConstMatrixView<T> x, ConstMatrixView<T> dy,
                             const AffineLearning<T>& learning);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_AFFINE_H_
