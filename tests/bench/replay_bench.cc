// How fast a run is gone through again: the 2-2-1 network on the XOR patterns, replayed from the journal of a run under
// a service, against the bare loop and against bare steps of the learner. The three are measured in turn in each
// iteration; counters are medians over the iterations, and ratios of medians. Replay's time is that of all it does,
// from opening the journal to the answer.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "tests/bench/bare_loop.h"
#include "tests/bench/statistics.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"
#include "trainer/replay/replay.h"

namespace pilothouse::bench {
namespace {

constexpr int64_t kBatches = 2'000'000;

double SecondsOfReplay(const std::string& directory) {
  trainer::ReplayOptions options;
  options.directory = directory;
  trainer::ReplayResult result;
  const double seconds = SecondsOf([&] { result = OrDie(trainer::Replay(options)); });
  if (!result.difference.has_value() && result.batches == kBatches) return seconds;
  std::cerr << trainer::ToText(result);
  std::abort();
}

void BM_Replay(benchmark::State& state) {
  const std::string folder = MakeTemporaryFolder();
  testing::TestService service;
  const std::string run = service.StartXor();
  testing::Watcher watcher(service.stub(), testing::FromNow(run));
  OrDie(service.BatchTo(run, kBatches));
  if (!watcher.WaitForIdle(kBatches)) std::abort();
  const std::string directory = OrDie(service.State(run)).run().directory();
  std::vector<double> loop;
  std::vector<double> steps;
  std::vector<double> replay;
  for (auto _ : state) {
    loop.push_back(static_cast<double>(kBatches) / SecondsOfBareLoop(folder, kBatches, {}));
    steps.push_back(static_cast<double>(kBatches) / SecondsOfBareSteps(folder, kBatches));
    replay.push_back(static_cast<double>(kBatches) / SecondsOfReplay(directory));
  }
  std::filesystem::remove_all(folder);
  state.counters["replay_per_s"] = Median(replay);
  state.counters["replay/loop"] = Median(replay) / Median(loop);
  state.counters["replay/steps"] = Median(replay) / Median(steps);
}
BENCHMARK(BM_Replay)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
