// What a service and its watchers cost a training run: batches per second of the 2-2-1 network on the XOR patterns, in
// the bare loop, under a service, and watched. The four are measured in turn in each iteration; counters are medians
// over the iterations, and ratios of medians.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/bare_loop.h"
#include "tests/bench/statistics.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::bench {
namespace {

constexpr int64_t kBatches = 2'000'000;

double TimeOf(const v1::Event& event) {
  return static_cast<double>(event.time().seconds()) + 1e-9 * event.time().nanos();
}

// The same of a run under a service, by the trainer's clock from the target's receipt to the loss at the target.
double UnderService(testing::TestService& service, const std::string& run, int watchers) {
  std::vector<std::unique_ptr<testing::Watcher>> watching;
  for (int i = 0; i < watchers; ++i) {
    watching.push_back(std::make_unique<testing::Watcher>(service.stub(), testing::FromNow(run)));
    if (!watching.back()->WaitForMessage([](const auto&) { return true; }).has_value()) std::abort();
  }
  const int64_t begin = OrDie(service.State(run)).run().batch();
  const v1::Receipt receipt = OrDie(service.BatchTo(run, begin + kBatches));
  auto request = testing::FromNow(run);
  request.set_after_sequence(receipt.control_id() - 1);
  testing::Watcher last(service.stub(), request);
  if (!last.WaitForIdle(begin + kBatches)) std::abort();
  double seconds = 0;
  for (const v1::Event& event : last.events()) {
    if (event.sequence() == receipt.control_id()) seconds -= TimeOf(event);
    if (event.has_loss() && event.loss().at_target()) seconds += TimeOf(event);
  }
  return static_cast<double>(kBatches) / seconds;
}

void BM_BatchesPerSecond(benchmark::State& state) {
  const std::string directory = MakeTemporaryFolder();
  testing::TestService service;
  const std::string run = service.StartXor();
  std::vector<double> bare;
  std::vector<double> unwatched;
  std::vector<double> watched;
  std::vector<double> watched_by_six;
  for (auto _ : state) {
    bare.push_back(static_cast<double>(kBatches) / SecondsOfBareLoop(directory, kBatches, {}));
    // Every one of these has at least the watcher that waits for the end, connected after the start.
    unwatched.push_back(UnderService(service, run, 0));
    watched.push_back(UnderService(service, run, 1));
    watched_by_six.push_back(UnderService(service, run, 6));
  }
  std::filesystem::remove_all(directory);
  state.counters["bare_per_s"] = Median(bare);
  state.counters["service/bare"] = Median(unwatched) / Median(bare);
  state.counters["watched/bare"] = Median(watched) / Median(bare);
  state.counters["watched_by_6/bare"] = Median(watched_by_six) / Median(bare);
}
BENCHMARK(BM_BatchesPerSecond)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
