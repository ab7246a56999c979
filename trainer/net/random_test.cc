#include "trainer/net/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <set>

namespace pilothouse::trainer {
namespace {

TEST(Random, IsPhilox) {
  // A known answer of the generator's authors: key 0, counter 0 (the purpose is the counter's highest byte).
  const RandomStream stream(0, RandomPurpose{0}, 0);
  EXPECT_EQ(stream.Bits(0), 0xe169c58d6627e8d5U);
  EXPECT_EQ(stream.Bits(1), 0x9b00dbd8bc57ac4cU);
}

TEST(Random, WordsAreTheBitsOfTwoPositions) {
  const RandomStream stream(5, RandomPurpose::kDropout, 9);
  for (uint64_t position = 0; position < 10; ++position) {
    const std::array<uint32_t, 4> words = stream.Words(position);
    EXPECT_EQ(words[0] | uint64_t{words[1]} << 32, stream.Bits(2 * position));
    EXPECT_EQ(words[2] | uint64_t{words[3]} << 32, stream.Bits(2 * position + 1));
  }
}

TEST(Random, StreamsDifferBySeedPurposeIndexAndPosition) {
  std::set<uint64_t> seen;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40}) {
    for (const auto purpose : {RandomPurpose::kInitialState, RandomPurpose::kShuffle}) {
      for (const uint64_t index : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 50}) {
        for (uint64_t position = 0; position < 100; ++position) {
          seen.insert(RandomStream(seed, purpose, index).Bits(position));
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 3U * 2 * 3 * 100);
}

TEST(Random, BelowReachesEveryNumberAboutEquallyOften) {
  const RandomStream stream(7, RandomPurpose::kShuffle, 0);
  int count[10] = {};
  for (uint64_t i = 0; i < 100'000; ++i) ++count[stream.Below(10, i)];
  for (const int times : count) EXPECT_NEAR(times, 10'000, 500);
  EXPECT_EQ(stream.Below(1, 3), 0U);
}

TEST(Random, NormalHasMeanZeroVarianceOneAndNoCorrelationOfNeighbours) {
  const RandomStream stream(7, RandomPurpose::kInitialState, 0);
  constexpr int kDraws = 200'000;
  double sum = 0;
  double squares = 0;
  double products = 0;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const double x = stream.Normal(i);
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    products += x * stream.Normal(i + 1);
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1, 0.015);
  EXPECT_NEAR(products / kDraws, 0, 0.01);
}

}  // namespace
}  // namespace pilothouse::trainer
