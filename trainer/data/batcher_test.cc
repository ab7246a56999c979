#include "trainer/data/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace pilothouse::trainer {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> RowsOf(Batcher& batcher, int64_t batch) {
  const auto rows = batcher.Rows(batch);
  return {rows.begin(), rows.end()};
}

std::vector<int64_t> Epoch(Batcher& batcher, int64_t epoch) {
  std::vector<int64_t> all;
  for (int64_t i = 1; i <= batcher.batches_per_epoch(); ++i) {
    const auto rows = batcher.Rows(epoch * batcher.batches_per_epoch() + i);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

TEST(Batcher, KeepsTheOrderAndEndsAnEpochWithAShorterBatch) {
  Batcher batcher(5, 2, ExampleOrder::kKept, 0);
  EXPECT_EQ(batcher.batches_per_epoch(), 3);
  EXPECT_THAT(RowsOf(batcher, 1), ElementsAre(0, 1));
  EXPECT_THAT(RowsOf(batcher, 3), ElementsAre(4));
  EXPECT_THAT(RowsOf(batcher, 4), ElementsAre(0, 1));
  EXPECT_THAT(RowsOf(batcher, int64_t{3} << 40), ElementsAre(4));
}

TEST(Batcher, AnEpochCoversEveryRowOnce) {
  for (const int64_t rows : {1, 2, 3, 10, 101}) {
    for (const int64_t size : {int64_t{1}, rows / 2 + 1, rows}) {
      Batcher batcher(rows, size, ExampleOrder::kShuffled, 42);
      std::vector<int64_t> expected(static_cast<size_t>(rows));
      std::iota(expected.begin(), expected.end(), 0);
      for (const int64_t epoch : {0, 1, 7}) {
        std::vector<int64_t> seen = Epoch(batcher, epoch);
        std::sort(seen.begin(), seen.end());
        EXPECT_EQ(seen, expected);
      }
    }
  }
}

TEST(Batcher, TheOrderDependsOnSeedAndEpochAlone) {
  Batcher forwards(100, 7, ExampleOrder::kShuffled, 1);
  Batcher jumping(100, 7, ExampleOrder::kShuffled, 1);
  Batcher other_seed(100, 7, ExampleOrder::kShuffled, 2);
  std::vector<std::vector<int64_t>> epochs;
  for (int64_t epoch = 0; epoch < 5; ++epoch) epochs.push_back(Epoch(forwards, epoch));
  for (const int64_t epoch : {4, 0, 3, 3, 1}) EXPECT_EQ(Epoch(jumping, epoch), epochs[static_cast<size_t>(epoch)]);
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(Epoch(other_seed, 0), epochs[0]);
}

TEST(Batcher, EveryOrderIsEquallyLikely) {
  int count[6] = {};
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    Batcher batcher(3, 3, ExampleOrder::kShuffled, seed);
    const std::vector<int64_t> order = RowsOf(batcher, 1);
    ++count[order[0] * 2 + (order[1] > order[2] ? 1 : 0)];
  }
  for (const int times : count) EXPECT_NEAR(times, 1000, 150);
}

}  // namespace
}  // namespace pilothouse::trainer
