#include "trainer/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "trainer/net/random.h"

namespace pilothouse::trainer {
namespace {

using ::testing::ElementsAre;

TEST(CountHeldOut, RoundsAFractionToTheNearestNumberOfExamples) {
  EXPECT_EQ(*CountHeldOut(0.29, std::nullopt, 100), 29);
  EXPECT_EQ(*CountHeldOut(0.2, std::nullopt, 500), 100);
  EXPECT_EQ(*CountHeldOut(0.26, std::nullopt, 10), 3);
  EXPECT_EQ(*CountHeldOut(std::nullopt, 100, 500), 100);
  EXPECT_EQ(*CountHeldOut(std::nullopt, 1, 2), 1);
  EXPECT_EQ(*CountHeldOut(std::nullopt, std::nullopt, 1), 0);
}

TEST(CountHeldOut, RefusesWhatLeavesNothingToLearnFromOrToScoreOn) {
  const auto field = [](std::optional<double> fraction, std::optional<int64_t> count, int64_t examples) {
    const auto held_out = CountHeldOut(fraction, count, examples);
    EXPECT_EQ(ReasonOf(held_out.status()), v1::ERROR_REASON_SPEC_INVALID) << *held_out;
    return std::string(ToError(held_out.status()).field());
  };
  for (const double fraction : {0.0, 1.0, -0.1, 1.5, 0.0005, 0.9999, std::nan("")}) {
    EXPECT_EQ(field(fraction, std::nullopt, 500), "data.validation_fraction") << fraction;
  }
  for (const int64_t count : {int64_t{0}, int64_t{-5}, int64_t{500}, int64_t{501}}) {
    EXPECT_EQ(field(std::nullopt, count, 500), "data.validation_examples") << count;
  }
  EXPECT_EQ(field(std::nullopt, 1, 1), "data.validation_examples");
  EXPECT_EQ(field(0.5, 1, 500), "data.validation_fraction");
}

using Rows = std::vector<int64_t>;

// The rows that were held out before a split had a seed or a test part, kept as it was: runs that were started then
// must be gone through again with the same examples.
Rows AsHeldOutAtFirst(int64_t rows, int64_t count) {
  std::vector<bool> held_out(static_cast<size_t>(rows), false);
  const RandomStream random(/*seed=*/0, RandomPurpose::kHoldOut, 0);
  std::vector<size_t> deck(held_out.size());
  std::iota(deck.begin(), deck.end(), 0);
  for (size_t i = deck.size() - 1; i >= deck.size() - static_cast<size_t>(count); --i) {
    std::swap(deck[i], deck[random.Below(i + 1, i)]);
    held_out[deck[i]] = true;
  }
  Rows result;
  for (int64_t row = 0; row < rows; ++row) {
    if (held_out[static_cast<size_t>(row)]) result.push_back(row);
  }
  return result;
}

// All rows in ascending order, if each is in one part, and each part is in that order.
Rows Together(const Split& split) {
  Rows all;
  for (const Rows& part : {split.training, split.validation, split.test}) {
    EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
    all.insert(all.end(), part.begin(), part.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

Rows UpTo(int64_t rows) {
  Rows all(static_cast<size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

TEST(SplitRows, ByTheUsualSeedHoldsOutWhatItAlwaysDid) {
  for (const int64_t count : {1, 2, 40, 98, 99}) {
    EXPECT_EQ(SplitRows(100, {count, 0}, SplitMethod::kRandom, 0).validation, AsHeldOutAtFirst(100, count));
  }
  EXPECT_EQ(SplitRows(2, {1, 0}, SplitMethod::kRandom, 0).validation, AsHeldOutAtFirst(2, 1));
  EXPECT_THAT(SplitRows(12, {4, 0}, SplitMethod::kRandom, 0).validation, ElementsAre(0, 5, 6, 8));
}

TEST(SplitRows, PutsEachRowIntoOnePart) {
  std::vector<int32_t> classes;
  for (int32_t row = 0; row < 100; ++row) classes.push_back(row % 7 % 3);
  for (const SplitMethod method : {SplitMethod::kRandom, SplitMethod::kTail, SplitMethod::kStratified}) {
    for (const PartCounts counts : {PartCounts{}, {1, 0}, {0, 1}, {30, 20}, {1, 98}, {98, 1}}) {
      const Split split = SplitRows(100, counts, method, 5, classes);
      EXPECT_EQ(split.validation.size(), static_cast<size_t>(counts.validation));
      EXPECT_EQ(split.test.size(), static_cast<size_t>(counts.test));
      EXPECT_EQ(Together(split), UpTo(100));
    }
  }
}

TEST(SplitRows, TheTailIsTheTestPartAndBeforeItIsTheValidationPart) {
  const Split split = SplitRows(7, {2, 1}, SplitMethod::kTail, 3);
  EXPECT_THAT(split.training, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(split.validation, ElementsAre(4, 5));
  EXPECT_THAT(split.test, ElementsAre(6));
}

TEST(SplitRows, DrawsByItsSeedAndTheTestPartWhateverIsHeldOutBeside) {
  const std::vector<int32_t> classes(100, 0);
  for (const SplitMethod method : {SplitMethod::kRandom, SplitMethod::kStratified}) {
    const Split split = SplitRows(100, {30, 20}, method, 1, classes);
    EXPECT_EQ(SplitRows(100, {30, 20}, method, 1, classes).validation, split.validation);
    EXPECT_NE(SplitRows(100, {30, 20}, method, 2, classes).validation, split.validation);
    EXPECT_NE(SplitRows(100, {30, 20}, method, 2, classes).test, split.test);
    for (const int64_t validation : {0, 1, 79}) {
      EXPECT_EQ(SplitRows(100, {validation, 20}, method, 1, classes).test, split.test);
    }
    const Split larger = SplitRows(100, {50, 20}, method, 1, classes);
    EXPECT_TRUE(std::includes(larger.validation.begin(), larger.validation.end(), split.validation.begin(),
                              split.validation.end()));
  }
}

TEST(SplitRows, DrawsEachRowAboutEquallyOften) {
  std::vector<int> drawn(20, 0);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const Split split = SplitRows(20, {5, 5}, SplitMethod::kRandom, seed);
    for (const int64_t row : split.validation) ++drawn[static_cast<size_t>(row)];
  }
  // 500 are expected, with a standard deviation of 19.4.
  for (const int times : drawn) EXPECT_NEAR(times, 500, 97);
}

// How many of each of three classes there are among these rows.
std::vector<int64_t> OfClasses(const Rows& rows, const std::vector<int32_t>& classes) {
  std::vector<int64_t> counts(3);
  for (const int64_t row : rows) ++counts[static_cast<size_t>(classes[static_cast<size_t>(row)])];
  return counts;
}

TEST(SplitRows, StratifiedGivesEachClassItsShareByLargestRemainder) {
  std::vector<int32_t> classes(10, 0);
  classes.insert(classes.end(), 6, 1);
  classes.insert(classes.end(), 4, 2);
  // Of 5 of 20: 2.5, 1.5 and 1. The two halves are equal, so the lower class gets what is missing.
  EXPECT_THAT(OfClasses(SplitRows(20, {5, 0}, SplitMethod::kStratified, 1, classes).validation, classes),
              ElementsAre(3, 1, 1));
  // Of 4 of 20: 2, 1.2 and 0.8.
  const Split split = SplitRows(20, {4, 4}, SplitMethod::kStratified, 1, classes);
  EXPECT_THAT(OfClasses(split.test, classes), ElementsAre(2, 1, 1));
  // Of 4 of the 16 that are left, 8, 5 and 3 of the classes: 2, 1.25 and 0.75.
  EXPECT_THAT(OfClasses(split.validation, classes), ElementsAre(2, 1, 1));
  EXPECT_THAT(OfClasses(split.training, classes), ElementsAre(6, 4, 2));
}

TEST(SplitRows, StratifiedIsLessThanOneExampleFromEachShare) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const RandomStream random(seed, RandomPurpose::kShuffle, 0);
    std::vector<int32_t> classes;
    for (uint64_t row = 0; row < 60; ++row) {
      classes.push_back(random.Below(10, row) < 7 ? 0 : static_cast<int32_t>(random.Below(3, 60 + row)));
    }
    const std::vector<int64_t> all = OfClasses(UpTo(60), classes);
    for (int64_t count = 1; count < 60; ++count) {
      const Split split = SplitRows(60, {0, count}, SplitMethod::kStratified, seed, classes);
      const std::vector<int64_t> got = OfClasses(split.test, classes);
      for (size_t i = 0; i < 3; ++i) {
        ASSERT_LT(std::abs(got[i] * 60 - all[i] * count), 60) << "class " << i << " of a part of " << count;
      }
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
