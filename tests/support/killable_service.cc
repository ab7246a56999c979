#include "tests/support/killable_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/eventually.h"

namespace pilothouse::testing {

KillableService::KillableService(Programs programs, std::vector<std::string> options)
    : programs_(std::move(programs)),
      options_(std::move(options)),
      directory_(std::filesystem::temp_directory_path().string() + "/pilothouse-fault-XXXXXX") {
  if (mkdtemp(directory_.data()) == nullptr) std::abort();
}

KillableService::~KillableService() {
  if (process_.has_value()) End(SIGTERM);
  std::filesystem::remove_all(directory_);
}

void KillableService::Start() {
  std::vector<std::string> command = {
      programs_.pilothoused, "--data",           directory_, "--listen", Address(), "--trainer", programs_.trainer,
      "--stop-runs-on-exit", "--orphan-timeout", "5m"};
  command.insert(command.end(), options_.begin(), options_.end());
  auto process = service::ChildProcess::Start(command, {}, directory_ + "/pilothoused.log");
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

void KillableService::Kill() { End(SIGKILL); }

void KillableService::End(int signal) {
  process_->Signal(signal);
  Retry([this] { return process_->Ended().has_value(); });
  process_.reset();
}

bool KillableService::Retry(const std::function<bool()>& ask) { return Eventually(ask, std::chrono::minutes(2)); }

std::string KillableService::Upload(const std::string& table) {
  v1::UploadDatasetResponse dataset;
  grpc::ClientContext context;
  auto writer = stub_->UploadDataset(&context, &dataset);
  v1::UploadDatasetRequest message;
  message.mutable_header()->set_format(v1::DATASET_FORMAT_CSV);
  writer->Write(message);
  message.mutable_chunk()->set_part(v1::DATASET_PART_TABLE);
  message.mutable_chunk()->set_data(table);
  writer->Write(message);
  writer->WritesDone();
  EXPECT_TRUE(writer->Finish().ok());
  return dataset.dataset_id();
}

std::string KillableService::StartRun(const v1::StartRunRequest& request) {
  v1::StartRunResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub_->StartRun(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.run().run_id();
}

absl::StatusOr<std::string> KillableService::Replay(const std::string& run_directory,
                                                    const std::vector<std::string>& options) const {
  constexpr size_t kMostOutput = 1 << 20;
  std::vector<std::string> command = {programs_.trainer, "--replay", run_directory};
  command.insert(command.end(), options.begin(), options.end());
  return service::RunToEnd(command, "", kMostOutput, std::chrono::minutes(4), directory_ + "/replay.log",
                           [] { return false; });
}

}  // namespace pilothouse::testing
