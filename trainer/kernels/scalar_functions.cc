#include "trainer/kernels/scalar_functions.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>

namespace pilothouse::trainer::fixed {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kFractionBits = std::numeric_limits<double>::digits - 1;
constexpr uint64_t kFraction = (uint64_t{1} << kFractionBits) - 1;
constexpr int64_t kBias = 1023;

// ln 2 = kLn2High + kLn2Low; the former has so few bits that a whole number of up to 20 bits times it is exact.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

// Σ c_k·x^k, in groups of four, so that additions need not wait for each other.
template <size_t N>
double Polynomial(const std::array<double, N>& c, double x) {
  static_assert(N % 4 == 0);
  const double x2 = x * x;
  const double x4 = x2 * x2;
  double sum = 0;
  for (size_t k = N; k > 0; k -= 4) {
    sum = sum * x4 + ((c[k - 4] + c[k - 3] * x) + (c[k - 2] + c[k - 1] * x) * x2);
  }
  return sum;
}

// 1/3, 1/5, 1/7 …: artanh s = s + s³·Σ c_k·s^2k.
template <size_t N>
constexpr std::array<double, N> Artanh() {
  std::array<double, N> c{};
  for (size_t k = 0; k < N; ++k) c[k] = 1.0 / static_cast<double>(2 * k + 3);
  return c;
}

// sign^k / (first + step·k)!. Factorials up to 18! are exact.
template <size_t N>
constexpr std::array<double, N> Factorials(int first, int step, double sign) {
  std::array<double, N> c{};
  double factorial = 1;
  int reached = 1;
  double signs = 1;
  for (size_t k = 0; k < N; ++k, signs *= sign) {
    for (; reached <= first + step * static_cast<int>(k); ++reached) factorial *= reached;
    c[k] = signs / factorial;
  }
  return c;
}

// So many terms that what is left out is below a tenth of the last bit, or a thirtieth of float's: of |s| <= (√2 −
// 1)/(√2 + 1), of s <= 1/3, of |r| <= ln 2 / 2, of angles up to π/4.
constexpr std::array<double, 12> kArtanhNarrow = Artanh<12>();
constexpr std::array<double, 16> kArtanhWide = Artanh<16>();
constexpr std::array<double, 4> kArtanhNarrowFloat = Artanh<4>();
constexpr std::array<double, 8> kArtanhWideFloat = Artanh<8>();
constexpr std::array<double, 12> kExp = Factorials<12>(2, 1, 1);
constexpr std::array<double, 8> kSin = Factorials<8>(3, 2, -1);
constexpr std::array<double, 8> kCos = Factorials<8>(4, 2, -1);

// x = 2^exponent·(1 + f) with √½ <= 1 + f < √2. REQUIRES: x is normal and above 0.
struct Mantissa {
  double exponent;
  double f;

  explicit Mantissa(double x) {
    const auto bits = std::bit_cast<uint64_t>(x);
    const double from_one = std::bit_cast<double>((bits & kFraction) | static_cast<uint64_t>(kBias) << kFractionBits);
    const bool large = from_one > std::numbers::sqrt2;
    exponent = static_cast<double>(static_cast<int64_t>(bits >> kFractionBits) - kBias + (large ? 1 : 0));
    f = (large ? from_one / 2 : from_one) - 1;
  }
};

// 2^n for n from −1022 to 1023.
double PowerOfTwo(int64_t n) { return std::bit_cast<double>(static_cast<uint64_t>(n + kBias) << kFractionBits); }

// x = n·ln 2 + r, and e^r − 1. REQUIRES: |x| < 1000.
struct Reduced {
  int64_t n;
  double exp_minus_one;

  explicit Reduced(double x) : n(static_cast<int64_t>(std::floor(x * std::numbers::log2e + 0.5))) {
    const auto whole = static_cast<double>(n);
    const double r = (x - whole * kLn2High) - whole * kLn2Low;
    exp_minus_one = r + r * r * Polynomial(kExp, r);
  }
};

// e^x − 1 for x <= 0.
double ExpMinusOneBelowZero(double x) {
  // e^−40 is below half of the last bit of 1.
  if (!(x >= -40)) return x < 0 ? -1 : x;
  const Reduced reduced(x);
  const double scale = PowerOfTwo(reduced.n);
  return scale * reduced.exp_minus_one + (scale - 1);
}

double PowerOfWhole(double x, uint64_t n) {
  double power = 1;
  for (double square = x; n != 0; n /= 2, square *= square) {
    if (n % 2 == 1) power *= square;
  }
  return power;
}

// cos(2π·(t + quarters / 4)).
double CosAfter(double t, int64_t quarters) {
  constexpr double kMost = 0x1p50;
  if (!(std::abs(t) <= kMost)) return kNan;
  const double nearest = std::floor(4 * t + 0.5);
  const double x = 2 * std::numbers::pi * (t - nearest / 4);
  const double x2 = x * x;
  const auto quadrant = static_cast<uint64_t>(static_cast<int64_t>(nearest) + quarters) % 4;
  if (quadrant % 2 == 0) {
    const double cos = 1 - (x2 / 2 - x2 * x2 * Polynomial(kCos, x2));
    return quadrant == 0 ? cos : -cos;
  }
  const double sin = x - x * (x2 * Polynomial(kSin, x2));
  return quadrant == 3 ? sin : 0 - sin;
}

}  // namespace

double Log(double x) {
  if (!(x > 0)) return x == 0 ? -kInfinity : kNan;
  if (x == kInfinity) return x;
  // A denormal number is made a normal one.
  const bool normal = x >= std::numeric_limits<double>::min();
  const Mantissa m(normal ? x : x * 0x1p54);
  const double k = normal ? m.exponent : m.exponent - 54;
  const double s = m.f / (2 + m.f);
  const double s2 = s * s;
  // 2s = f − f²/2 + s·f²/2, of which the largest part, f, is exact.
  const double half = m.f * m.f / 2;
  const double low = s * (half + 2 * s2 * Polynomial(kArtanhNarrow, s2)) + k * kLn2Low;
  return k * kLn2High + (m.f - (half - low));
}

float Log(float x) {
  constexpr auto kNone = static_cast<float>(kNan);
  constexpr auto kInfinite = static_cast<float>(kInfinity);
  if (!(x > 0)) return x == 0 ? -kInfinite : kNone;
  if (x == kInfinite) return x;
  // In double no float is denormal, and digits are plenty.
  const Mantissa m(static_cast<double>(x));
  const double s = m.f / (2 + m.f);
  const double s2 = s * s;
  return static_cast<float>(m.exponent * std::numbers::ln2 + 2 * (s + s * s2 * Polynomial(kArtanhNarrowFloat, s2)));
}

double LogOnePlus(double x) {
  const double s = x / (2 + x);
  const double s2 = s * s;
  // 2s = x − s·x.
  return x - s * (x - 2 * s2 * Polynomial(kArtanhWide, s2));
}

float LogOnePlus(float x) {
  const auto wide = static_cast<double>(x);
  const double s = wide / (2 + wide);
  const double s2 = s * s;
  return static_cast<float>(2 * (s + s * s2 * Polynomial(kArtanhWideFloat, s2)));
}

double Exp(double x) {
  if (!(x < 710)) return x * kInfinity;
  if (x < -746) return 0;
  const Reduced reduced(x);
  // In two steps: 2^n itself need not be a number where e^x is the smallest or the largest.
  const int64_t half = reduced.n / 2;
  return (1 + reduced.exp_minus_one) * PowerOfTwo(half) * PowerOfTwo(reduced.n - half);
}

double OneMinusPower(double x, double n) { return n == 0 ? 0 : -ExpMinusOneBelowZero(n * Log(x)); }

double Power(double x, double y) {
  // From 2⁵³ on all numbers are whole. So large a power is 0, 1 or infinite, or has no digits left.
  constexpr double kWhole = 0x1p53;
  if (!(y < kWhole)) return std::isnan(y) ? y : PowerOfWhole(x, static_cast<uint64_t>(kWhole));
  const double whole = std::floor(y);
  const double power = PowerOfWhole(x, static_cast<uint64_t>(whole));
  return whole == y ? power : power * Exp((y - whole) * Log(x));
}

double CosOfTurns(double t) { return CosAfter(t, 0); }
double SinOfTurns(double t) { return CosAfter(t, -1); }

}  // namespace pilothouse::trainer::fixed
