// What a receipt costs: the time from SetEta sent to its receipt, against an empty unary call on the same
// channel in the same moment, and against one synced write in the same directory. Counters are in microseconds.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/statistics.h"
#include "tests/support/test_service.h"

namespace pilothouse::bench {
namespace {

constexpr double kMicroseconds = 1e6;

// Overwrites 4 KiB and syncs them: the least that durability costs here.
class SyncedWrite {
 public:
  explicit SyncedWrite(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_CREAT, 0600)), page_(4096, 'x') {
    if (fd_ < 0) std::abort();
  }
  ~SyncedWrite() { close(fd_); }
  void operator()() const {
    if (pwrite(fd_, page_.data(), page_.size(), 0) < 0 || fdatasync(fd_) != 0) std::abort();
  }

 private:
  const int fd_;
  const std::string page_;
};

// GetState of a run that does not exist travels both ways and does nothing: an empty call.
void EmptyCall(testing::TestService& service) { benchmark::DoNotOptimize(service.State("none")); }

void Report(benchmark::State& state, const std::string& name, const std::vector<double>& seconds) {
  state.counters[name + "_p50"] = kMicroseconds * Quantile(seconds, 0.5);
  state.counters[name + "_p99"] = kMicroseconds * Quantile(seconds, 0.99);
}

// Argument: 0, the run is idle; 1, it trains.
void BM_Receipt(benchmark::State& state) {
  testing::TestService service;
  const SyncedWrite synced_write(service.directory() + "/synced");
  const std::string run = service.StartXor(state.range(0) == 0 ? 0 : int64_t{1} << 50);
  std::vector<double> empty;
  std::vector<double> receipt;
  std::vector<double> sync;
  for (auto _ : state) {
    empty.push_back(SecondsOf([&] { EmptyCall(service); }));
    receipt.push_back(SecondsOf([&] {
      if (!service.SetEta(run, 0.1).ok()) std::abort();
    }));
    sync.push_back(SecondsOf(synced_write));
  }
  Report(state, "empty_us", empty);
  Report(state, "receipt_us", receipt);
  Report(state, "sync_us", sync);
  state.counters["receipt/empty_p50"] = Quantile(receipt, 0.5) / Quantile(empty, 0.5);
  state.counters["receipt/empty_p99"] = Quantile(receipt, 0.99) / Quantile(empty, 0.99);
}
BENCHMARK(BM_Receipt)->ArgName("training")->Arg(0)->Arg(1)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
