// What it costs to put a batch of 128 rows of 784 numbers together in float32, out of 20,000 rows in a shuffled order:
// of each type they may be stored in, as they are and standardised on the way, beside a plain copy of rows of float32,
// which is what a table that was converted beforehand needs. Measured in turn in each iteration; counters are medians
// of a batch over the iterations, in microseconds.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/statistics.h"
#include "trainer/data/number_table.h"
#include "trainer/data/page_buffer.h"
#include "trainer/data/row_gatherer.h"
#include "trainer/data/standardization.h"

namespace pilothouse::bench {
namespace {

constexpr int64_t kRows = 20'000;
constexpr int64_t kColumns = 784;
constexpr size_t kBatch = 128;

template <typename Element>
trainer::NumberTable TableOf(trainer::ElementType type) {
  const auto pages = std::make_shared<trainer::PageBuffer>(kRows * kColumns * static_cast<int64_t>(sizeof(Element)));
  auto* const elements = reinterpret_cast<Element*>(pages->data());
  for (int64_t i = 0; i < kRows * kColumns; ++i) elements[i] = static_cast<Element>(i % 251);
  trainer::StoredNumbers stored;
  stored.type = type;
  stored.elements = pages->data();
  stored.row_bytes = kColumns * static_cast<int64_t>(sizeof(Element));
  stored.runs = {{0, kColumns}};
  stored.owner = pages;
  return {kRows, kColumns, {}, std::move(stored)};
}

void BM_GatherBatch(benchmark::State& state) {
  const trainer::NumberTable tables[] = {TableOf<float>(trainer::ElementType::kFloat32),
                                         TableOf<double>(trainer::ElementType::kFloat64),
                                         TableOf<uint8_t>(trainer::ElementType::kUint8)};
  const char* const names[] = {"f4", "f8", "u1"};
  const auto standardization = std::make_shared<const trainer::Standardization>(
      trainer::Standardization{std::vector<double>(kColumns, 125.3), std::vector<double>(kColumns, 72.4)});
  std::vector<float> batch(kBatch * kColumns);
  std::vector<int64_t> rows(kBatch);
  std::mt19937_64 random(1);
  std::vector<double> copied;
  std::vector<double> as_they_are[3];
  std::vector<double> standardized[3];
  const auto next_rows = [&] {
    for (int64_t& row : rows) row = static_cast<int64_t>(random() % kRows);
  };
  const auto gather = [&](const trainer::RowGatherer<float>& gatherer) {
    next_rows();
    return SecondsOf([&] {
      gatherer.Gather(rows, batch.data());
      benchmark::ClobberMemory();
    });
  };
  const auto* const plain = reinterpret_cast<const float*>(tables[0].stored->elements);
  for (auto _ : state) {
    next_rows();
    copied.push_back(SecondsOf([&] {
      for (size_t i = 0; i < kBatch; ++i) {
        std::memcpy(batch.data() + i * kColumns, plain + rows[i] * kColumns, kColumns * sizeof(float));
      }
      benchmark::ClobberMemory();
    }));
    for (size_t i = 0; i < 3; ++i) {
      as_they_are[i].push_back(gather(trainer::RowGatherer<float>(tables[i], nullptr)));
      standardized[i].push_back(gather(trainer::RowGatherer<float>(tables[i], standardization)));
    }
  }
  state.counters["copied_us"] = 1e6 * Median(copied);
  for (size_t i = 0; i < 3; ++i) {
    state.counters[std::string(names[i]) + "_us"] = 1e6 * Median(as_they_are[i]);
    state.counters[std::string(names[i]) + "_standardized_us"] = 1e6 * Median(standardized[i]);
  }
}
BENCHMARK(BM_GatherBatch)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
