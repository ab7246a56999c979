// How long a run is away whose trainer and service were both killed: from starting the next service until the run has
// trained further than anybody had been told, against starting that service and a new run of the same kind.
#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "pilothouse/v1/training_control.grpc.pb.h"
#include "tests/bench/statistics.h"
#include "tests/support/killable_service.h"
#include "tests/support/test_service.h"

namespace pilothouse::bench {
namespace {

using testing::KillableService;

v1::StartRunRequest Endless(const std::string& dataset, const std::string& network, int64_t checkpoint_every) {
  v1::StartRunRequest request;
  v1::RunSpec& spec = *request.mutable_spec();
  spec.mutable_network()->set_shorthand(network);
  spec.mutable_data()->set_dataset_id(dataset);
  spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
  spec.set_full_batch(true);
  spec.mutable_checkpoints()->set_every(checkpoint_every);
  request.set_target(int64_t{1} << 50);
  return request;
}

v1::Run State(KillableService& service, const std::string& run) {
  v1::GetStateRequest request;
  request.set_run_id(run);
  v1::GetStateResponse response;
  grpc::ClientContext context;
  if (!service.stub()->GetState(&context, request, &response).ok()) std::abort();
  return response.run();
}

void AwaitTrainingBeyond(KillableService& service, const std::string& run, int64_t batch) {
  const bool there = KillableService::Retry([&] {
    const v1::Run state = State(service, run);
    return state.status() == v1::RUN_STATUS_TRAINING && state.batch() > batch;
  });
  if (!there) std::abort();
}

void KillBoth(KillableService& service, const std::string& run) {
  const pid_t trainer = testing::TestService::TrainerOf(run);
  if (trainer <= 0 || kill(trainer, SIGKILL) != 0) std::abort();
  service.Kill();
}

// Arguments: the units of two hidden layers (1,000: a million parameters), and batches between checkpoints.
void BM_Resume(benchmark::State& state) {
  const std::string units = std::to_string(state.range(0));
  const std::string network = "2x" + units + "tx" + units + "tx1";
  std::vector<double> fresh;
  std::vector<double> resumed;
  for (auto _ : state) {
    KillableService service({PILOTHOUSED, PILOTHOUSE_TRAINER});
    service.Start();
    const std::string dataset = service.Upload(testing::kXorTable);
    service.Kill();
    std::string run;
    fresh.push_back(SecondsOf([&] {
      service.Start();
      run = service.StartRun(Endless(dataset, network, state.range(1)));
      AwaitTrainingBeyond(service, run, 0);
    }));
    // At some place between two checkpoints.
    AwaitTrainingBeyond(service, run, state.range(1) * 3 / 2);
    const int64_t told = State(service, run).batch();
    KillBoth(service, run);
    resumed.push_back(SecondsOf([&] {
      service.Start();
      AwaitTrainingBeyond(service, run, told);
    }));
    KillBoth(service, run);
  }
  state.counters["new_ms"] = 1e3 * Median(fresh);
  state.counters["resumed_ms"] = 1e3 * Median(resumed);
  state.counters["resumed/new"] = Median(resumed) / Median(fresh);
}
BENCHMARK(BM_Resume)
    ->ArgNames({"units", "every"})
    ->Args({2, 100'000})
    ->Args({1000, 100})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
