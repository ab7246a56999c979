// The normal distribution Φ and its density φ in what networks make of them, GELU (Hendrycks and Gimpel 2016, "Gaussian
// error linear units") and its slope, of a vector: the same bits whatever the vector.
//
// With a = |x|, Φ(−a) = e^(−a²/2)·g(a), where g falls slowly from 1/2. As Shepherd and Laframboise (1981, "Chebyshev
// approximation of (1 + 2x)·exp(x²)·erfc(x) in 0 <= x < ∞") do, g is multiplied by a line and taken as a polynomial in
// t = (a − c)/(a + c), which is bounded: g(a)·(a + c) = Σ c_k·t^k, with c = 3.5 and our own numbers, fitted at
// Chebyshev's points between 0 and kLargest and wrong by less than a tenth of the last bit. The square of a is taken
// with the digits that rounding it loses, which its exponential would magnify.
#ifndef PILOTHOUSE_TRAINER_KERNELS_VECTOR_NORMAL_H_
#define PILOTHOUSE_TRAINER_KERNELS_VECTOR_NORMAL_H_

#include "trainer/kernels/vector_functions.h"

namespace pilothouse::trainer {

template <typename T>
struct NormalNumbers;

template <>
struct NormalNumbers<double> {
  // From here on e^(−a²/2) is 0.
  static constexpr double kLargest = 39;
  static constexpr double kRatio[] = {
      0x1.7d241a953a614p-1,   -0x1.2191517fa27b8p-1,  0x1.42fec3680acaap-2,   -0x1.db5837f7f54d8p-4,
      0x1.1d35bdee16fa4p-6,   0x1.a86cec7660ac5p-8,   -0x1.a200796a9f806p-9,  -0x1.d2a14106f233ep-12,
      0x1.f3cfaae8e6414p-12,  0x1.1928611c791a6p-14,  -0x1.3d066e212d0fdp-14, -0x1.3b39999d99f15p-16,
      0x1.82199925e0cfbp-17,  0x1.7b49fa98250f8p-18,  -0x1.38c0248502326p-20, -0x1.8d0751b23662ep-20,
      -0x1.337778d16a386p-23, 0x1.3bf90aa56d947p-22,  0x1.0a2486940509ep-23,  -0x1.01e48df8ce9fbp-25,
      -0x1.3871865e07a51p-25, -0x1.0c2b9dee8aee0p-28, 0x1.52558f0af6ebdp-28,  0x1.9c434b68e4ac1p-30};
};

template <>
struct NormalNumbers<float> {
  static constexpr float kLargest = 15;
  static constexpr float kRatio[] = {0x1.7d241ap-1F,  -0x1.219152p-1F, 0x1.42fec4p-2F,   -0x1.db5844p-4F,
                                     0x1.1d359ap-6F,  0x1.a8761ap-8F,  -0x1.a1ecea0p-9F, -0x1.d58970p-12F,
                                     0x1.efc45cp-12F, 0x1.309502p-14F, -0x1.0f4262p-14F, -0x1.558fcep-16F};
};

template <typename V>
struct NormalTail {
  V magnitude;    // a, at most kLargest
  V exponential;  // e^(−a²/2)
  V ratio;        // g(a)

  explicit NormalTail(V x) {
    using Numbers = NormalNumbers<typename V::Element>;
    const V half = V::All(0.5F);
    const V c = V::All(3.5F);
    magnitude = V::Lesser(V::All(Numbers::kLargest), x.Magnitude());
    const V square = magnitude * magnitude;
    const V lost = V::Fma(magnitude, magnitude, V::All(0) - square);
    const V rounded = Exp(V::All(0) - square * half);
    exponential = V::FmaNegated(rounded, lost * half, rounded);
    const V inverse = V::All(1) / (magnitude + c);
    ratio = Polynomial(Numbers::kRatio, (magnitude - c) * inverse) * inverse;
  }
};

// x·Φ(x) = max(x, 0) − a·Φ(−a), within 6 units where it is not denormal.
template <typename V>
V Gelu(V x) {
  const NormalTail<V> tail(x);
  // Greater may lose NaN; the other term keeps it.
  return V::FmaNegated(tail.exponential, tail.magnitude * tail.ratio, V::Greater(x, V::All(0)));
}

// Φ(x) + x·φ(x), within 6 units of 1.
template <typename V>
V GeluSlope(V x) {
  const NormalTail<V> tail(x);
  // Φ(x) is Φ(−a), or above 0 1 − Φ(−a); at either zero it is the former.
  const V signed_ratio = tail.ratio.WithSign(V::All(0) - x);
  const V density = V::All(static_cast<typename V::Element>(0.3989422804014327));  // 1/√(2π)
  const V both = V::Fma(tail.magnitude.WithSign(x), density, signed_ratio);
  return V::Fma(tail.exponential, both, V::WherePositive(x, V::All(1)));
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_VECTOR_NORMAL_H_
