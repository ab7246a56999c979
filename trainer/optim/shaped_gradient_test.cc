#include "trainer/optim/shaped_gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

const Vector<double> kGradient{{3, -4}};
const Vector<double> kParameters{{10, 20}};

Vector<double> Shaped(const UpdateSettings& settings) {
  return ShapedGradient<double>().Of(settings, kGradient, kParameters);
}

TEST(ShapedGradient, IsTheGradientItselfWhereNothingIsSet) {
  EXPECT_EQ(&ShapedGradient<double>().Of({}, kGradient, kParameters), &kGradient);
}

TEST(ShapedGradient, IsScaledDownToItsGreatestNorm) {
  EXPECT_EQ(Shaped({.clip_norm = 2.5}), Vector<double>({{1.5, -2}}));
  EXPECT_EQ(Shaped({.clip_norm = 5}), kGradient);
  EXPECT_EQ(Shaped({.clip_norm = 7}), kGradient) << "it is never scaled up";
}

TEST(ShapedGradient, IsCutElementByElement) {
  EXPECT_EQ(Shaped({.clip_value = 3.5}), Vector<double>({{3, -3.5}}));
  EXPECT_EQ(Shaped({.clip_value = 1}), Vector<double>({{1, -1}}));
}

TEST(ShapedGradient, IsScaledThenCutThenGivenItsWeightDecay) {
  EXPECT_EQ(Shaped({.weight_decay = 0.5}), Vector<double>({{8, 6}}));
  EXPECT_EQ(Shaped({.weight_decay = 0.5, .clip_norm = 2.5, .clip_value = 1.75}), Vector<double>({{6.5, 8.25}}));
}

TEST(ShapedGradient, OneOfZerosIsClippedToZeros) {
  const Vector<double> zeros = Vector<double>::Zero(2);
  EXPECT_EQ(ShapedGradient<double>().Of({.clip_norm = 1, .clip_value = 1}, zeros, kParameters), zeros);
}

TEST(NormOf, IsSummedInDoubleWhateverTheLength) {
  for (int64_t size = 0; size <= 40; ++size) {
    const Vector<float> gradient = 1e25F * Numbers<float>(size, 3);
    double squares = 0;
    for (const float value : gradient) squares += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(NormOf(gradient) / 1e25, std::sqrt(squares) / 1e25, 1e-12) << "in float32 its squares are infinite";
  }
}

}  // namespace
}  // namespace pilothouse::trainer
