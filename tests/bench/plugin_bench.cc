// What plugins that are not due cost a training run: batches per second of the 2-2-1 network on the XOR patterns with
// none and with a hundred, on all timelines, measured in turn in each iteration; counters are medians over the
// iterations, and the ratio of the medians.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/bench/bare_loop.h"
#include "tests/bench/statistics.h"

namespace pilothouse::bench {
namespace {

constexpr int64_t kBatches = 1'000'000;
constexpr int kPlugins = 100;

std::vector<trainer::PluginSpec> NotDue() {
  const std::array<std::string, 5> schedules = {"at(1000000000)", "each(1000000000 examples) & from(1 example)",
                                                "at(1000000000 epochs)", "at(1000 h)", "each(1000 h) & ~at(0 s)"};
  std::vector<trainer::PluginSpec> plugins(kPlugins);
  for (size_t i = 0; i < plugins.size(); ++i) {
    plugins[i].kind = "notify";
    plugins[i].schedule = schedules[i % schedules.size()];
  }
  return plugins;
}

void BM_PluginsThatAreNotDue(benchmark::State& state) {
  const std::string directory = MakeTemporaryFolder();
  std::vector<double> none;
  std::vector<double> hundred;
  for (auto _ : state) {
    none.push_back(static_cast<double>(kBatches) / SecondsOfBareLoop(directory, kBatches, {}));
    hundred.push_back(static_cast<double>(kBatches) / SecondsOfBareLoop(directory, kBatches, NotDue()));
  }
  std::filesystem::remove_all(directory);
  state.counters["none_per_s"] = Median(none);
  state.counters["hundred/none"] = Median(hundred) / Median(none);
}
BENCHMARK(BM_PluginsThatAreNotDue)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
