// The arithmetic that takes nearly all of a training's time: matrix products and functions of many numbers, in the
// widest vector instructions that this processor has.
//
//   const Kernels<float>& kernels = BestKernels<float>();
//   AlignedArray<float> workspace(kWorkspaceElements);
//   kernels.multiply({.rows = n, .columns = k, .depth = m, .a = {x, m, 1}, .b = {w, k, 1}, .c = y, .c_stride = k},
//                    workspace.data());
//
// Whatever the processor, however a product is divided, wherever memory lies: the results have the same bits. Each
// element of a product is one sum in the order of `depth`, every step a fused multiply-add; and the functions are made
// of operations that IEEE 754 rounds exactly. plain_product.h says the former in a few lines.
#ifndef PILOTHOUSE_TRAINER_KERNELS_KERNELS_H_
#define PILOTHOUSE_TRAINER_KERNELS_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "trainer/kernels/small_network.h"

namespace pilothouse::trainer {

// A matrix that lies in memory in steps: element (i, j) is data[i · row_stride + j · column_stride]. So a transposed
// matrix is the same numbers with its strides exchanged. Strides are in elements.
template <typename T>
struct Strided {
  const T* data = nullptr;
  int64_t row_stride = 0;
  int64_t column_stride = 1;
};

// c_ij = start_j + Σ_d a_id · b_dj, the sum beginning with start and taken in the order of d.
// REQUIRES: rows >= 1, columns >= 1.
template <typename T>
struct Product {
  int64_t rows = 0;
  int64_t columns = 0;
  // May be 0: then c is the start.
  int64_t depth = 0;
  // Of each, one of the strides is 1.
  Strided<T> a = {};  // [rows, depth]
  Strided<T> b = {};  // [depth, columns]
  // [rows, columns], row-major; overlaps neither a nor b.
  T* c = nullptr;
  int64_t c_stride = 0;
  // [columns]; null: zeros.
  const T* start = nullptr;
  // Where not null, an array like c that is moved down its gradient while that is at hand:
  // descended_ij ← descended_ij − step · c_ij, rounded twice.
  T* descended = nullptr;
  T step = 0;
};

// T is float or double. Stateless: thread-safe as long as nobody writes what another reads.
template <typename T>
struct Kernels {
  // "avx512", "avx2" or "portable".
  const char* name;
  // Computes `product`. `workspace` has kWorkspaceElements elements, aligned to kWorkspaceAlignment.
  void (*multiply)(const Product<T>& product, T* workspace);
  // out_j = Σ_i m_ij in the order of i, for m [rows, columns], row-major without gaps.
  void (*sum_rows)(const T* m, int64_t rows, int64_t columns, T* out);
  // Of n numbers each; x and y may be the same array. NaN stays NaN.
  void (*tanh)(const T* x, int64_t n, T* y);
  void (*exp)(const T* x, int64_t n, T* y);
  // 1 / (1 + e^−x), and x / (1 + e^−x).
  void (*sigmoid)(const T* x, int64_t n, T* y);
  void (*silu)(const T* x, int64_t n, T* y);
  // delta ← delta · (1 − y²), each operation rounded: 1 − y² as one fused multiply-add.
  void (*tanh_backward)(const T* y, int64_t n, T* delta);
  // delta ← delta · (1 + (x − y)) / (1 + e^−x), for y = silu x.
  void (*silu_backward)(const T* x, const T* y, int64_t n, T* delta);
  // x·Φ(x), Φ the normal distribution; and delta ← delta · (Φ(x) + x·φ(x)), φ its density.
  void (*gelu)(const T* x, int64_t n, T* y);
  void (*gelu_backward)(const T* x, int64_t n, T* delta);
  // max(x, 0) + log(1 + e^−|x|); and delta ← delta / (1 + e^−x).
  void (*softplus)(const T* x, int64_t n, T* y);
  void (*softplus_backward)(const T* x, int64_t n, T* delta);
  // y = x < 0 ? 0 : x.
  void (*relu)(const T* x, int64_t n, T* y);
  // delta ← y > 0 ? delta : 0.
  void (*relu_backward)(const T* y, int64_t n, T* delta);
  // The outputs of a small network, [rows, outputs of the last stage], row-major.
  void (*small_forward)(const SmallPass<T>& pass, const T* parameters, T* outputs);
  // After small_forward with the same parameters: the gradient with respect to the parameters, given that with respect
  // to the outputs, [rows, outputs]. Where `descended` is not null it is `parameters`, which go down:
  // θ ← θ − step·g, rounded twice.
  void (*small_backward)(const SmallPass<T>& pass, const T* parameters, const T* delta, T* gradient, T* descended,
                         T step);
};

inline constexpr size_t kWorkspaceAlignment = 64;
// Blocks of a product whose copies lie in the cache together, without gaps: of b, at most kDepthBlock × kColumnBlock;
// of a, kRowBlock × kDepthBlock.
inline constexpr int64_t kDepthBlock = 512;
inline constexpr int64_t kColumnBlock = 512;
inline constexpr int64_t kRowBlock = 240;
inline constexpr int64_t kWorkspaceElements = kDepthBlock * (kColumnBlock + kRowBlock);

// The fastest that this processor has, or those that UseKernels named. T is float or double.
template <typename T>
const Kernels<T>& BestKernels();

// Those of this name, or null: the name is unknown, or this processor has not got what they need.
template <typename T>
const Kernels<T>* FindKernels(const char* name);

// From now on BestKernels are those of this name, or, if it is empty, the fastest again: for tests, which compare what
// comes of them. False, and nothing changes, if there are none. What is computing meanwhile, or keeps what BestKernels
// gave, goes on with those.
bool UseKernels(const char* name);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_KERNELS_H_
