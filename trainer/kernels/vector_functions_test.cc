#include "trainer/kernels/vector_functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include "trainer/kernels/kernels.h"
#include "trainer/kernels/kernels_fixture.h"

namespace pilothouse::trainer {
namespace {

template <typename T>
class FunctionsTest : public testing::Test {};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(FunctionsTest, Precisions);

TYPED_TEST(FunctionsTest, TanhIsWithinThreeUnits) {
  const std::vector<TypeParam> x = Arguments<TypeParam>();
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    SCOPED_TRACE(kernels->name);
    ExpectNear<TypeParam>(x, Apply<TypeParam>(kernels->tanh, x), &std::tanh, 3);
  }
}

TYPED_TEST(FunctionsTest, ExpIsWithinTwoUnits) {
  const std::vector<TypeParam> x = Arguments<TypeParam>();
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    SCOPED_TRACE(kernels->name);
    ExpectNear<TypeParam>(x, Apply<TypeParam>(kernels->exp, x), &std::exp, 2);
  }
}

long double Distribution(long double x) { return std::erfc(-x / std::numbers::sqrt2_v<long double>) / 2; }

long double ExactGelu(long double x) { return std::isinf(x) && x < 0 ? 0 : x * Distribution(x); }

long double ExactGeluSlope(long double x) {
  const long double density = std::exp(-x * x / 2) * std::numbers::inv_sqrtpi_v<long double> / std::sqrt(2.0L);
  return Distribution(x) + (density == 0 ? 0 : x * density);
}

long double ExactSoftplus(long double x) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }

TYPED_TEST(FunctionsTest, GeluIsWithinSixUnits) {
  const std::vector<TypeParam> x = Arguments<TypeParam>();
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    SCOPED_TRACE(kernels->name);
    ExpectNear<TypeParam>(x, Apply<TypeParam>(kernels->gelu, x), &ExactGelu, 6);
  }
}

// In units of 1: where the slope crosses 0 it has no digits of its own.
TYPED_TEST(FunctionsTest, GeluSlopeIsWithinSixUnitsOfOne) {
  const std::vector<TypeParam> x = Arguments<TypeParam>();
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    std::vector<TypeParam> slopes(x.size(), 1);
    kernels->gelu_backward(x.data(), static_cast<int64_t>(x.size()), slopes.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const long double expected = ExactGeluSlope(static_cast<long double>(x[i]));
      if (std::isnan(x[i])) {
        EXPECT_TRUE(std::isnan(slopes[i]));
        continue;
      }
      ASSERT_NEAR(static_cast<double>(static_cast<long double>(slopes[i]) - expected), 0,
                  6 * std::numeric_limits<TypeParam>::epsilon())
          << kernels->name << " of " << x[i];
    }
  }
}

TYPED_TEST(FunctionsTest, SoftplusIsWithinFourUnits) {
  const std::vector<TypeParam> x = Arguments<TypeParam>();
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    SCOPED_TRACE(kernels->name);
    ExpectNear<TypeParam>(x, Apply<TypeParam>(kernels->softplus, x), &ExactSoftplus, 4);
  }
}

TYPED_TEST(FunctionsTest, BackwardOfGeluAndSoftplusMultipliesByTheSlope) {
  const std::vector<TypeParam> x = {-3, 0.5, 2};
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    std::vector<TypeParam> slopes(3, 1);
    std::vector<TypeParam> delta = {4, -8, 2};
    kernels->gelu_backward(x.data(), 3, slopes.data());
    kernels->gelu_backward(x.data(), 3, delta.data());
    EXPECT_EQ(delta, (std::vector<TypeParam>{4 * slopes[0], -8 * slopes[1], 2 * slopes[2]})) << kernels->name;
    delta = {4, -8, 2};
    kernels->softplus_backward(x.data(), 3, delta.data());
    for (size_t i = 0; i < 3; ++i) {
      const std::vector<TypeParam> upstream = {4, -8, 2};
      EXPECT_NEAR(delta[i], upstream[i] / (1 + std::exp(-x[i])), 8 * 4 * std::numeric_limits<TypeParam>::epsilon());
    }
  }
}

TYPED_TEST(FunctionsTest, FunctionsHaveTheSameBitsWhateverTheProcessorAndTheLength) {
  using Function = void (*Kernels<TypeParam>::*)(const TypeParam*, int64_t, TypeParam*);
  const std::vector<TypeParam> x = Arguments<TypeParam>();
  for (const Function function :
       {&Kernels<TypeParam>::tanh, &Kernels<TypeParam>::exp, &Kernels<TypeParam>::sigmoid, &Kernels<TypeParam>::silu,
        &Kernels<TypeParam>::relu, &Kernels<TypeParam>::gelu, &Kernels<TypeParam>::softplus,
        &Kernels<TypeParam>::tanh_backward, &Kernels<TypeParam>::relu_backward, &Kernels<TypeParam>::gelu_backward,
        &Kernels<TypeParam>::softplus_backward}) {
    const std::vector<TypeParam> expected = Apply(FindKernels<TypeParam>("portable")->*function, x);
    for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
      SCOPED_TRACE(kernels->name);
      ExpectSame(Apply(kernels->*function, x), expected);
      // One by one.
      for (size_t i = 0; i < x.size(); i += 97) {
        TypeParam y = x[i];
        (kernels->*function)(&y, 1, &y);
        ASSERT_TRUE(Same(y, expected[i])) << "of " << x[i];
      }
    }
  }
}

TYPED_TEST(FunctionsTest, BackwardMultipliesByTheSlope) {
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    SCOPED_TRACE(kernels->name);
    const std::vector<TypeParam> x = {-2, -0.5, -0.0, 0, 0.25, 1, 3};
    const auto n = static_cast<int64_t>(x.size());
    std::vector<TypeParam> y = Apply<TypeParam>(kernels->tanh, x);
    std::vector<TypeParam> delta(x.size(), 3);
    kernels->tanh_backward(y.data(), n, delta.data());
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_TRUE(Same(delta[i], 3 * std::fma(-y[i], y[i], TypeParam{1}))) << x[i];
    }
    delta.assign(x.size(), 3);
    kernels->relu_backward(x.data(), n, delta.data());
    EXPECT_EQ(delta, (std::vector<TypeParam>{0, 0, 0, 0, 3, 3, 3}));
    y = Apply<TypeParam>(kernels->silu, x);
    delta.assign(x.size(), 3);
    kernels->silu_backward(x.data(), y.data(), n, delta.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const TypeParam slope = (1 + (x[i] - y[i])) / (1 + std::exp(-x[i]));
      EXPECT_NEAR(delta[i], 3 * slope, 20 * std::numeric_limits<TypeParam>::epsilon()) << x[i];
    }
  }
}

TYPED_TEST(FunctionsTest, ReluKeepsWhatIsNoNumber) {
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    const std::vector<TypeParam> y =
        Apply<TypeParam>(kernels->relu, {-1, 2, std::numeric_limits<TypeParam>::quiet_NaN(), -0.0});
    EXPECT_EQ(y[0], 0);
    EXPECT_EQ(y[1], 2);
    EXPECT_TRUE(std::isnan(y[2])) << kernels->name;
    EXPECT_EQ(y[3], 0);
  }
}

}  // namespace
}  // namespace pilothouse::trainer
