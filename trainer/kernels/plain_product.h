// What Kernels::multiply computes, said plainly: the reference for its tests.
#ifndef PILOTHOUSE_TRAINER_KERNELS_PLAIN_PRODUCT_H_
#define PILOTHOUSE_TRAINER_KERNELS_PLAIN_PRODUCT_H_

#include <cmath>
#include <cstdint>

#include "trainer/kernels/kernels.h"

namespace pilothouse::trainer {

template <typename T>
void PlainMultiply(const Product<T>& product) {
  for (int64_t i = 0; i < product.rows; ++i) {
    for (int64_t j = 0; j < product.columns; ++j) {
      T sum = product.start == nullptr ? T{0} : product.start[j];
      for (int64_t d = 0; d < product.depth; ++d) {
        const T a = product.a.data[i * product.a.row_stride + d * product.a.column_stride];
        const T b = product.b.data[d * product.b.row_stride + j * product.b.column_stride];
        sum = std::fma(a, b, sum);
      }
      const int64_t place = i * product.c_stride + j;
      product.c[place] = sum;
      if (product.descended == nullptr) continue;
      const T change = product.step * sum;
      product.descended[place] -= change;
    }
  }
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_PLAIN_PRODUCT_H_
