// What a checkpoint costs: how long the training thread is held up for it, against a memcpy of the parameters, and how
// long it takes until it is safe on the disk, hashed, renamed and all, against plain writing of as many bytes and one
// fsync, as `dd conv=fsync` does; "told" is when its outcome, with the hash of the state, is known.
// Measured in turn in each iteration; counters are medians over the iterations, and the ratios of the medians.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/mutex.h"
#include "tests/bench/bare_loop.h"
#include "tests/bench/statistics.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/loop/supervised_learner.h"

namespace pilothouse::bench {
namespace {

// A linear layer of about so many parameters, in float32.
std::unique_ptr<trainer::Learner> LargeLearner(int64_t parameters) {
  constexpr int64_t kInputs = 999;
  const int64_t outputs = parameters / (kInputs + 1);
  trainer::LearnerSpec spec;
  spec.network.layers = {trainer::AffineLayer{kInputs, outputs}};
  spec.network.initial_state =
      trainer::NumberArray{{parameters}, std::vector<float>(static_cast<size_t>(parameters), 0.5F)};
  spec.loss = trainer::LossFunction::kMse;
  const auto ones = [](int64_t columns) {
    return trainer::NumberTable{1, columns, std::vector<double>(static_cast<size_t>(columns), 1)};
  };
  return OrDie(trainer::MakeLearner(spec, {ones(kInputs), ones(outputs)}));
}

// Counts what a store has done.
class Counter {
 public:
  void Add(const trainer::CheckpointOutcome& outcome) {
    if (!outcome.status.ok()) std::abort();
    const MutexLock lock(mutex_);
    ++done_;
    writing_ = std::chrono::duration<double>(outcome.writing).count();
    changed_.NotifyAll();
  }
  // Returns how many seconds the last one took to write.
  double AwaitAtLeast(int64_t done) {
    const MutexLock lock(mutex_);
    while (done_ < done) changed_.Wait(mutex_);
    return writing_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int64_t done_ = 0;
  double writing_ = 0;
};

// Writes zeros to a new file as dd does, a MiB at a time, and syncs it.
void WritePlainly(const std::string& path, int64_t bytes) {
  static const std::string zeros(1 << 20, '\0');
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (descriptor < 0) std::abort();
  while (bytes > 0) {
    const ssize_t written = write(descriptor, zeros.data(), std::min(zeros.size(), static_cast<size_t>(bytes)));
    if (written <= 0) std::abort();
    bytes -= written;
  }
  if (fsync(descriptor) != 0 || close(descriptor) != 0) std::abort();
}

void BM_Checkpoint(benchmark::State& state) {
  const std::string directory = MakeTemporaryFolder();
  const std::unique_ptr<trainer::Learner> learner = LargeLearner(state.range(0));
  std::vector<float> from(static_cast<size_t>(learner->facts().parameters), 1);
  std::vector<float> to = from;
  Counter counter;
  trainer::CheckpointStore store(directory, {1, 0, false}, {},
                                 [&](const trainer::CheckpointOutcome& outcome) { counter.Add(outcome); });
  std::vector<double> copy;
  std::vector<double> held_up;
  std::vector<double> plain;
  std::vector<double> written;
  std::vector<double> told;
  int64_t batch = 0;
  const auto save = [&] {
    trainer::CheckpointRequest request;
    request.facts.batch = ++batch;
    learner->Save(request.state);
    request.state_hash = [saved = request.state] { return HashOfTensors(saved); };
    if (!store.Submit(std::move(request))) std::abort();
  };
  // The first takes fresh memory, which later ones use again.
  save();
  counter.AwaitAtLeast(batch);
  for (auto _ : state) {
    // What is copied was last touched as a whole, as by a learning step.
    std::for_each(from.begin(), from.end(), [](float& value) { value += 1; });
    copy.push_back(SecondsOf([&] {
      std::memcpy(to.data(), from.data(), from.size() * sizeof(float));
      benchmark::ClobberMemory();
    }));
    learner->Step(batch + 1, {.eta = 1e-6});
    told.push_back(SecondsOf([&] {
      held_up.push_back(SecondsOf(save));
      written.push_back(counter.AwaitAtLeast(batch));
    }));
    store.Recorded(batch);
    const std::string file = directory + "/plain";
    plain.push_back(SecondsOf([&] { WritePlainly(file, static_cast<int64_t>(from.size() * sizeof(float))); }));
    std::filesystem::remove(file);
  }
  const double megabytes = static_cast<double>(from.size() * sizeof(float)) / 1e6;
  state.counters["memcpy_ms"] = 1e3 * Median(copy);
  state.counters["held_up_ms"] = 1e3 * Median(held_up);
  state.counters["held_up/memcpy"] = Median(held_up) / Median(copy);
  state.counters["plain_MB/s"] = megabytes / Median(plain);
  state.counters["checkpoint_MB/s"] = megabytes / Median(written);
  state.counters["checkpoint/plain"] = Median(plain) / Median(written);
  state.counters["told_ms"] = 1e3 * Median(told);
  std::filesystem::remove_all(directory);
}
BENCHMARK(BM_Checkpoint)->Arg(1'000'000)->Arg(50'000'000)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
