// The kernels of one kind of vectors: what each kernels_*.cc, compiled for its processors, makes its table of.
#ifndef PILOTHOUSE_TRAINER_KERNELS_KERNEL_TABLE_H_
#define PILOTHOUSE_TRAINER_KERNELS_KERNEL_TABLE_H_

#include <cstdint>

#include "trainer/kernels/kernel_sets.h"
#include "trainer/kernels/kernels.h"
#include "trainer/kernels/small_passes.h"
#include "trainer/kernels/tiled_product.h"
#include "trainer/kernels/vector_functions.h"
#include "trainer/kernels/vector_maps.h"
#include "trainer/kernels/vector_normal.h"

namespace pilothouse::trainer {

namespace {

// y_i = map(x_i, y_i) for whole vectors and what is left of one.
template <typename V, typename T, typename Map>
inline __attribute__((always_inline)) void MapVectors(const T* x, int64_t n, T* y, Map map) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) map(V::Load(x + i), V::Load(y + i)).Store(y + i);
  const int64_t left = n - i;
  if (left > 0) map(V::LoadFirst(x + i, left), V::LoadFirst(y + i, left)).StoreFirst(y + i, left);
}

template <typename V, typename T>
void TanhOf(const T* x, int64_t n, T* y) {
  MapVectors<V>(x, n, y, TanhMap());
}

template <typename V, typename T>
void ExpOf(const T* x, int64_t n, T* y) {
  MapVectors<V>(x, n, y, [](V value, V /*before*/) { return Exp(value); });
}

template <typename V, typename T>
void SigmoidOf(const T* x, int64_t n, T* y) {
  MapVectors<V>(x, n, y, SigmoidMap());
}

template <typename V, typename T>
void SiluOf(const T* x, int64_t n, T* y) {
  MapVectors<V>(x, n, y, [](V value, V /*before*/) { return value / OnePlusExpOfMinus(value); });
}

template <typename V, typename T>
void SiluBackward(const T* x, const T* y, int64_t n, T* delta) {
  // x − y first: of large x nothing is left, and all digits of the 1 are.
  const auto slope = [](V value, V result) { return (V::All(1) + (value - result)) / OnePlusExpOfMinus(value); };
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) {
    (V::Load(delta + i) * slope(V::Load(x + i), V::Load(y + i))).Store(delta + i);
  }
  const int64_t left = n - i;
  if (left == 0) return;
  const V last = slope(V::LoadFirst(x + i, left), V::LoadFirst(y + i, left));
  (V::LoadFirst(delta + i, left) * last).StoreFirst(delta + i, left);
}

template <typename V, typename T>
void GeluOf(const T* x, int64_t n, T* y) {
  MapVectors<V>(x, n, y, [](V value, V /*before*/) { return Gelu(value); });
}

template <typename V, typename T>
void GeluBackward(const T* x, int64_t n, T* delta) {
  MapVectors<V>(x, n, delta, [](V value, V gradient) { return gradient * GeluSlope(value); });
}

template <typename V, typename T>
void SoftplusOf(const T* x, int64_t n, T* y) {
  // Greater may lose NaN; the other term keeps it.
  MapVectors<V>(x, n, y, [](V value, V /*before*/) {
    return V::Greater(value, V::All(0)) + LogOnePlus(Exp(V::All(0) - value.Magnitude()));
  });
}

template <typename V, typename T>
void SoftplusBackward(const T* x, int64_t n, T* delta) {
  MapVectors<V>(x, n, delta, [](V value, V gradient) { return gradient / OnePlusExpOfMinus(value); });
}

template <typename V, typename T>
void TanhBackward(const T* y, int64_t n, T* delta) {
  MapVectors<V>(y, n, delta, TanhSlope());
}

template <typename V, typename T>
void ReluOf(const T* x, int64_t n, T* y) {
  MapVectors<V>(x, n, y, ReluMap());
}

template <typename V, typename T>
void ReluBackward(const T* y, int64_t n, T* delta) {
  MapVectors<V>(y, n, delta, ReluSlope());
}

template <typename V, typename T>
void SumRows(const T* m, int64_t rows, int64_t columns, T* out) {
  for (int64_t j = 0; j < columns; j += V::kLanes) {
    const int64_t lanes = columns - j < V::kLanes ? columns - j : V::kLanes;
    V sum = V::All(0);
    if (lanes == V::kLanes) {
      for (int64_t i = 0; i < rows; ++i) sum = sum + V::Load(m + i * columns + j);
      sum.Store(out + j);
    } else {
      for (int64_t i = 0; i < rows; ++i) sum = sum + V::LoadFirst(m + i * columns + j, lanes);
      sum.StoreFirst(out + j, lanes);
    }
  }
}

// `Small` are the vectors for small networks: no wider than kSmallRows.
template <typename V, typename Small = V>
constexpr Kernels<typename V::Element> MakeKernels(const char* name) {
  using T = typename V::Element;
  static_assert(kSmallRows % Small::kLanes == 0);
  return {.name = name,
          .multiply = &Multiply<V>,
          .sum_rows = &SumRows<V, T>,
          .tanh = &TanhOf<V, T>,
          .exp = &ExpOf<V, T>,
          .sigmoid = &SigmoidOf<V, T>,
          .silu = &SiluOf<V, T>,
          .tanh_backward = &TanhBackward<V, T>,
          .silu_backward = &SiluBackward<V, T>,
          .gelu = &GeluOf<V, T>,
          .gelu_backward = &GeluBackward<V, T>,
          .softplus = &SoftplusOf<V, T>,
          .softplus_backward = &SoftplusBackward<V, T>,
          .relu = &ReluOf<V, T>,
          .relu_backward = &ReluBackward<V, T>,
          .small_forward = &SmallForward<Small>,
          .small_backward = &SmallBackward<Small>};
}

}  // namespace
}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_KERNEL_TABLE_H_
