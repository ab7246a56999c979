#include "service/rpc/loss_thinner.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pilothouse::service {
namespace {

using testing::Contains;
using testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Loss i + 1 has sequence 3·i + 1, as where other events come in between.
uint64_t SequenceOf(size_t i) { return 3 * i + 1; }

std::vector<uint64_t> Thinned(const std::vector<double>& losses, size_t max_points) {
  LossThinner thinner(max_points);
  for (size_t i = 0; i < losses.size(); ++i) thinner.Add(SequenceOf(i), losses[i]);
  return thinner.Chosen();
}

std::vector<double> RandomLosses(size_t count, std::mt19937& random) {
  std::normal_distribution<double> noise;
  std::vector<double> losses(count);
  for (size_t i = 0; i < count; ++i) losses[i] = 1.0 / static_cast<double>(i + 1) + noise(random);
  return losses;
}

TEST(LossThinner, KeepsAllOfNoMoreLossesThanPoints) {
  std::mt19937 random(1);
  for (size_t points = 2; points < 40; ++points) {
    for (size_t count = 0; count <= points; ++count) {
      EXPECT_EQ(Thinned(RandomLosses(count, random), points).size(), count) << points;
    }
  }
}

TEST(LossThinner, KeepsTheFirstTheLastAndTheExtremesOfAnyCurve) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    const size_t points = 4 + random() % 200;
    const std::vector<double> losses = RandomLosses(points + 1 + random() % 5000, random);
    const std::vector<uint64_t> chosen = Thinned(losses, points);
    ASSERT_LE(chosen.size(), points);
    ASSERT_GE(chosen.size(), points / 4) << "far fewer than there is room for";
    ASSERT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
    const auto least = std::min_element(losses.begin(), losses.end()) - losses.begin();
    const auto greatest = std::max_element(losses.begin(), losses.end()) - losses.begin();
    EXPECT_EQ(chosen.front(), SequenceOf(0));
    EXPECT_EQ(chosen.back(), SequenceOf(losses.size() - 1));
    EXPECT_THAT(chosen, Contains(SequenceOf(static_cast<size_t>(least))));
    EXPECT_THAT(chosen, Contains(SequenceOf(static_cast<size_t>(greatest))));
  }
}

TEST(LossThinner, KeepsTheExtremesOfEveryStretch) {
  // Of 64 losses and 34 points, stretches of four: one peak and one hollow in each.
  std::vector<double> losses(64, 0.5);
  std::set<uint64_t> expected = {SequenceOf(0), SequenceOf(63)};
  for (size_t stretch = 0; stretch < 64; stretch += 4) {
    losses[stretch + stretch / 4 % 3] = 1;
    losses[stretch + 3] = 0;
    expected.insert({SequenceOf(stretch + stretch / 4 % 3), SequenceOf(stretch + 3)});
  }
  EXPECT_THAT(Thinned(losses, 34), testing::ElementsAreArray(expected));
}

TEST(LossThinner, KeepsTheOddOnesWhereThereIsRoomAndNeverTakesThemForExtremes) {
  std::mt19937 random(3);
  std::vector<double> losses = RandomLosses(10'000, random);
  losses[17] = kNan;
  losses[5000] = kInfinity;
  losses[9998] = -kInfinity;
  losses[40] = 1000;
  const std::vector<uint64_t> chosen = Thinned(losses, 100);
  EXPECT_LE(chosen.size(), 100u);
  for (const size_t odd : {17, 5000, 9998, 40}) EXPECT_THAT(chosen, Contains(SequenceOf(odd))) << odd;
}

TEST(LossThinner, ShowsOddOnesFromAllOverWhereThereAreTooMany) {
  std::vector<double> losses;
  for (int i = 0; i < 100'000; ++i) losses.push_back(i % 2 == 0 ? kNan : i);
  const std::vector<uint64_t> chosen = Thinned(losses, 400);
  EXPECT_LE(chosen.size(), 400u);
  std::vector<size_t> odd_in_quarter(4);
  for (const uint64_t sequence : chosen) {
    const size_t i = (sequence - 1) / 3;
    if (i % 2 == 0) ++odd_in_quarter[i / 25'000];
  }
  for (const size_t count : odd_in_quarter) EXPECT_GE(count, 20u);
  EXPECT_THAT(chosen, Contains(SequenceOf(99'999)));
}

TEST(LossThinner, KeepsTheEndsWhereThereIsRoomForNothingElse) {
  EXPECT_THAT(Thinned({5, 9, 1, 4, 7}, 2), ElementsAre(SequenceOf(0), SequenceOf(4)));
  EXPECT_THAT(Thinned({5, 9, kNan, 4, 7}, 3), ElementsAre(SequenceOf(0), SequenceOf(2), SequenceOf(4)));
}

TEST(LossThinner, TakesTheFirstOfEqualLeastsAndTheLastOfEqualGreatests) {
  EXPECT_THAT(Thinned({1, 0, 2, 0, 2, 1}, 4), ElementsAre(SequenceOf(0), SequenceOf(1), SequenceOf(4), SequenceOf(5)));
}

}  // namespace
}  // namespace pilothouse::service
