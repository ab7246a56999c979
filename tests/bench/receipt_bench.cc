// What a receipt costs: the time from SetEta sent to its receipt, against an empty unary call on the same channel in
// the same moment, and against one synced append in the same directory; and how many of them there are in a second,
// with few clients and with many. With journals that are synced at every receipt, and with such as are not. Times are
// in microseconds.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/statistics.h"
#include "tests/support/test_service.h"

namespace pilothouse::bench {
namespace {

constexpr double kMicroseconds = 1e6;

// Appends 4 KiB and syncs them: the least that durability costs here.
class SyncedAppend {
 public:
  explicit SyncedAppend(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)), page_(4096, 'x') {
    if (fd_ < 0) std::abort();
  }
  ~SyncedAppend() { close(fd_); }
  void operator()() const {
    if (write(fd_, page_.data(), page_.size()) < 0 || fsync(fd_) != 0) std::abort();
  }

 private:
  const int fd_;
  const std::string page_;
};

service::ServerOptions WithSync(int64_t normal) {
  return {.journal_sync = normal == 0 ? service::JournalSync::kFull : service::JournalSync::kNormal};
}

// GetState of a run that does not exist travels both ways and does nothing: an empty call.
void EmptyCall(testing::TestService& service) { benchmark::DoNotOptimize(service.State("none")); }

void Report(benchmark::State& state, const std::string& name, const std::vector<double>& seconds) {
  state.counters[name + "_p50"] = kMicroseconds * Quantile(seconds, 0.5);
  state.counters[name + "_p99"] = kMicroseconds * Quantile(seconds, 0.99);
}

// Arguments: whether the run trains; and whether the journal is left to the operating system.
void BM_Receipt(benchmark::State& state) {
  testing::TestService service(WithSync(state.range(1)));
  const SyncedAppend synced_append(service.directory() + "/synced");
  const std::string run = service.StartXor(state.range(0) == 0 ? 0 : int64_t{1} << 50);
  std::vector<double> empty;
  std::vector<double> receipt;
  std::vector<double> sync;
  for (auto _ : state) {
    empty.push_back(SecondsOf([&] { EmptyCall(service); }));
    receipt.push_back(SecondsOf([&] {
      if (!service.SetEta(run, 0.1).ok()) std::abort();
    }));
    sync.push_back(SecondsOf(synced_append));
  }
  Report(state, "empty_us", empty);
  Report(state, "receipt_us", receipt);
  Report(state, "sync_us", sync);
  state.counters["receipt/empty_p50"] = Quantile(receipt, 0.5) / Quantile(empty, 0.5);
  state.counters["receipt/empty_p99"] = Quantile(receipt, 0.99) / Quantile(empty, 0.99);
  state.counters["receipt/sync_p50"] = Quantile(receipt, 0.5) / Quantile(sync, 0.5);
}
BENCHMARK(BM_Receipt)->ArgNames({"training", "normal"})->ArgsProduct({{0, 1}, {0, 1}})->UseRealTime();

// Each of so many clients sends one control after the other; in each iteration, this many together.
constexpr int kControlsPerRound = 64;

// Arguments: how many clients; and whether the journal is left to the operating system.
void BM_Controls(benchmark::State& state) {
  testing::TestService service(WithSync(state.range(1)));
  const SyncedAppend synced_append(service.directory() + "/synced");
  const std::string run = service.StartXor();
  const auto clients = static_cast<int>(state.range(0));
  const auto send = [&] {
    for (int i = 0; i < kControlsPerRound / clients; ++i) {
      if (!service.SetEta(run, 0.1).ok()) std::abort();
    }
  };
  std::vector<double> rounds;
  std::vector<double> sync;
  for (auto _ : state) {
    rounds.push_back(SecondsOf([&] {
      std::vector<std::thread> threads;
      for (int client = 0; client < clients; ++client) threads.emplace_back(send);
      for (std::thread& thread : threads) thread.join();
    }));
    sync.push_back(SecondsOf(synced_append));
  }
  state.counters["controls/s"] = kControlsPerRound / Median(rounds);
  // Above 1, several controls have shared a sync.
  state.counters["controls/sync"] = kControlsPerRound * Median(sync) / Median(rounds);
}
BENCHMARK(BM_Controls)->ArgNames({"clients", "normal"})->ArgsProduct({{1, 8, 64}, {0, 1}})->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
