#include "trainer/data/standardization.h"

#include <gtest/gtest.h>

#include <cmath>

#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

absl::StatusOr<Standardization> MeasureAll(const NumberTable& table, const std::vector<double>& weights = {}) {
  return MeasureStandardization(table, RowSelection(0, table.rows), weights);
}

TEST(Standardization, GivesMeanZeroAndDeviationOne) {
  NumberTable table{4, 2, {1, 10, 2, 20, 3, 30, 4, 40}};
  const auto measured = MeasureAll(table);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_DOUBLE_EQ(measured->mean[1], 25);
  EXPECT_DOUBLE_EQ(measured->deviation[1], std::sqrt(125.0));
  Standardize(*measured, absl::MakeSpan(table.values));
  for (size_t column = 0; column < 2; ++column) {
    double sum = 0;
    double squares = 0;
    for (size_t row = 0; row < 4; ++row) {
      const double value = table.values[2 * row + column];
      sum += value;
      squares += value * value;
    }
    EXPECT_NEAR(sum, 0, 1e-15);
    EXPECT_NEAR(squares, 4, 1e-14);
  }
}

TEST(Standardization, AConstantColumnIsOnlyShifted) {
  // The mean of a thousand times 0.1 is not 0.1 in floating point.
  NumberTable table{1000, 1, std::vector<double>(1000, 0.1)};
  const auto measured = MeasureAll(table);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(measured->deviation[0], 1);
  Standardize(*measured, absl::MakeSpan(table.values));
  EXPECT_EQ(table.values, std::vector<double>(1000, 0));
}

TEST(Standardization, KeepsItsDigitsFarFromZero) {
  NumberTable table{3, 1, {1e9 + 1, 1e9 + 2, 1e9 + 3}};
  const auto measured = MeasureAll(table);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_DOUBLE_EQ(measured->mean[0], 1e9 + 2);
  EXPECT_NEAR(measured->deviation[0], std::sqrt(2.0 / 3), 1e-12);
}

TEST(Standardization, RefusesNumbersThatCannotBeSquared) {
  const auto measured = MeasureAll({2, 2, {1, 1e200, 2, -1e200}});
  EXPECT_EQ(ReasonOf(measured.status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(measured.status()).metadata().at("column"), "2");
}

TEST(Standardization, CountsRowsByTheirWeights) {
  const NumberTable table{3, 2, {1, 7, 2, 7, 5, 7}};
  const auto weighted = MeasureAll(table, {1, 3, 2});
  ASSERT_TRUE(weighted.ok()) << weighted.status();
  // (1 + 6 + 10) / 6, and (1 + 12 + 50) / 6 less the square of it.
  EXPECT_DOUBLE_EQ(weighted->mean[0], 17.0 / 6);
  EXPECT_DOUBLE_EQ(weighted->deviation[0], std::sqrt(63.0 / 6 - 17.0 * 17.0 / 36));
  EXPECT_EQ(weighted->mean[1], 7);
  EXPECT_EQ(weighted->deviation[1], 1);
  const auto repeated = MeasureAll({6, 2, {1, 7, 2, 7, 2, 7, 2, 7, 5, 7, 5, 7}});
  EXPECT_DOUBLE_EQ(weighted->mean[0], repeated->mean[0]);
  EXPECT_DOUBLE_EQ(weighted->deviation[0], repeated->deviation[0]);
}

TEST(Standardization, WeightsThatAreAllOneGiveTheBitsOfNone) {
  NumberTable table{50, 3, {}};
  for (int i = 0; i < 150; ++i) table.values.push_back(100 + std::sin(i * i));
  const auto none = MeasureAll(table);
  const auto ones = MeasureAll(table, std::vector<double>(50, 1));
  EXPECT_EQ(ones->mean, none->mean);
  EXPECT_EQ(ones->deviation, none->deviation);
}

}  // namespace
}  // namespace pilothouse::trainer
