// What a service and its watchers cost a training run: batches per second of the 2-2-1 network on the XOR patterns, in
// the bare loop, under a service, and watched. The four are measured in turn in each iteration; counters are medians
// over the iterations, and ratios of medians.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/statistics.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"
#include "trainer/data/dataset.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/loop/training_loop.h"

namespace pilothouse::bench {
namespace {

constexpr int64_t kBatches = 2'000'000;

class NoSink final : public trainer::ReportSink {
 public:
  void OnReport(trainer::Report) override {}
  void OnHeartbeat(const trainer::Heartbeat&) override {}
  void OnRefusal(trainer::Refusal) override {}
};

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << "\n";
  std::abort();
}

std::unique_ptr<trainer::Learner> XorLearner(const std::string& directory) {
  const std::string table = directory + "/xor.csv";
  std::ofstream(table) << testing::kXorTable;
  trainer::LearnerSpec spec;
  spec.network = OrDie(trainer::ParseShorthand("2x2tx1t"));
  spec.network.initial_state =
      trainer::NumberArray{{9}, std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}};
  spec.loss = trainer::LossFunction::kHalfMse;
  spec.precision = trainer::Precision::kFloat64;
  spec.full_batch = true;
  return OrDie(trainer::MakeLearner(spec, OrDie(trainer::ReadTable(table, {}))));
}

// Batches per second of the loop by itself, stopped by a control that waits for the last batch.
double BareLoop(const std::string& directory) {
  const std::unique_ptr<trainer::Learner> learner = XorLearner(directory);
  trainer::SystemClock clock;
  trainer::Mailbox mailbox(clock);
  NoSink sink;
  trainer::Control stop;
  stop.request_id = "stop";
  stop.change = trainer::StopChange{};
  stop.at_batch = kBatches;
  if (!mailbox.Put(stop).ok()) std::abort();
  trainer::LoopOptions options;
  options.target = kBatches + 1;
  options.directory = directory;
  trainer::TrainingLoop loop(std::move(options), *learner, mailbox, sink, clock);
  return static_cast<double>(kBatches) / SecondsOf([&] { loop.Run(); });
}

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
  std::string directory = std::filesystem::temp_directory_path().string() + "/pilothouse-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) std::abort();
  testing::TestService service;
  const std::string run = service.StartXor();
  std::vector<double> bare;
  std::vector<double> unwatched;
  std::vector<double> watched;
  std::vector<double> watched_by_six;
  for (auto _ : state) {
    bare.push_back(BareLoop(directory));
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
