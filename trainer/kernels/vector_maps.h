// The functions that networks apply to each number, and their slopes, for a vector at a time: one text for kernels of
// many numbers and for small networks, which must give the same bits. V: one of the vectors.
//
//   tanh      y = tanh x                 slope 1 − y²
//   ReLU      y = max(x, 0)              slope 1 where y > 0, else 0; of NaN y is NaN
//   sigmoid   y = 1 / (1 + e^−x)         slope y·(1 − y)
//
// The maps take x, and what was where y goes, which they do not look at; the slopes take y and a gradient with respect
// to it, and give that with respect to x.
#ifndef PILOTHOUSE_TRAINER_KERNELS_VECTOR_MAPS_H_
#define PILOTHOUSE_TRAINER_KERNELS_VECTOR_MAPS_H_

#include "trainer/kernels/vector_functions.h"

namespace pilothouse::trainer {
namespace {

template <typename V>
inline __attribute__((always_inline)) V OnePlusExpOfMinus(V x) {
  return V::All(1) + Exp(V::All(0) - x);
}

struct TanhMap {
  template <typename V>
  V operator()(V x, V /*before*/) const {
    return Tanh(x);
  }
};

struct TanhSlope {
  template <typename V>
  V operator()(V y, V gradient) const {
    return gradient * V::FmaNegated(y, y, V::All(1));
  }
};

struct ReluMap {
  template <typename V>
  V operator()(V x, V /*before*/) const {
    // Greater gives its second where either is NaN.
    return V::Greater(V::All(0), x);
  }
};

struct ReluSlope {
  template <typename V>
  V operator()(V y, V gradient) const {
    return V::WherePositive(y, gradient);
  }
};

struct SigmoidMap {
  template <typename V>
  V operator()(V x, V /*before*/) const {
    return V::All(1) / OnePlusExpOfMinus(x);
  }
};

struct SigmoidSlope {
  template <typename V>
  V operator()(V y, V gradient) const {
    return gradient * (y * (V::All(1) - y));
  }
};

}  // namespace
}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_VECTOR_MAPS_H_
