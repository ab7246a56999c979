#include "trainer/data/batch_source.h"

#include <gtest/gtest.h>

#include "proto/support/error.h"

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

template <typename T>
void ExpectEachRowOnce(ExampleOrder order) {
  auto source = BatchSource<T>::Create(TenRows(), Batcher(10, 4, order, 3));
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
  auto from_start = BatchSource<float>::Create(TenRows(), Batcher(10, 4, ExampleOrder::kShuffled, 3));
  auto from_end = BatchSource<float>::Create(TenRows(), Batcher(10, 4, ExampleOrder::kShuffled, 3));
  from_end->Batch(3);
  EXPECT_EQ(Matrix<float>(from_start->Batch(1).inputs), Matrix<float>(from_end->Batch(1).inputs));
}

TEST(BatchSource, SaysWhichRowDoesNotFitIntoFloat32) {
  Dataset data = TenRows();
  data.inputs.values[5] = 1e39;
  const auto source = BatchSource<float>::Create(data, Batcher(10, 4, ExampleOrder::kKept, 3));
  EXPECT_EQ(ReasonOf(source.status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(source.status()).metadata().at("row"), "3");
  EXPECT_TRUE(BatchSource<double>::Create(data, Batcher(10, 4, ExampleOrder::kKept, 3)).ok());
}

TEST(BatchSource, KeepsWeightsWithTheirRows) {
  Dataset data = TenRows();
  EXPECT_TRUE(BatchSource<float>::Create(data, Batcher(10, 4, ExampleOrder::kKept, 3))->Batch(1).weights.empty());
  for (int i = 0; i < 10; ++i) data.weights.push_back(0.25 * i + 1e-9);
  for (const ExampleOrder order : {ExampleOrder::kKept, ExampleOrder::kShuffled}) {
    auto source = BatchSource<float>::Create(data, Batcher(10, 4, order, 3));
    ASSERT_TRUE(source.ok()) << source.status();
    for (int64_t batch = 1; batch <= 6; ++batch) {
      const ExampleViews<float> examples = source->Batch(batch);
      ASSERT_EQ(examples.weights.size(), batch % 3 == 0 ? 2U : 4U);
      for (size_t i = 0; i < examples.weights.size(); ++i) {
        EXPECT_EQ(examples.weights[i], 0.25 * static_cast<double>(examples.inputs(static_cast<int>(i), 0)) + 1e-9);
      }
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
