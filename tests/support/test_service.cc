#include "tests/support/test_service.h"

#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/grpc_error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"

namespace pilothouse::testing {
namespace {

namespace fs = std::filesystem;

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

template <typename Request, typename Response>
absl::StatusOr<Response> Call(v1::TrainingControl::Stub& stub,
                              grpc::Status (v1::TrainingControl::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                                Response*),
                              const Request& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

template <typename Request, typename Response>
absl::StatusOr<v1::Receipt> ReceiptOf(v1::TrainingControl::Stub& stub,
                                      grpc::Status (v1::TrainingControl::Stub::*method)(grpc::ClientContext*,
                                                                                        const Request&, Response*),
                                      const Request& request) {
  const absl::StatusOr<Response> response = Call(stub, method, request);
  if (!response.ok()) return response.status();
  return response->receipt();
}

// Empty where it cannot be read, as what is told of a process that ends meanwhile; an iterator would throw there.
std::string ReadAll(const fs::path& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TestService::TestService(int64_t max_dataset_bytes)
    : TestService(service::ServerOptions{.max_dataset_bytes = max_dataset_bytes}) {}

TestService::TestService(const std::string& trainer_program)
    : TestService(service::ServerOptions{.trainer_program = trainer_program}) {}

TestService::TestService(service::ServerOptions options) : options_(std::move(options)) {
  directory_ = absl::StrCat(fs::temp_directory_path().string(), "/pilothouse-test-XXXXXX");
  if (mkdtemp(directory_.data()) == nullptr) std::abort();
  options_.data_directory = directory_;
  options_.listen = "127.0.0.1:0";
  if (options_.trainer_program.empty()) options_.trainer_program = PILOTHOUSE_TRAINER;
  // Should a test be killed, its trainers do not stay for a day.
  options_.orphan_timeout = absl::Minutes(2);
  StartServer();
}

TestService::~TestService() {
  server_->Shutdown(/*stop_runs=*/true);
  server_ = nullptr;
  fs::remove_all(directory_);
}

void TestService::StartServer() {
  auto server = service::Server::Start(options_);
  if (!server.ok()) {
    std::cerr << "the service under test does not start: " << server.status() << "\n";
    std::abort();
  }
  server_ = *std::move(server);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(-1);
  channel_ = grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments);
  stub_ = v1::TrainingControl::NewStub(channel_);
}

void TestService::Restart() {
  server_->Shutdown(/*stop_runs=*/false);
  server_ = nullptr;
  StartServer();
}

absl::StatusOr<std::string> TestService::UploadTable(const std::string& text) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::UploadDatasetResponse response;
  auto writer = stub_->UploadDataset(&context, &response);
  v1::UploadDatasetRequest request;
  request.mutable_header()->set_format(v1::DATASET_FORMAT_CSV);
  writer->Write(request);
  for (size_t offset = 0; offset < text.size(); offset += kMaxChunkBytes) {
    request.mutable_chunk()->set_part(v1::DATASET_PART_TABLE);
    request.mutable_chunk()->set_data(text.substr(offset, kMaxChunkBytes));
    if (!writer->Write(request)) break;
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return FromGrpcStatus(status);
  return response.dataset_id();
}

absl::StatusOr<v1::Run> TestService::Start(const v1::RunSpec& spec, int64_t target, const std::string& run_id,
                                           const std::string& request_id) {
  v1::StartRunRequest request;
  *request.mutable_spec() = spec;
  request.set_target(target);
  request.set_run_id(run_id);
  request.set_request_id(request_id);
  const auto response = Call(*stub_, &v1::TrainingControl::Stub::StartRun, request);
  if (!response.ok()) return response.status();
  return response->run();
}

absl::StatusOr<v1::Receipt> TestService::SetEta(const std::string& run_id, double eta,
                                                const v1::ControlOptions& options) {
  v1::SetEtaRequest request;
  request.set_run_id(run_id);
  request.set_eta(eta);
  *request.mutable_options() = options;
  return ReceiptOf(*stub_, &v1::TrainingControl::Stub::SetEta, request);
}

absl::StatusOr<v1::Receipt> TestService::SetKnob(const std::string& run_id, const std::string& name, double value,
                                                 const v1::ControlOptions& options) {
  v1::SetKnobRequest request;
  request.set_run_id(run_id);
  request.set_name(name);
  request.set_value(value);
  *request.mutable_options() = options;
  return ReceiptOf(*stub_, &v1::TrainingControl::Stub::SetKnob, request);
}

absl::StatusOr<v1::Receipt> TestService::BatchTo(const std::string& run_id, int64_t batch,
                                                 const v1::ControlOptions& options) {
  v1::BatchToRequest request;
  request.set_run_id(run_id);
  request.mutable_target()->set_batch(batch);
  *request.mutable_options() = options;
  return ReceiptOf(*stub_, &v1::TrainingControl::Stub::BatchTo, request);
}

absl::StatusOr<v1::Receipt> TestService::Retarget(const std::string& run_id, const v1::TargetChange& target) {
  v1::BatchToRequest request;
  request.set_run_id(run_id);
  *request.mutable_target() = target;
  return ReceiptOf(*stub_, &v1::TrainingControl::Stub::BatchTo, request);
}

absl::StatusOr<v1::Receipt> TestService::AttachPlugin(const std::string& run_id, const v1::PluginSpec& plugin,
                                                      const v1::ControlOptions& options) {
  v1::AttachPluginRequest request;
  request.set_run_id(run_id);
  *request.mutable_plugin() = plugin;
  *request.mutable_options() = options;
  return ReceiptOf(*stub_, &v1::TrainingControl::Stub::AttachPlugin, request);
}

absl::StatusOr<v1::Receipt> TestService::DetachPlugin(const std::string& run_id, const std::string& name,
                                                      const v1::ControlOptions& options) {
  v1::DetachPluginRequest request;
  request.set_run_id(run_id);
  request.set_name(name);
  *request.mutable_options() = options;
  return ReceiptOf(*stub_, &v1::TrainingControl::Stub::DetachPlugin, request);
}

absl::StatusOr<v1::Receipt> TestService::ReschedulePlugin(const std::string& run_id, const std::string& name,
                                                          const std::string& schedule,
                                                          const v1::ControlOptions& options) {
  v1::ReschedulePluginRequest request;
  request.set_run_id(run_id);
  request.set_name(name);
  request.set_schedule(schedule);
  *request.mutable_options() = options;
  return ReceiptOf(*stub_, &v1::TrainingControl::Stub::ReschedulePlugin, request);
}

absl::StatusOr<v1::ListPluginsResponse> TestService::Plugins(const std::string& run_id) {
  v1::ListPluginsRequest request;
  request.set_run_id(run_id);
  return Call(*stub_, &v1::TrainingControl::Stub::ListPlugins, request);
}

absl::StatusOr<v1::ListPluginKindsResponse> TestService::PluginKinds() {
  return Call(*stub_, &v1::TrainingControl::Stub::ListPluginKinds, v1::ListPluginKindsRequest());
}

absl::StatusOr<v1::StopResponse> TestService::Stop(const std::string& run_id, const std::string& request_id) {
  v1::StopRequest request;
  request.set_run_id(run_id);
  request.mutable_options()->set_request_id(request_id);
  return Call(*stub_, &v1::TrainingControl::Stub::Stop, request);
}

absl::StatusOr<v1::GetStateResponse> TestService::State(const std::string& run_id, bool with_vector) {
  v1::GetStateRequest request;
  request.set_run_id(run_id);
  request.set_include_state_vector(with_vector);
  return Call(*stub_, &v1::TrainingControl::Stub::GetState, request);
}

absl::StatusOr<v1::ListRunsResponse> TestService::List() {
  return Call(*stub_, &v1::TrainingControl::Stub::ListRuns, v1::ListRunsRequest());
}

absl::StatusOr<std::vector<double>> TestService::Predict(const std::string& run_id, const std::vector<double>& inputs,
                                                         int64_t columns) {
  v1::PredictRequest request;
  request.set_run_id(run_id);
  *request.mutable_inputs() = MakeTensor(inputs, {static_cast<int64_t>(inputs.size()) / columns, columns});
  const auto response = Call(*stub_, &v1::TrainingControl::Stub::Predict, request);
  if (!response.ok()) return response.status();
  return ToDoubles(response->outputs());
}

v1::RunSpec TestService::XorSpec(const std::vector<double>& state) {
  v1::RunSpec spec;
  spec.mutable_network()->set_shorthand("2x2tx1t");
  *spec.mutable_network()->mutable_initial_state() = MakeTensor(state, {static_cast<int64_t>(state.size())});
  const absl::StatusOr<std::string> dataset = UploadTable(kXorTable);
  if (dataset.ok()) spec.mutable_data()->set_dataset_id(*dataset);
  spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
  spec.set_eta(0.1);
  spec.set_full_batch(true);
  spec.set_precision(v1::PRECISION_FLOAT64);
  return spec;
}

v1::RunSpec TestService::XorSpec() { return XorSpec({0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}); }

std::string TestService::StartXor(int64_t target) {
  const absl::StatusOr<v1::Run> run = Start(XorSpec(), target);
  if (!run.ok()) std::cerr << "the XOR run does not start: " << run.status() << "\n";
  return run.ok() ? run->run_id() : "";
}

pid_t TestService::TrainerOf(const std::string& run_id) {
  const std::string wanted = absl::StrCat("--run", std::string(1, '\0'), run_id, std::string(1, '\0'));
  for (const auto& entry : fs::directory_iterator("/proc")) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    if (absl::StrContains(ReadAll(entry.path() / "cmdline"), wanted)) return pid;
  }
  return 0;
}

v1::ControlOptions WithRequestId(const std::string& request_id) {
  v1::ControlOptions options;
  options.set_request_id(request_id);
  return options;
}

v1::ControlOptions AtBatch(int64_t batch, const std::string& request_id) {
  v1::ControlOptions options = WithRequestId(request_id);
  options.set_at_batch(batch);
  return options;
}

}  // namespace pilothouse::testing
