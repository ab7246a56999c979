// 256 bits of numbers, for files that are compiled for AVX2 and FMA. The operations are those of vector_avx512.h, and
// are explained there; so is why all has internal linkage.
#ifndef PILOTHOUSE_TRAINER_KERNELS_VECTOR_AVX2_H_
#define PILOTHOUSE_TRAINER_KERNELS_VECTOR_AVX2_H_

#include <immintrin.h>

#include <cstdint>

namespace pilothouse::trainer {
namespace {

// Eight ones and eight zeros: from the right place on, as many ones as lanes are to be loaded.
alignas(64) constexpr int32_t kFirst32[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
alignas(64) constexpr int64_t kFirst64[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

// Four rows of four numbers, `from_stride` apart, become four columns of rows that are `to_stride` apart.
inline void TransposeFourFloats(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m128 row0 = _mm_loadu_ps(from);
  __m128 row1 = _mm_loadu_ps(from + from_stride);
  __m128 row2 = _mm_loadu_ps(from + 2 * from_stride);
  __m128 row3 = _mm_loadu_ps(from + 3 * from_stride);
  _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
  _mm_storeu_ps(to, row0);
  _mm_storeu_ps(to + to_stride, row1);
  _mm_storeu_ps(to + 2 * to_stride, row2);
  _mm_storeu_ps(to + 3 * to_stride, row3);
}

inline void TransposeFourDoubles(const double* from, int64_t from_stride, double* to, int64_t to_stride) {
  const __m256d row0 = _mm256_loadu_pd(from);
  const __m256d row1 = _mm256_loadu_pd(from + from_stride);
  const __m256d row2 = _mm256_loadu_pd(from + 2 * from_stride);
  const __m256d row3 = _mm256_loadu_pd(from + 3 * from_stride);
  const __m256d even01 = _mm256_unpacklo_pd(row0, row1);
  const __m256d odd01 = _mm256_unpackhi_pd(row0, row1);
  const __m256d even23 = _mm256_unpacklo_pd(row2, row3);
  const __m256d odd23 = _mm256_unpackhi_pd(row2, row3);
  _mm256_storeu_pd(to, _mm256_permute2f128_pd(even01, even23, 0x20));
  _mm256_storeu_pd(to + to_stride, _mm256_permute2f128_pd(odd01, odd23, 0x20));
  _mm256_storeu_pd(to + 2 * to_stride, _mm256_permute2f128_pd(even01, even23, 0x31));
  _mm256_storeu_pd(to + 3 * to_stride, _mm256_permute2f128_pd(odd01, odd23, 0x31));
}

struct Float256 {
  using Element = float;
  static constexpr int64_t kLanes = 8;
  // Registers: 16, of which 12 hold sums.
  static constexpr int kTileRows = 6;

  __m256 v;

  static void TransposeFour(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    TransposeFourFloats(from, from_stride, to, to_stride);
  }
  static Float256 Load(const float* from) { return {_mm256_loadu_ps(from)}; }
  static Float256 LoadFirst(const float* from, int64_t count) { return {_mm256_maskload_ps(from, First(count))}; }
  static Float256 All(float value) { return {_mm256_set1_ps(value)}; }
  void Store(float* to) const { _mm256_storeu_ps(to, v); }
  void StoreFirst(float* to, int64_t count) const { _mm256_maskstore_ps(to, First(count), v); }
  void Stream(float* to) const { _mm256_stream_ps(to, v); }
  static void EndStreams() { _mm_sfence(); }

  static Float256 Fma(Float256 a, Float256 b, Float256 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static Float256 FmaNegated(Float256 a, Float256 b, Float256 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
  static float FmaOne(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  friend Float256 operator+(Float256 a, Float256 b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend Float256 operator-(Float256 a, Float256 b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend Float256 operator*(Float256 a, Float256 b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend Float256 operator/(Float256 a, Float256 b) { return {_mm256_div_ps(a.v, b.v)}; }
  static Float256 Lesser(Float256 a, Float256 b) { return {_mm256_min_ps(a.v, b.v)}; }
  static Float256 Greater(Float256 a, Float256 b) { return {_mm256_max_ps(a.v, b.v)}; }
  static Float256 WherePositive(Float256 x, Float256 value) {
    return {_mm256_and_ps(_mm256_cmp_ps(x.v, _mm256_setzero_ps(), _CMP_GT_OQ), value.v)};
  }
  Float256 Magnitude() const { return {_mm256_andnot_ps(SignBit(), v)}; }
  Float256 WithSign(Float256 of) const { return {_mm256_or_ps(v, _mm256_and_ps(SignBit(), of.v))}; }
  Float256 PowerOfTwo() const {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(v), 23);
    return {_mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_set1_epi32(127 << 23)))};
  }

 private:
  static __m256i First(int64_t count) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst32 + kLanes - count));
  }
  static __m256 SignBit() { return _mm256_set1_ps(-0.0F); }
};

struct Double256 {
  using Element = double;
  static constexpr int64_t kLanes = 4;
  static constexpr int kTileRows = 6;

  __m256d v;

  static void TransposeFour(const double* from, int64_t from_stride, double* to, int64_t to_stride) {
    TransposeFourDoubles(from, from_stride, to, to_stride);
  }
  static Double256 Load(const double* from) { return {_mm256_loadu_pd(from)}; }
  static Double256 LoadFirst(const double* from, int64_t count) { return {_mm256_maskload_pd(from, First(count))}; }
  static Double256 All(double value) { return {_mm256_set1_pd(value)}; }
  void Store(double* to) const { _mm256_storeu_pd(to, v); }
  void StoreFirst(double* to, int64_t count) const { _mm256_maskstore_pd(to, First(count), v); }
  void Stream(double* to) const { _mm256_stream_pd(to, v); }
  static void EndStreams() { _mm_sfence(); }

  static Double256 Fma(Double256 a, Double256 b, Double256 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  static Double256 FmaNegated(Double256 a, Double256 b, Double256 c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }
  static double FmaOne(double a, double b, double c) { return __builtin_fma(a, b, c); }
  friend Double256 operator+(Double256 a, Double256 b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend Double256 operator-(Double256 a, Double256 b) { return {_mm256_sub_pd(a.v, b.v)}; }
  friend Double256 operator*(Double256 a, Double256 b) { return {_mm256_mul_pd(a.v, b.v)}; }
  friend Double256 operator/(Double256 a, Double256 b) { return {_mm256_div_pd(a.v, b.v)}; }
  static Double256 Lesser(Double256 a, Double256 b) { return {_mm256_min_pd(a.v, b.v)}; }
  static Double256 Greater(Double256 a, Double256 b) { return {_mm256_max_pd(a.v, b.v)}; }
  static Double256 WherePositive(Double256 x, Double256 value) {
    return {_mm256_and_pd(_mm256_cmp_pd(x.v, _mm256_setzero_pd(), _CMP_GT_OQ), value.v)};
  }
  Double256 Magnitude() const { return {_mm256_andnot_pd(SignBit(), v)}; }
  Double256 WithSign(Double256 of) const { return {_mm256_or_pd(v, _mm256_and_pd(SignBit(), of.v))}; }
  Double256 PowerOfTwo() const {
    const __m256i exponent = _mm256_slli_epi64(_mm256_castpd_si256(v), 52);
    return {_mm256_castsi256_pd(_mm256_add_epi64(exponent, _mm256_set1_epi64x(int64_t{1023} << 52)))};
  }

 private:
  static __m256i First(int64_t count) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst64 + kLanes - count));
  }
  static __m256d SignBit() { return _mm256_set1_pd(-0.0); }
};

}  // namespace
}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_VECTOR_AVX2_H_
