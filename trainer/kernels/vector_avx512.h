// 512 bits of numbers, for files that are compiled for AVX-512. All here has internal linkage: a function that the
// linker merged with one of the same name from elsewhere would bring these instructions to processors without them.
#ifndef PILOTHOUSE_TRAINER_KERNELS_VECTOR_AVX512_H_
#define PILOTHOUSE_TRAINER_KERNELS_VECTOR_AVX512_H_

#include <immintrin.h>

#include <cstdint>

#include "trainer/kernels/vector_avx2.h"

namespace pilothouse::trainer {
namespace {

struct Float512 {
  using Element = float;
  static constexpr int64_t kLanes = 16;
  // Registers: 32, of which 24 hold sums.
  static constexpr int kTileRows = 12;

  __m512 v;

  static void TransposeFour(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    TransposeFourFloats(from, from_stride, to, to_stride);
  }
  static Float512 Load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Float512 LoadFirst(const float* from, int64_t count) { return {_mm512_maskz_loadu_ps(First(count), from)}; }
  static Float512 All(float value) { return {_mm512_set1_ps(value)}; }
  void Store(float* to) const { _mm512_storeu_ps(to, v); }
  void StoreFirst(float* to, int64_t count) const { _mm512_mask_storeu_ps(to, First(count), v); }
  // Past the caches. REQUIRES: `to` is a multiple of the vector's size.
  void Stream(float* to) const { _mm512_stream_ps(to, v); }
  // To be called when all has been streamed, before other threads are told of it.
  static void EndStreams() { _mm_sfence(); }

  // a·b + c, rounded once.
  static Float512 Fma(Float512 a, Float512 b, Float512 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  // c − a·b, rounded once.
  static Float512 FmaNegated(Float512 a, Float512 b, Float512 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
  friend Float512 operator+(Float512 a, Float512 b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Float512 operator-(Float512 a, Float512 b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Float512 operator*(Float512 a, Float512 b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Float512 operator/(Float512 a, Float512 b) { return {_mm512_div_ps(a.v, b.v)}; }
  // a < b ? a : b, so b if either is NaN.
  static Float512 Lesser(Float512 a, Float512 b) { return {_mm512_min_ps(a.v, b.v)}; }
  // a > b ? a : b, so b if either is NaN.
  static Float512 Greater(Float512 a, Float512 b) { return {_mm512_max_ps(a.v, b.v)}; }
  // value where x > 0, else 0.
  static Float512 WherePositive(Float512 x, Float512 value) {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, _mm512_setzero_ps(), _CMP_GT_OQ), value.v)};
  }
  Float512 Magnitude() const { return {_mm512_andnot_ps(SignBit(), v)}; }
  // This magnitude, which is not negative or is NaN, with the sign of `of`.
  Float512 WithSign(Float512 of) const { return {_mm512_or_ps(v, _mm512_and_ps(SignBit(), of.v))}; }
  // 2^n, given that this is n + 1.5·2²³ for a whole n from −126 to 127.
  Float512 PowerOfTwo() const {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(v), 23);
    return {_mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_set1_epi32(127 << 23)))};
  }

 private:
  static __mmask16 First(int64_t count) { return static_cast<__mmask16>((uint32_t{1} << count) - 1); }
  static __m512 SignBit() { return _mm512_set1_ps(-0.0F); }
};

struct Double512 {
  using Element = double;
  static constexpr int64_t kLanes = 8;
  static constexpr int kTileRows = 12;

  __m512d v;

  static void TransposeFour(const double* from, int64_t from_stride, double* to, int64_t to_stride) {
    TransposeFourDoubles(from, from_stride, to, to_stride);
  }
  static Double512 Load(const double* from) { return {_mm512_loadu_pd(from)}; }
  static Double512 LoadFirst(const double* from, int64_t count) { return {_mm512_maskz_loadu_pd(First(count), from)}; }
  static Double512 All(double value) { return {_mm512_set1_pd(value)}; }
  void Store(double* to) const { _mm512_storeu_pd(to, v); }
  void StoreFirst(double* to, int64_t count) const { _mm512_mask_storeu_pd(to, First(count), v); }
  void Stream(double* to) const { _mm512_stream_pd(to, v); }
  static void EndStreams() { _mm_sfence(); }

  static Double512 Fma(Double512 a, Double512 b, Double512 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  static Double512 FmaNegated(Double512 a, Double512 b, Double512 c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
  friend Double512 operator+(Double512 a, Double512 b) { return {_mm512_add_pd(a.v, b.v)}; }
  friend Double512 operator-(Double512 a, Double512 b) { return {_mm512_sub_pd(a.v, b.v)}; }
  friend Double512 operator*(Double512 a, Double512 b) { return {_mm512_mul_pd(a.v, b.v)}; }
  friend Double512 operator/(Double512 a, Double512 b) { return {_mm512_div_pd(a.v, b.v)}; }
  static Double512 Lesser(Double512 a, Double512 b) { return {_mm512_min_pd(a.v, b.v)}; }
  static Double512 Greater(Double512 a, Double512 b) { return {_mm512_max_pd(a.v, b.v)}; }
  static Double512 WherePositive(Double512 x, Double512 value) {
    return {_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(x.v, _mm512_setzero_pd(), _CMP_GT_OQ), value.v)};
  }
  Double512 Magnitude() const { return {_mm512_andnot_pd(SignBit(), v)}; }
  Double512 WithSign(Double512 of) const { return {_mm512_or_pd(v, _mm512_and_pd(SignBit(), of.v))}; }
  // 2^n, given that this is n + 1.5·2⁵² for a whole n from −1022 to 1023.
  Double512 PowerOfTwo() const {
    const __m512i exponent = _mm512_slli_epi64(_mm512_castpd_si512(v), 52);
    return {_mm512_castsi512_pd(_mm512_add_epi64(exponent, _mm512_set1_epi64(int64_t{1023} << 52)))};
  }

 private:
  static __mmask8 First(int64_t count) { return static_cast<__mmask8>((uint32_t{1} << count) - 1); }
  static __m512d SignBit() { return _mm512_set1_pd(-0.0); }
};

}  // namespace
}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_VECTOR_AVX512_H_
