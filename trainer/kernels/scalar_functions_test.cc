#include "trainer/kernels/scalar_functions.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "trainer/kernels/kernels_fixture.h"

namespace pilothouse::trainer {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kDenormal = std::numeric_limits<double>::denorm_min();
constexpr double kLeast = std::numeric_limits<double>::min();
constexpr double kMost = std::numeric_limits<double>::max();

uint64_t Bits(double x) { return std::bit_cast<uint64_t>(x); }

// Numbers of a range that is walked in `steps` steps of one difference; none of them is a round number.
template <typename Visit>
void Walk(double begin, double end, int steps, Visit visit) {
  for (int i = 0; i < steps; ++i) visit(begin + (end - begin) * (i + 0.3183) / steps);
}

TEST(FixedLog, IsWithinOneUnit) {
  const auto expect = [](double x) {
    ASSERT_LE(UnitsApart(fixed::Log(x), std::log(static_cast<long double>(x))), 1) << x;
  };
  Walk(0.5, 2, 200'000, expect);
  Walk(1 - 1e-7, 1 + 1e-7, 10'000, expect);
  Walk(0, 1000, 50'000, expect);
  Walk(-1074, 1024, 100'000, [&](double exponent) { expect(std::exp2(exponent)); });
}

TEST(FixedLog, HasItsValuesAtTheEdges) {
  EXPECT_EQ(fixed::Log(1.0), 0);
  EXPECT_EQ(fixed::Log(0.0), -kInfinity);
  EXPECT_EQ(fixed::Log(-0.0), -kInfinity);
  EXPECT_EQ(fixed::Log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(fixed::Log(-kDenormal)));
  EXPECT_TRUE(std::isnan(fixed::Log(-kInfinity)));
  EXPECT_TRUE(std::isnan(fixed::Log(kNan)));
  for (const double x :
       {kDenormal, 3 * kDenormal, kLeast, std::nextafter(kLeast, 0.0), kMost, std::numbers::sqrt2,
        std::nextafter(std::numbers::sqrt2, 2.0), std::nextafter(1.0, 0.0), std::nextafter(1.0, 2.0)}) {
    EXPECT_LE(UnitsApart(fixed::Log(x), std::log(static_cast<long double>(x))), 1) << x;
  }
}

TEST(FixedLogOnePlus, IsWithinTwoUnits) {
  const auto expect = [](double x) {
    ASSERT_LE(UnitsApart(fixed::LogOnePlus(x), std::log1p(static_cast<long double>(x))), 2) << x;
  };
  Walk(0, 1, 200'000, expect);
  Walk(-1074, 0, 50'000, [&](double exponent) { expect(std::exp2(exponent)); });
  for (const double x : {0.0, kDenormal, kLeast, 1.0}) expect(x);
  EXPECT_TRUE(std::isnan(fixed::LogOnePlus(kNan)));
}

// Every 1009th float.
TEST(FixedLog, OfFloatIsWithinHalfAUnitAndABit) {
  for (uint32_t bits = 1; bits < 0x7f800000; bits += 1009) {
    const auto x = std::bit_cast<float>(bits);
    ASSERT_LE(UnitsApart(fixed::Log(x), std::log(static_cast<long double>(x))), 0.53) << x;
  }
  for (int i = -100'000; i < 100'000; ++i) {
    const auto x = 1 + static_cast<float>(i) * 0x1p-23F;
    ASSERT_LE(UnitsApart(fixed::Log(x), std::log(static_cast<long double>(x))), 0.53) << x;
  }
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  EXPECT_EQ(fixed::Log(0.0F), -kInfinite);
  EXPECT_EQ(fixed::Log(kInfinite), kInfinite);
  EXPECT_TRUE(std::isnan(fixed::Log(-1.0F)));
  EXPECT_TRUE(std::isnan(fixed::Log(std::numeric_limits<float>::quiet_NaN())));
}

TEST(FixedLogOnePlus, OfFloatIsWithinHalfAUnitAndABit) {
  for (uint32_t bits = 0; bits <= std::bit_cast<uint32_t>(1.0F); bits += 509) {
    const auto x = std::bit_cast<float>(bits);
    ASSERT_LE(UnitsApart(fixed::LogOnePlus(x), std::log1p(static_cast<long double>(x))), 0.51) << x;
  }
  EXPECT_EQ(fixed::LogOnePlus(1.0F), std::numbers::ln2_v<float>);
  EXPECT_TRUE(std::isnan(fixed::LogOnePlus(std::numeric_limits<float>::quiet_NaN())));
}

TEST(FixedExp, IsWithinOneUnit) {
  const auto expect = [](double x) {
    ASSERT_LE(UnitsApart(fixed::Exp(x), std::exp(static_cast<long double>(x))), 1) << x;
  };
  Walk(-1, 1, 100'000, expect);
  Walk(-708, 709.7, 200'000, expect);
  // Denormal: rounded twice.
  Walk(-745, -708, 10'000,
       [](double x) { ASSERT_LE(UnitsApart(fixed::Exp(x), std::exp(static_cast<long double>(x))), 1.5) << x; });
}

TEST(FixedExp, HasItsValuesAtTheEdges) {
  EXPECT_EQ(fixed::Exp(0), 1);
  EXPECT_EQ(fixed::Exp(-0.0), 1);
  EXPECT_EQ(fixed::Exp(kDenormal), 1);
  EXPECT_EQ(fixed::Exp(709.8), kInfinity);
  EXPECT_EQ(fixed::Exp(kMost), kInfinity);
  EXPECT_EQ(fixed::Exp(kInfinity), kInfinity);
  EXPECT_EQ(fixed::Exp(-745.2), 0);
  EXPECT_EQ(fixed::Exp(-kInfinity), 0);
  EXPECT_TRUE(std::isnan(fixed::Exp(kNan)));
}

TEST(FixedOneMinusPower, IsWithinFourUnits) {
  for (const double x : {0.0, 1e-300, 0.1, 0.5, 0.9, 0.95, 0.999, 0.9999, 0.999999, std::nextafter(1.0, 0.0)}) {
    for (double n = 1; n < 1e18; n = std::floor(n * 1.1) + 1) {
      const long double exact = -std::expm1(static_cast<long double>(n) * std::log(static_cast<long double>(x)));
      ASSERT_LE(UnitsApart(fixed::OneMinusPower(x, n), exact), 4) << x << "^" << n;
    }
  }
}

TEST(FixedOneMinusPower, HasItsValuesAtTheEdges) {
  EXPECT_EQ(fixed::OneMinusPower(0, 1), 1);
  EXPECT_EQ(fixed::OneMinusPower(0.9, 0), 0);
  EXPECT_EQ(fixed::OneMinusPower(0, 0), 0);
  EXPECT_EQ(fixed::OneMinusPower(1, 5), 0);
  EXPECT_EQ(fixed::OneMinusPower(0.5, 1), 0.5);
  EXPECT_EQ(fixed::OneMinusPower(0.999, kInfinity), 1);
  EXPECT_TRUE(std::isnan(fixed::OneMinusPower(kNan, 1)));
  EXPECT_TRUE(std::isnan(fixed::OneMinusPower(0.5, kNan)));
}

TEST(FixedPower, IsWithinItsBound) {
  for (const double x : {1e-3, 0.1, 0.5, 0.95, 0.9999, 1.0, 1.1, 2.0, 1000.0}) {
    for (double y = 0; y < 3000; y += 0.37 + y / 50) {
      const long double exact = std::pow(static_cast<long double>(x), static_cast<long double>(y));
      if (exact < 1e-300L || exact > 1e300L) continue;
      ASSERT_LE(UnitsApart(fixed::Power(x, y), exact), 3 + 2 * y + 8 * std::abs(std::log(x))) << x << "^" << y;
    }
  }
}

TEST(FixedPower, OfWholeNumbersIsMultiplied) {
  EXPECT_EQ(fixed::Power(0.1, 0), 1);
  EXPECT_EQ(fixed::Power(0.1, 1), 0.1);
  EXPECT_EQ(fixed::Power(0.1, 2), 0.1 * 0.1);
  EXPECT_EQ(fixed::Power(0.1, 7), (0.1 * (0.1 * 0.1)) * ((0.1 * 0.1) * (0.1 * 0.1)));
  EXPECT_EQ(fixed::Power(0.5, 1000), 0x1p-1000);
  EXPECT_EQ(fixed::Power(3, 20), 3486784401);
  EXPECT_LE(UnitsApart(fixed::Power(0.5, 0.5), std::sqrt(0.5L)), 1);
}

TEST(FixedPower, HasItsValuesAtTheEdges) {
  EXPECT_EQ(fixed::Power(0.5, 1e6), 0);
  EXPECT_EQ(fixed::Power(0.5, 0x1p53), 0);
  EXPECT_EQ(fixed::Power(0.5, 1e300), 0);
  EXPECT_EQ(fixed::Power(0.5, kInfinity), 0);
  EXPECT_EQ(fixed::Power(2, kInfinity), kInfinity);
  EXPECT_EQ(fixed::Power(1000, 500.5), kInfinity);
  EXPECT_EQ(fixed::Power(1, kInfinity), 1);
  EXPECT_NEAR(fixed::Power(kDenormal, 0.5) / std::sqrt(kDenormal), 1, 1e-12);
  EXPECT_TRUE(std::isnan(fixed::Power(0.5, kNan)));
  EXPECT_TRUE(std::isnan(fixed::Power(kNan, 0.5)));
}

TEST(FixedTurns, AreWithinTwoUnits) {
  constexpr long double kTurn = 2 * std::numbers::pi_v<long double>;
  // The arguments less the nearest quarter are exact, and so the reference has digits near its zeros.
  const auto expect = [&](double t) {
    const long double nearest = std::floor(4 * static_cast<long double>(t) + 0.5L);
    const long double rest = kTurn * (static_cast<long double>(t) - nearest / 4);
    const auto quadrant = static_cast<int>(std::fmod(std::fmod(nearest, 4.0L) + 4, 4.0L));
    const long double by_quadrant[] = {std::cos(rest), -std::sin(rest), -std::cos(rest), std::sin(rest)};
    ASSERT_LE(UnitsApart(fixed::CosOfTurns(t), by_quadrant[quadrant]), 2) << t;
    ASSERT_LE(UnitsApart(fixed::SinOfTurns(t), by_quadrant[(quadrant + 3) % 4]), 2) << t;
  };
  Walk(-1, 2, 200'000, expect);
  Walk(0.25 - 1e-9, 0.25 + 1e-9, 1000, expect);
  Walk(-1000, 1000, 20'000, expect);
  for (const double t : {0.125, std::nextafter(0.125, 0.0), 0x1p-53, 1 - 0x1p-53, kLeast}) expect(t);
}

TEST(FixedTurns, HaveTheirValuesAtTheEdges) {
  for (const double turns : {0.0, 3.0, -7.0, 0x1p50, -0x1p50}) {
    EXPECT_EQ(fixed::CosOfTurns(turns), 1);
    EXPECT_EQ(fixed::SinOfTurns(turns), 0);
  }
  EXPECT_EQ(fixed::CosOfTurns(0.25), 0);
  EXPECT_EQ(fixed::SinOfTurns(0.25), 1);
  EXPECT_EQ(fixed::CosOfTurns(0.5), -1);
  EXPECT_EQ(fixed::SinOfTurns(0.5), 0);
  EXPECT_EQ(fixed::CosOfTurns(-0.25), 0);
  EXPECT_EQ(fixed::SinOfTurns(-0.25), -1);
  for (const double t : {0x1.8p50, -0x1.8p50, kInfinity, -kInfinity, kNan}) {
    EXPECT_TRUE(std::isnan(fixed::CosOfTurns(t)) && std::isnan(fixed::SinOfTurns(t))) << t;
  }
}

// Computed once; whatever else comes of these is another function.
TEST(Fixed, HasTheseBits) {
  EXPECT_EQ(Bits(fixed::Log(10.0)), 0x40026bb1bbb55516U);
  EXPECT_EQ(Bits(fixed::Log(0.7)), 0xbfd6d3c324e13f50U);
  EXPECT_EQ(Bits(fixed::LogOnePlus(0.3)), 0x3fd0ca937be1b9dcU);
  EXPECT_EQ(Bits(fixed::Exp(1)), 0x4005bf0a8b14576aU);
  EXPECT_EQ(Bits(fixed::Exp(-100.25)), 0x36e4acd31e167ebbU);
  EXPECT_EQ(Bits(fixed::OneMinusPower(0.999, 77)), 0x3fb2fb385febbbfeU);
  EXPECT_EQ(Bits(fixed::Power(0.95, 12.3)), 0x3fe10708c96823bdU);
  EXPECT_EQ(Bits(fixed::CosOfTurns(0.1)), 0x3fe9e3779b97f4a8U);
  EXPECT_EQ(Bits(fixed::SinOfTurns(0.4)), 0x3fe2cf2304755a5dU);
}

}  // namespace
}  // namespace pilothouse::trainer
