// exp, tanh and log(1 + x) of a vector, made of operations that are rounded exactly, so that the bits do not depend on
// the vector.
//
// exp and tanh reduce x = n·ln 2 + r with a whole n and |r| <= ln 2 / 2, and sum the series e^r − 1 = r + r²·(1/2! +
// r/3! + …) until what is left out is below a tenth of the last bit. Neither errs by more than 3 units in the last
// place.
#ifndef PILOTHOUSE_TRAINER_KERNELS_VECTOR_FUNCTIONS_H_
#define PILOTHOUSE_TRAINER_KERNELS_VECTOR_FUNCTIONS_H_

#include <cstddef>
#include <cstdint>

namespace pilothouse::trainer {

// The numbers that depend on how many bits there are. V: one of the vectors.
template <typename V, typename T = typename V::Element>
struct ExpNumbers;

template <typename V>
struct ExpNumbers<V, double> {
  // 1.5·2⁵²: what is added to it is rounded to a whole number.
  static constexpr double kRounder = 6755399441055744.0;
  // ln 2 = kLn2High + kLn2Low; the former has so few bits that n times it is exact.
  static constexpr double kLn2High = 0x1.62e42feep-1;
  static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  // Beyond, e^x is infinite or 0.
  static constexpr double kLargest = 710;
  static constexpr double kSmallest = -746;
  // Beyond, tanh is 1.
  static constexpr double kTanhIsOne = 20;

  // 1/2! + r/3! + … + r¹¹/13!, added in pairs, so that they need not wait for each other.
  static V Series(V r) {
    const V r2 = r * r;
    const V r4 = r2 * r2;
    const V pair0 = V::Fma(V::All(1.0 / 6), r, V::All(1.0 / 2));
    const V pair1 = V::Fma(V::All(1.0 / 120), r, V::All(1.0 / 24));
    const V pair2 = V::Fma(V::All(1.0 / 5040), r, V::All(1.0 / 720));
    const V pair3 = V::Fma(V::All(1.0 / 362880), r, V::All(1.0 / 40320));
    const V pair4 = V::Fma(V::All(1.0 / 39916800), r, V::All(1.0 / 3628800));
    const V pair5 = V::Fma(V::All(1.0 / 6227020800), r, V::All(1.0 / 479001600));
    const V four0 = V::Fma(pair1, r2, pair0);
    const V four1 = V::Fma(pair3, r2, pair2);
    const V four2 = V::Fma(pair5, r2, pair4);
    return V::Fma(V::Fma(four2, r4, four1), r4, four0);
  }
};

template <typename V>
struct ExpNumbers<V, float> {
  static constexpr float kRounder = 12582912.0F;  // 1.5·2²³
  static constexpr float kLn2High = 0x1.62e4p-1F;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20F;
  static constexpr float kLargest = 89;
  static constexpr float kSmallest = -104;
  static constexpr float kTanhIsOne = 10;

  // 1/2! + r/3! + … + r⁶/8!
  static V Series(V r) {
    const V r2 = r * r;
    const V pair0 = V::Fma(V::All(1.0F / 6), r, V::All(1.0F / 2));
    const V pair1 = V::Fma(V::All(1.0F / 120), r, V::All(1.0F / 24));
    const V pair2 = V::Fma(V::All(1.0F / 5040), r, V::All(1.0F / 720));
    const V last = V::Fma(V::All(1.0F / 40320), r2, pair2);
    return V::Fma(V::Fma(last, r2, pair1), r2, pair0);
  }
};

// x = n·ln 2 + r, and e^r − 1.
template <typename V>
struct Reduced {
  // n + kRounder, and n.
  V shifted_n;
  V n;
  V exp_minus_one;

  explicit Reduced(V x) {
    using Numbers = ExpNumbers<V>;
    using T = typename V::Element;
    const V rounder = V::All(Numbers::kRounder);
    shifted_n = V::Fma(x, V::All(static_cast<T>(1.4426950408889634)), rounder);
    n = shifted_n - rounder;
    V r = V::FmaNegated(n, V::All(Numbers::kLn2High), x);
    r = V::FmaNegated(n, V::All(Numbers::kLn2Low), r);
    exp_minus_one = V::Fma(r * r, Numbers::Series(r), r);
  }
};

template <typename V>
V Exp(V x) {
  using Numbers = ExpNumbers<V>;
  const Reduced<V> reduced(V::Greater(V::All(Numbers::kSmallest), V::Lesser(V::All(Numbers::kLargest), x)));
  // In two steps: 2^n itself need not be a number where e^x is the smallest or the largest.
  const V rounder = V::All(Numbers::kRounder);
  const V shifted_half = V::Fma(reduced.n, V::All(0.5F), rounder);
  const V rest = reduced.n - (shifted_half - rounder);
  const V value = V::All(1) + reduced.exp_minus_one;
  return value * shifted_half.PowerOfTwo() * (rest + rounder).PowerOfTwo();
}

// Σ c_k·x^k, in groups of four, so that additions need not wait for each other.
template <typename V, typename T, size_t N>
V Polynomial(const T (&c)[N], V x) {
  static_assert(N % 4 == 0);
  const V x2 = x * x;
  const V x4 = x2 * x2;
  const auto four = [&](size_t k) {
    const V low = V::Fma(V::All(c[k + 1]), x, V::All(c[k]));
    const V high = V::Fma(V::All(c[k + 3]), x, V::All(c[k + 2]));
    return V::Fma(high, x2, low);
  };
  V sum = four(N - 4);
  for (size_t k = N - 4; k > 0; k -= 4) sum = V::Fma(sum, x4, four(k - 4));
  return sum;
}

// 1/3, 1/5, 1/7 …, as many as a logarithm of a number from 1 to 2 takes.
template <typename T>
struct ArtanhNumbers;

template <>
struct ArtanhNumbers<double> {
  static constexpr double kSeries[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17,
                                       1.0 / 19, 1.0 / 21, 1.0 / 23, 1.0 / 25, 1.0 / 27, 1.0 / 29, 1.0 / 31, 1.0 / 33};
};

template <>
struct ArtanhNumbers<float> {
  static constexpr float kSeries[] = {1.0F / 3,  1.0F / 5,  1.0F / 7,  1.0F / 9,
                                      1.0F / 11, 1.0F / 13, 1.0F / 15, 1.0F / 17};
};

// log(1 + x) for x from 0 to 1, within 2 units: 2·artanh s = 2·(s + s³/3 + s⁵/5 + …) with s = x / (2 + x), of which
// 2s = x − s·x.
template <typename V>
V LogOnePlus(V x) {
  const V s = x / (x + V::All(2));
  const V s2 = s * s;
  const V series = Polynomial(ArtanhNumbers<typename V::Element>::kSeries, s2);
  return V::FmaNegated(s, V::FmaNegated(s2 + s2, series, x), x);
}

// tanh x = (e^2x − 1) / (e^2x + 1), and e^2x − 1 = 2^n·(e^r − 1) + (2^n − 1) loses no digits near 0.
template <typename V>
V Tanh(V x) {
  const V magnitude = V::Lesser(V::All(ExpNumbers<V>::kTanhIsOne), x.Magnitude());
  const Reduced<V> reduced(magnitude + magnitude);
  const V scale = reduced.shifted_n.PowerOfTwo();
  const V minus_one = V::Fma(scale, reduced.exp_minus_one, scale - V::All(1));
  return (minus_one / (minus_one + V::All(2))).WithSign(x);
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_VECTOR_FUNCTIONS_H_
