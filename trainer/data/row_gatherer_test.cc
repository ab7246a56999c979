#include "trainer/data/row_gatherer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace pilothouse::trainer {
namespace {

constexpr int64_t kRows = 50;

// [kRows][columns + 2] elements of any bits, or small numbers where bits may be none, of which the first and the last
// column are left out and the others come in two runs, the later one first.
template <typename Element>
NumberTable RandomTable(ElementType type, int64_t columns, size_t misalignment) {
  std::mt19937_64 random(static_cast<uint64_t>(columns));
  const int64_t all = columns + 2;
  const auto bytes =
      std::make_shared<std::string>(misalignment + static_cast<size_t>(kRows * all) * sizeof(Element), 0);
  for (int64_t i = 0; i < kRows * all; ++i) {
    Element element;
    const uint64_t bits = random();
    std::memcpy(&element, &bits, sizeof(element));
    if constexpr (std::is_floating_point_v<Element>) {
      element = static_cast<Element>(static_cast<double>(bits) / 3e18 - 3);
    }
    std::memcpy(bytes->data() + misalignment + static_cast<size_t>(i) * sizeof(Element), &element, sizeof(element));
  }
  StoredNumbers stored;
  stored.type = type;
  stored.elements = bytes->data() + misalignment;
  stored.row_bytes = all * static_cast<int64_t>(sizeof(Element));
  stored.runs = {{2, columns - 1}, {1, 1}};
  stored.owner = bytes;
  return {kRows, columns, {}, std::move(stored)};
}

// One by one, as the header's formula says.
template <typename T>
std::vector<T> Plain(const NumberTable& table, const std::vector<int64_t>& rows,
                     const Standardization* standardization) {
  std::vector<T> numbers;
  for (const int64_t row : rows) {
    for (int64_t column = 0; column < table.columns; ++column) {
      double value = table.At(row, column);
      if (standardization != nullptr) {
        value -= standardization->mean[static_cast<size_t>(column)];
        value /= standardization->deviation[static_cast<size_t>(column)];
      }
      numbers.push_back(static_cast<T>(value));
    }
  }
  return numbers;
}

template <typename T>
void ExpectAsPlain(const NumberTable& table) {
  auto standardization = std::make_shared<Standardization>();
  for (int64_t column = 0; column < table.columns; ++column) {
    standardization->mean.push_back(0.1 * static_cast<double>(column));
    standardization->deviation.push_back(3 + std::sin(static_cast<double>(column)));
  }
  const std::vector<int64_t> rows = {3, 1, 49, 0, 0, 17, 2, 4, 5, 6, 7, 8, 9, 10, 30};
  for (const auto& used : {std::shared_ptr<Standardization>(), standardization}) {
    std::vector<T> gathered(rows.size() * static_cast<size_t>(table.columns));
    RowGatherer<T>(table, used).Gather(rows, gathered.data());
    const std::vector<T> plain = Plain<T>(table, rows, used.get());
    EXPECT_EQ(std::memcmp(gathered.data(), plain.data(), plain.size() * sizeof(T)), 0);
  }
}

template <typename Element>
void ExpectAllAsPlain(ElementType type) {
  for (const int64_t columns : {2, 17, 33, 784}) {
    for (const size_t misalignment : {0, 1, 3}) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(type) << " " << columns << " " << misalignment);
      const NumberTable table = RandomTable<Element>(type, columns, misalignment);
      ExpectAsPlain<float>(table);
      ExpectAsPlain<double>(table);
    }
  }
}

TEST(RowGatherer, GivesTheSameBitsAsConvertingOneByOne) {
  ExpectAllAsPlain<float>(ElementType::kFloat32);
  ExpectAllAsPlain<double>(ElementType::kFloat64);
  ExpectAllAsPlain<int8_t>(ElementType::kInt8);
  ExpectAllAsPlain<int16_t>(ElementType::kInt16);
  ExpectAllAsPlain<int32_t>(ElementType::kInt32);
  ExpectAllAsPlain<int64_t>(ElementType::kInt64);
  ExpectAllAsPlain<uint8_t>(ElementType::kUint8);
  ExpectAllAsPlain<uint16_t>(ElementType::kUint16);
  ExpectAllAsPlain<uint32_t>(ElementType::kUint32);
  ExpectAllAsPlain<uint64_t>(ElementType::kUint64);
  ExpectAllAsPlain<BoolElement>(ElementType::kBool);
}

// Three rows of two floats, so many bytes behind a place where a matrix may begin.
NumberTable Pairs(int64_t offset, std::vector<ColumnRun> runs = {{0, 2}}) {
  const auto block = std::make_shared<std::vector<char>>(256);
  const auto address = reinterpret_cast<uintptr_t>(block->data());
  StoredNumbers stored;
  stored.type = ElementType::kFloat32;
  stored.elements = block->data() + (64 - address % 64) % 64 + offset;
  stored.row_bytes = 8;
  stored.runs = std::move(runs);
  stored.owner = block;
  const int64_t columns = stored.runs[0].count;
  return {3, columns, {}, std::move(stored)};
}

TEST(RowGatherer, LeavesRowsWhereTheyLieOnlyIfNothingHasToBeDone) {
  const NumberTable fit = Pairs(0);
  const RowGatherer<float> gatherer(fit, nullptr);
  ASSERT_NE(gatherer.InPlace(0), nullptr);
  EXPECT_EQ(gatherer.InPlace(2), gatherer.InPlace(0) + 4);
  EXPECT_EQ(RowGatherer<float>(Pairs(4), nullptr).InPlace(0), nullptr);
  EXPECT_EQ(RowGatherer<float>(Pairs(0, {{0, 1}}), nullptr).InPlace(0), nullptr);
  EXPECT_EQ(RowGatherer<double>(Pairs(0), nullptr).InPlace(0), nullptr);
  const auto standardization = std::make_shared<Standardization>(Standardization{{0, 0}, {1, 1}});
  EXPECT_EQ(RowGatherer<float>(Pairs(0), standardization).InPlace(0), nullptr);
}

TEST(RowGatherer, KnowsByBoundsWhetherAllNumbersFit) {
  NumberTable table = Pairs(0);
  EXPECT_FALSE(RowGatherer<float>(table, nullptr).AllFit()) << "the largest is not known";
  table.stored->largest = 1e39;
  EXPECT_FALSE(RowGatherer<float>(table, nullptr).AllFit());
  EXPECT_TRUE(RowGatherer<double>(table, nullptr).AllFit());
  table.stored->largest = 3.4e38;
  EXPECT_TRUE(RowGatherer<float>(table, nullptr).AllFit());
  const auto narrow = std::make_shared<Standardization>(Standardization{{0, 0}, {1, 0.5}});
  EXPECT_FALSE(RowGatherer<float>(table, narrow).AllFit());
  table.stored->largest = 1;
  EXPECT_TRUE(RowGatherer<float>(table, narrow).AllFit());
  const auto far = std::make_shared<Standardization>(Standardization{{0, -4e38}, {1, 1}});
  EXPECT_FALSE(RowGatherer<float>(table, far).AllFit());
}

}  // namespace
}  // namespace pilothouse::trainer
