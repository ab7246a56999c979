#include "trainer/data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

// Example i has the input i and the target −i.
Dataset Numbers(int64_t rows) {
  Dataset data{{rows, 1, {}}, {rows, 1, {}}};
  for (int64_t row = 0; row < rows; ++row) {
    data.inputs.values.push_back(static_cast<double>(row));
    data.targets.values.push_back(static_cast<double>(-row));
  }
  return data;
}

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

TEST(HoldOut, TakesTheLastExamplesWhereTheOrderIsKept) {
  const Split split = HoldOut(Numbers(5), 2, ExampleOrder::kKept);
  EXPECT_EQ(split.training.inputs.values, (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(split.training.targets.values, (std::vector<double>{-0.0, -1, -2}));
  EXPECT_EQ(split.validation.inputs.values, (std::vector<double>{3, 4}));
  EXPECT_EQ(split.validation.inputs.rows, 2);
  EXPECT_EQ(split.validation.targets.values, (std::vector<double>{-3, -4}));
  EXPECT_EQ(split.validation.row_numbers, (std::vector<int64_t>{3, 4}));
}

TEST(HoldOut, DrawsEachExampleOnceAndTheSameEveryTime) {
  for (const int64_t count : {1, 40, 99}) {
    const Split split = HoldOut(Numbers(100), count, ExampleOrder::kShuffled);
    EXPECT_EQ(split.validation.inputs.rows, count);
    std::vector<double> all;
    std::merge(split.training.inputs.values.begin(), split.training.inputs.values.end(),
               split.validation.inputs.values.begin(), split.validation.inputs.values.end(), std::back_inserter(all));
    EXPECT_EQ(all, Numbers(100).inputs.values) << "both parts in order, nothing lost and nothing twice";
  }
  const auto drawn = [] { return HoldOut(Numbers(100), 40, ExampleOrder::kShuffled).validation.inputs.values; };
  EXPECT_EQ(drawn(), drawn());
  EXPECT_NE(drawn(), HoldOut(Numbers(100), 40, ExampleOrder::kKept).validation.inputs.values);
}

}  // namespace
}  // namespace pilothouse::trainer
