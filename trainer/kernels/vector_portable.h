// Four numbers, for any processor. The operations are those of vector_avx512.h, and are explained there. A fused
// multiply-add is the C library's: exact everywhere, and slow where the processor has none.
#ifndef PILOTHOUSE_TRAINER_KERNELS_VECTOR_PORTABLE_H_
#define PILOTHOUSE_TRAINER_KERNELS_VECTOR_PORTABLE_H_

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace pilothouse::trainer {
namespace {

template <typename T>
struct FourNumbers {
  using Element = T;
  static constexpr int64_t kLanes = 4;
  static constexpr int kTileRows = 2;

  T v[kLanes];

  template <typename Lane>
  static FourNumbers Each(Lane lane) {
    FourNumbers result;
    for (int64_t i = 0; i < kLanes; ++i) result.v[i] = lane(i);
    return result;
  }
  static void TransposeFour(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t j = 0; j < 4; ++j) to[j * to_stride + i] = from[i * from_stride + j];
    }
  }
  static FourNumbers Load(const T* from) {
    return Each([&](int64_t i) { return from[i]; });
  }
  static FourNumbers LoadFirst(const T* from, int64_t count) {
    return Each([&](int64_t i) { return i < count ? from[i] : T{0}; });
  }
  static FourNumbers All(T value) {
    return Each([&](int64_t /*i*/) { return value; });
  }
  void Store(T* to) const { StoreFirst(to, kLanes); }
  void StoreFirst(T* to, int64_t count) const {
    for (int64_t i = 0; i < count; ++i) to[i] = v[i];
  }
  void Stream(T* to) const { Store(to); }
  static void EndStreams() {}

  static FourNumbers Fma(FourNumbers a, FourNumbers b, FourNumbers c) {
    return Each([&](int64_t i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }
  static FourNumbers FmaNegated(FourNumbers a, FourNumbers b, FourNumbers c) {
    return Each([&](int64_t i) { return std::fma(-a.v[i], b.v[i], c.v[i]); });
  }
  static T FmaOne(T a, T b, T c) { return std::fma(a, b, c); }
  friend FourNumbers operator+(FourNumbers a, FourNumbers b) {
    return Each([&](int64_t i) { return a.v[i] + b.v[i]; });
  }
  friend FourNumbers operator-(FourNumbers a, FourNumbers b) {
    return Each([&](int64_t i) { return a.v[i] - b.v[i]; });
  }
  friend FourNumbers operator*(FourNumbers a, FourNumbers b) {
    return Each([&](int64_t i) { return a.v[i] * b.v[i]; });
  }
  friend FourNumbers operator/(FourNumbers a, FourNumbers b) {
    return Each([&](int64_t i) { return a.v[i] / b.v[i]; });
  }
  static FourNumbers Lesser(FourNumbers a, FourNumbers b) {
    return Each([&](int64_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static FourNumbers Greater(FourNumbers a, FourNumbers b) {
    return Each([&](int64_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static FourNumbers WherePositive(FourNumbers x, FourNumbers value) {
    return Each([&](int64_t i) { return x.v[i] > 0 ? value.v[i] : T{0}; });
  }
  FourNumbers Magnitude() const {
    return Each([&](int64_t i) { return std::abs(v[i]); });
  }
  FourNumbers WithSign(FourNumbers of) const {
    return Each([&](int64_t i) { return std::copysign(v[i], of.v[i]); });
  }
  FourNumbers PowerOfTwo() const {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr int kFractionBits = std::numeric_limits<T>::digits - 1;
    return Each([&](int64_t i) {
      return std::bit_cast<T>(
          static_cast<Bits>((std::bit_cast<Bits>(v[i]) << kFractionBits) + std::bit_cast<Bits>(T{1})));
    });
  }
};

}  // namespace
}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_VECTOR_PORTABLE_H_
