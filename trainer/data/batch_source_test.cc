#include "trainer/data/batch_source.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "trainer/data/page_buffer.h"

namespace pilothouse::trainer {
namespace {

Dataset TenRows() {
  Dataset data{{10, 2, {}}, {10, 1, {}}};
  for (int i = 0; i < 10; ++i) {
    data.inputs.values.insert(data.inputs.values.end(), {1.0 * i, 100.0 + i});
    data.targets.values.push_back(-i);
  }
  return data;
}

ExampleSet All(Dataset data) {
  const int64_t rows = data.inputs.rows;
  return {std::make_shared<const Dataset>(std::move(data)), RowSelection(0, rows)};
}

template <typename T>
void ExpectEachRowOnce(ExampleOrder order) {
  auto source = BatchSource<T>::Create(All(TenRows()), Batcher(10, 4, order, 3));
  ASSERT_TRUE(source.ok()) << source.status();
  std::vector<int> seen(10, 0);
  for (int64_t batch = 1; batch <= 3; ++batch) {
    const ExampleViews<T> examples = source->Batch(batch);
    ASSERT_EQ(examples.inputs.rows(), batch == 3 ? 2 : 4);
    for (int64_t i = 0; i < examples.inputs.rows(); ++i) {
      const int row = static_cast<int>(examples.inputs(i, 0));
      ++seen[static_cast<size_t>(row)];
      EXPECT_EQ(examples.inputs(i, 1), 100 + row);
      EXPECT_EQ(examples.targets(i, 0), -row);
      if (order == ExampleOrder::kKept) {
        EXPECT_EQ(row, (batch - 1) * 4 + i);
      }
    }
  }
  EXPECT_EQ(seen, std::vector<int>(10, 1));
}

TEST(BatchSource, KeepsInputsAndTargetsTogetherInEveryOrder) {
  ExpectEachRowOnce<float>(ExampleOrder::kKept);
  ExpectEachRowOnce<float>(ExampleOrder::kShuffled);
  ExpectEachRowOnce<double>(ExampleOrder::kShuffled);
}

TEST(BatchSource, MayBeginAtAnyBatch) {
  auto from_start = BatchSource<float>::Create(All(TenRows()), Batcher(10, 4, ExampleOrder::kShuffled, 3));
  auto from_end = BatchSource<float>::Create(All(TenRows()), Batcher(10, 4, ExampleOrder::kShuffled, 3));
  from_end->Batch(3);
  EXPECT_EQ(Matrix<float>(from_start->Batch(1).inputs), Matrix<float>(from_end->Batch(1).inputs));
}

TEST(BatchSource, SaysWhichRowDoesNotFitIntoFloat32) {
  Dataset data = TenRows();
  data.inputs.values[5] = 1e39;
  const auto source = BatchSource<float>::Create(All(data), Batcher(10, 4, ExampleOrder::kKept, 3));
  EXPECT_EQ(ReasonOf(source.status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(source.status()).metadata().at("row"), "3");
  EXPECT_TRUE(BatchSource<double>::Create(All(data), Batcher(10, 4, ExampleOrder::kKept, 3)).ok());
}

constexpr int64_t kWide = 2048;
// So many rows of them are more than is held in float.
constexpr int64_t kManyRows = kMostHeldBytes / (4 * kWide) + 100;

// Bytes that count as a mapped file's.
NumberTable MappedBytes() {
  const auto bytes = std::make_shared<std::vector<char>>(static_cast<size_t>(kManyRows * kWide));
  for (size_t i = 0; i < bytes->size(); ++i) (*bytes)[i] = static_cast<char>(i * i % 127);
  StoredNumbers stored;
  stored.type = ElementType::kUint8;
  stored.elements = bytes->data();
  stored.row_bytes = kWide;
  stored.runs = {{0, kWide}};
  stored.largest = 255;
  stored.mapped = true;
  stored.owner = bytes;
  return {kManyRows, kWide, {}, std::move(stored)};
}

std::shared_ptr<const Standardization> SomeStandardization(double smallest_deviation) {
  Standardization standardization;
  for (int64_t i = 0; i < kWide; ++i) {
    standardization.mean.push_back(static_cast<double>(i) / 7);
    standardization.deviation.push_back(smallest_deviation + static_cast<double>(i % 9));
  }
  return std::make_shared<const Standardization>(std::move(standardization));
}

// Expects the same of a table whether it is held or gathered from.
template <typename T>
void ExpectTheSameHeldAndGathered(ExampleOrder order, bool standardize, bool apart) {
  const auto large = std::make_shared<const Dataset>(Dataset{MappedBytes(), MappedBytes()});
  Dataset small = *large;
  TakeIntoValues(small.inputs);
  TakeIntoValues(small.targets);
  RowSelection rows(3, kManyRows - 3);
  if (apart) {
    std::vector<int64_t> some(static_cast<size_t>(kManyRows - 20));
    for (size_t i = 0; i < some.size(); ++i) some[i] = static_cast<int64_t>(i < 10 ? 2 * i : i + 10);
    rows = RowSelection(std::move(some));
  }
  const auto standardization = standardize ? SomeStandardization(0.3) : nullptr;
  const Batcher batcher(rows.size(), 20, order, 5);
  auto gathered = BatchSource<T>::Create({large, rows, standardization}, batcher);
  auto held =
      BatchSource<T>::Create({std::make_shared<const Dataset>(std::move(small)), rows, standardization}, batcher);
  ASSERT_TRUE(gathered.ok() && held.ok());
  for (const int64_t batch : {int64_t{1}, int64_t{2}, gathered->batches_per_epoch(), int64_t{1}}) {
    const ExampleViews<T> one = gathered->Batch(batch);
    const ExampleViews<T> other = held->Batch(batch);
    EXPECT_EQ(Matrix<T>(one.inputs), Matrix<T>(other.inputs));
    EXPECT_EQ(Matrix<T>(one.targets), Matrix<T>(other.targets));
  }
}

TEST(BatchSource, GivesTheSameWhetherATableIsHeldOrGatheredFrom) {
  for (const ExampleOrder order : {ExampleOrder::kKept, ExampleOrder::kShuffled}) {
    ExpectTheSameHeldAndGathered<float>(order, /*standardize=*/true, /*apart=*/false);
    ExpectTheSameHeldAndGathered<float>(order, /*standardize=*/true, /*apart=*/true);
  }
  ExpectTheSameHeldAndGathered<float>(ExampleOrder::kKept, /*standardize=*/false, /*apart=*/true);
  ExpectTheSameHeldAndGathered<double>(ExampleOrder::kShuffled, /*standardize=*/true, /*apart=*/true);
}

// Ten rows of two numbers in T, mapped.
template <typename T>
ExampleSet Mapped(std::shared_ptr<PageBuffer>& pages) {
  pages = std::make_shared<PageBuffer>(10 * 2 * static_cast<int64_t>(sizeof(T)));
  for (int i = 0; i < 20; ++i) reinterpret_cast<T*>(pages->data())[i] = static_cast<T>(i);
  StoredNumbers stored;
  stored.type = kElementTypeOf<T>;
  stored.elements = pages->data();
  stored.row_bytes = 2 * static_cast<int64_t>(sizeof(T));
  stored.runs = {{0, 2}};
  stored.mapped = true;
  stored.owner = pages;
  const NumberTable table{10, 2, {}, std::move(stored)};
  return {std::make_shared<const Dataset>(Dataset{table, table}), RowSelection(0, 10)};
}

TEST(BatchSource, CopiesNothingWhereRowsLieTogetherInTheNetworksType) {
  std::shared_ptr<PageBuffer> pages;
  ExampleSet examples = Mapped<float>(pages);
  const auto* const numbers = reinterpret_cast<const float*>(pages->data());
  auto source = BatchSource<float>::Create(examples, Batcher(10, 4, ExampleOrder::kKept, 3));
  EXPECT_EQ(source->Batch(1).inputs.data(), numbers);
  EXPECT_EQ(source->Batch(2).targets.data(), numbers + 8);
  EXPECT_EQ(source->Batch(3).inputs.rows(), 2);
  // The last six rows, as a tail would be.
  examples.rows = RowSelection(4, 6);
  auto tail = BatchSource<float>::Create(examples, Batcher(6, 4, ExampleOrder::kKept, 3));
  EXPECT_EQ(tail->Batch(1).inputs.data(), numbers + 8);
  // Another type has to be converted, once.
  auto converted = BatchSource<double>::Create(examples, Batcher(6, 4, ExampleOrder::kKept, 3));
  EXPECT_EQ(converted->Batch(2).inputs(0, 1), 17);
  EXPECT_EQ(converted->Batch(2).inputs.data(), converted->Batch(1).inputs.data() + 8);
}

TEST(BatchSource, LetsGoOfADatasetThatItHolds) {
  auto data = std::make_shared<const Dataset>(TenRows());
  const std::weak_ptr<const Dataset> watched = data;
  auto source =
      BatchSource<float>::Create({std::move(data), RowSelection(0, 10)}, Batcher(10, 4, ExampleOrder::kShuffled, 3));
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(source->Batch(1).inputs.rows(), 4);
}

TEST(BatchSource, FindsANumberThatDoesNotFitInALargeTable) {
  Dataset data{MappedBytes(), MappedBytes()};
  data.inputs.stored->largest = std::numeric_limits<double>::infinity();
  const Batcher batcher(kManyRows, 4, ExampleOrder::kKept, 3);
  EXPECT_TRUE(BatchSource<float>::Create(All(data), batcher).ok());
  ExampleSet examples = All(data);
  examples.standardization = SomeStandardization(1e-37);
  const auto refused = BatchSource<float>::Create(examples, batcher);
  ASSERT_EQ(ReasonOf(refused.status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(refused.status()).metadata().at("row"), "1") << "column 10: 100 less its mean, by 1e-37";
}

TEST(BatchSource, TellsTheMeanWeightOfItsOwnExamples) {
  Dataset data = TenRows();
  data.weights = {1, 9, 1, 9, 2, 9, 9, 9, 9, 9};
  ExampleSet some = All(data);
  some.rows = RowSelection({0, 2, 4});
  EXPECT_EQ(BatchSource<float>::Create(some, Batcher(3, 2, ExampleOrder::kKept, 3))->Batch(1).mean_weight, 4.0 / 3);
}

TEST(BatchSource, KeepsWeightsWithTheirRows) {
  Dataset data = TenRows();
  EXPECT_TRUE(BatchSource<float>::Create(All(data), Batcher(10, 4, ExampleOrder::kKept, 3))->Batch(1).weights.empty());
  for (int i = 0; i < 10; ++i) data.weights.push_back(0.25 * i + 1e-9);
  for (const ExampleOrder order : {ExampleOrder::kKept, ExampleOrder::kShuffled}) {
    auto source = BatchSource<float>::Create(All(data), Batcher(10, 4, order, 3));
    ASSERT_TRUE(source.ok()) << source.status();
    for (int64_t batch = 1; batch <= 6; ++batch) {
      const ExampleViews<float> examples = source->Batch(batch);
      EXPECT_NEAR(examples.mean_weight, 0.25 * 4.5 + 1e-9, 1e-15) << "of all, whatever is in the batch";
      ASSERT_EQ(examples.weights.size(), batch % 3 == 0 ? 2U : 4U);
      for (size_t i = 0; i < examples.weights.size(); ++i) {
        EXPECT_EQ(examples.weights[i], 0.25 * static_cast<double>(examples.inputs(static_cast<int>(i), 0)) + 1e-9);
      }
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
