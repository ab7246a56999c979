// kill -9 of the service while a run trains and is steered.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "service/runs/process.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int kRounds = 3;
constexpr int kControlsPerRound = 5;
constexpr int64_t kFarAway = int64_t{1} << 50;

// A service in a process of its own, which can be killed.
class KillableService {
 public:
  KillableService() : directory_(std::filesystem::temp_directory_path().string() + "/pilothouse-fault-XXXXXX") {
    if (mkdtemp(directory_.data()) == nullptr) std::abort();
  }
  ~KillableService() {
    if (process_.has_value()) End(SIGTERM);
    std::filesystem::remove_all(directory_);
  }

  // Returns when it serves, or after a minute.
  void Start() {
    auto process = service::ChildProcess::Start({PILOTHOUSED, "--data", directory_, "--listen", Address(), "--trainer",
                                                 PILOTHOUSE_TRAINER, "--stop-runs-on-exit", "--orphan-timeout", "2m"},
                                                {}, directory_ + "/pilothoused.log");
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    ASSERT_TRUE(Retry([this] {
      // A channel that was refused once waits for seconds before it tries again, so each attempt has one of its own.
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      stub_ = v1::TrainingControl::NewStub(
          grpc::CreateCustomChannel(Address(), grpc::InsecureChannelCredentials(), arguments));
      grpc::ClientContext context;
      v1::ListRunsResponse runs;
      return stub_->ListRuns(&context, {}, &runs).ok();
    }));
  }
  void Kill() { End(SIGKILL); }

  v1::TrainingControl::Stub& stub() { return *stub_; }

  // Asks until it is answered, as clients do while a service is away; polled for a minute at most.
  static bool Retry(const std::function<bool()>& ask) {
    for (int i = 0; i < 6000; ++i) {
      if (ask()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

 private:
  std::string Address() const { return absl::StrCat("unix:", directory_, "/clients.sock"); }
  void End(int signal) {
    process_->Signal(signal);
    Retry([this] { return process_->Ended().has_value(); });
    process_.reset();
  }

  std::string directory_;
  std::optional<service::ChildProcess> process_;
  std::unique_ptr<v1::TrainingControl::Stub> stub_;
};

std::string StartXor(KillableService& service) {
  v1::UploadDatasetResponse dataset;
  grpc::ClientContext upload_context;
  auto writer = service.stub().UploadDataset(&upload_context, &dataset);
  v1::UploadDatasetRequest message;
  message.mutable_header()->set_format(v1::DATASET_FORMAT_CSV);
  writer->Write(message);
  message.mutable_chunk()->set_part(v1::DATASET_PART_TABLE);
  message.mutable_chunk()->set_data(kXorTable);
  writer->Write(message);
  writer->WritesDone();
  EXPECT_TRUE(writer->Finish().ok());
  v1::StartRunRequest request;
  v1::RunSpec& spec = *request.mutable_spec();
  spec.mutable_network()->set_shorthand("2x2tx1t");
  spec.mutable_data()->set_dataset_id(dataset.dataset_id());
  spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
  spec.set_full_batch(true);
  request.set_target(kFarAway);
  v1::StartRunResponse response;
  grpc::ClientContext context;
  const grpc::Status status = service.stub().StartRun(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.run().run_id();
}

// One SetEta, asked with the same request_id until it is answered.
std::optional<v1::Receipt> SetEta(KillableService& service, const std::string& run, const std::string& request_id) {
  v1::SetEtaRequest request;
  request.set_run_id(run);
  request.set_eta(0.1);
  request.mutable_options()->set_request_id(request_id);
  v1::SetEtaResponse response;
  const bool answered = KillableService::Retry([&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return service.stub().SetEta(&context, request, &response).ok();
  });
  if (!answered) return std::nullopt;
  return response.receipt();
}

TEST(ServiceKilled, EveryAcknowledgedControlIsThereOnceAndTheCurveHasNoHolesAndNoRepeats) {
  KillableService service;
  ASSERT_NO_FATAL_FAILURE(service.Start());
  const std::string run = StartXor(service);
  std::map<std::string, uint64_t> acknowledged;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kControlsPerRound; ++i) {
      const std::string request_id = absl::StrCat("eta-", round, "-", i);
      const auto receipt = SetEta(service, run, request_id);
      ASSERT_TRUE(receipt.has_value()) << request_id;
      acknowledged[request_id] = receipt->control_id();
    }
    service.Kill();
    ASSERT_NO_FATAL_FAILURE(service.Start());
  }
  v1::StopRequest stop;
  stop.set_run_id(run);
  stop.mutable_options()->set_request_id("stop");
  ASSERT_TRUE(KillableService::Retry([&] {
    grpc::ClientContext context;
    v1::StopResponse response;
    return service.stub().Stop(&context, stop, &response).ok();
  }));

  Watcher watcher(service.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForEnd().ok());
  std::map<std::string, uint64_t> journaled;
  uint64_t sequence = 0;
  int64_t batch = 0;
  for (const v1::Event& event : watcher.events()) {
    EXPECT_EQ(event.sequence(), ++sequence);
    EXPECT_GE(event.batch(), event.has_status() ? 0 : batch) << "sequence " << sequence;
    if (!event.has_status()) batch = event.batch();
    if (!event.has_control() || event.control().change().has_stop()) continue;
    EXPECT_TRUE(journaled.emplace(event.control().request_id(), event.sequence()).second) << "twice";
  }
  EXPECT_EQ(journaled, acknowledged);
  EXPECT_EQ(watcher.events().back().status().status(), v1::RUN_STATUS_STOPPED);
}

}  // namespace
}  // namespace pilothouse::testing
