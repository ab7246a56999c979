// What tests of kernels and of functions share.
#ifndef PILOTHOUSE_TRAINER_KERNELS_KERNELS_FIXTURE_H_
#define PILOTHOUSE_TRAINER_KERNELS_KERNELS_FIXTURE_H_

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "trainer/kernels/kernels.h"

namespace pilothouse::trainer {

// All that run on this processor.
template <typename T>
std::vector<const Kernels<T>*> KernelsHere() {
  std::vector<const Kernels<T>*> kernels;
  for (const char* name : {"portable", "avx2", "avx512"}) {
    if (const Kernels<T>* found = FindKernels<T>(name)) kernels.push_back(found);
  }
  return kernels;
}

// Equal bits, which numbers that are both NaN need not have.
template <typename T>
bool Same(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b) || (std::isnan(a) && std::isnan(b));
}

template <typename T>
void ExpectSame(const std::vector<T>& found, const std::vector<T>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_TRUE(Same(found[i], expected[i])) << "element " << i << ": " << found[i] << ", not " << expected[i];
  }
}

// From where results are 0 to where they are infinite, with what is special.
template <typename T>
std::vector<T> Arguments() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> arguments = {T{0},
                              -T{0},
                              Limits::infinity(),
                              -Limits::infinity(),
                              Limits::quiet_NaN(),
                              Limits::min(),
                              -Limits::min(),
                              Limits::denorm_min(),
                              Limits::max(),
                              Limits::lowest(),
                              Limits::epsilon()};
  for (int i = 0; i < 100'003; ++i) arguments.push_back(static_cast<T>((i - 50'000) * 0.0161));
  for (int i = 0; i < 10'007; ++i) arguments.push_back(static_cast<T>((i - 5'000) * 0.0001));
  return arguments;
}

template <typename T>
std::vector<T> Apply(void (*function)(const T*, int64_t, T*), std::vector<T> x) {
  function(x.data(), static_cast<int64_t>(x.size()), x.data());
  return x;
}

// Distance in units in the last place of `expected`.
template <typename T>
double UnitsApart(T found, long double expected) {
  const T rounded = static_cast<T>(expected);
  if (Same(found, rounded)) return 0;
  if (std::isinf(rounded) || std::isnan(rounded) || !std::isfinite(found)) return 1e9;
  const T next = std::nextafter(std::abs(rounded), std::numeric_limits<T>::infinity());
  const auto unit = static_cast<long double>(next) - static_cast<long double>(std::abs(rounded));
  return static_cast<double>(std::abs(static_cast<long double>(found) - expected) / unit);
}

template <typename T>
void ExpectNear(const std::vector<T>& x, const std::vector<T>& found, long double (*exact)(long double), double units) {
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(UnitsApart(found[i], exact(static_cast<long double>(x[i]))), units)
        << "of " << x[i] << ": " << found[i] << ", not " << static_cast<T>(exact(static_cast<long double>(x[i])));
  }
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_KERNELS_FIXTURE_H_
