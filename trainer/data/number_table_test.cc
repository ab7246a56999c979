#include "trainer/data/number_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace pilothouse::trainer {
namespace {

using ::testing::ElementsAre;

// Columns 3, 0 and 1 of two rows of four.
NumberTable Cut(const std::vector<int16_t>& elements) {
  StoredNumbers stored;
  stored.type = ElementType::kInt16;
  stored.elements = reinterpret_cast<const char*>(elements.data());
  stored.row_bytes = 8;
  stored.runs = {{3, 1}, {0, 2}};
  return {2, 3, {}, std::move(stored)};
}

TEST(NumberTable, ReadsElementsWhereverTheyLie) {
  const std::vector<int16_t> elements = {0, 1, 2, 3, 4, -5, 6, 7};
  const NumberTable cut = Cut(elements);
  EXPECT_EQ(cut.At(0, 0), 3);
  EXPECT_EQ(cut.At(0, 2), 1);
  EXPECT_EQ(cut.At(1, 1), 4);
  EXPECT_EQ(cut.At(1, 2), -5);
  const NumberTable owned{2, 2, {1, 2, 3, 4}};
  EXPECT_EQ(owned.At(1, 0), 3);
}

TEST(NumberTable, TakesWhatIsStoredIntoValues) {
  const std::vector<int16_t> elements = {0, 1, 2, 3, 4, -5, 6, 7};
  NumberTable table = Cut(elements);
  TakeIntoValues(table);
  EXPECT_FALSE(table.stored.has_value());
  EXPECT_THAT(table.values, ElementsAre(3, 0, 1, 7, 4, -5));
  TakeIntoValues(table);
  EXPECT_THAT(table.values, ElementsAre(3, 0, 1, 7, 4, -5));
}

// Every second of many columns, each a run of its own: At is the reference.
TEST(NumberTable, TakesColumnsThatDoNotLieTogether) {
  std::vector<float> elements(3 * 2000);
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i * i % 1013) / 7;
  StoredNumbers stored;
  stored.type = ElementType::kFloat32;
  stored.elements = reinterpret_cast<const char*>(elements.data());
  stored.row_bytes = 2000 * 4;
  for (int64_t column = 1; column < 2000; column += 2) stored.runs.push_back({column, 1});
  const NumberTable table{3, 1000, {}, std::move(stored)};
  NumberTable taken = table;
  TakeIntoValues(taken);
  ASSERT_EQ(taken.values.size(), 3000U);
  for (int64_t row = 0; row < 3; ++row) {
    for (int64_t column = 0; column < 1000; ++column) ASSERT_EQ(taken.At(row, column), table.At(row, column));
  }
}

TEST(NumberTable, ReadsEveryTypeOfElement) {
  const auto read = [](ElementType type, const void* element) {
    StoredNumbers stored;
    stored.type = type;
    stored.elements = static_cast<const char*>(element);
    stored.runs = {{0, 1}};
    return NumberTable{1, 1, {}, std::move(stored)}.At(0, 0);
  };
  const float f4 = 0.1F;
  EXPECT_EQ(read(ElementType::kFloat32, &f4), 0.1F);
  const double f8 = 0.1;
  EXPECT_EQ(read(ElementType::kFloat64, &f8), 0.1);
  const uint64_t ones = ~uint64_t{0};
  for (const ElementType type : {ElementType::kInt8, ElementType::kInt16, ElementType::kInt32, ElementType::kInt64}) {
    EXPECT_EQ(read(type, &ones), -1);
  }
  EXPECT_EQ(read(ElementType::kUint8, &ones), 255);
  EXPECT_EQ(read(ElementType::kUint16, &ones), 65535);
  EXPECT_EQ(read(ElementType::kUint32, &ones), 4294967295);
  EXPECT_EQ(read(ElementType::kUint64, &ones), 18446744073709551616.0);
  EXPECT_EQ(read(ElementType::kBool, &ones), 1);
  EXPECT_EQ(BytesOf(ElementType::kBool), 1);
  EXPECT_EQ(BytesOf(ElementType::kInt64), 8);
}

}  // namespace
}  // namespace pilothouse::trainer
