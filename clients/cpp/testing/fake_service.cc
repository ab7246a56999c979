#include "clients/cpp/testing/fake_service.h"

#include <google/protobuf/util/time_util.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/testing/fake_changes.h"
#include "clients/cpp/testing/fake_events.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

using google::protobuf::util::TimeUtil;

absl::Status NotFound(const std::string& run_id) {
  return MakeError(v1::ERROR_REASON_RUN_NOT_FOUND, "run_id", absl::StrCat("no run is named ", run_id, "."),
                   {{"run_id", run_id}});
}

grpc::Status BrokenConnection() { return {grpc::StatusCode::UNAVAILABLE, "the connection broke"}; }

}  // namespace

class FakeService final : public v1::TrainingControl::Service {
 public:
  explicit FakeService(FakeHouse& house) : house_(house) {}

  grpc::Status StartRun(grpc::ServerContext*, const v1::StartRunRequest* request,
                        v1::StartRunResponse* response) override {
    MutexLock lock(house_.mutex_);
    house_.starts_.push_back(*request);
    if (house_.LosesAnswer()) return BrokenConnection();
    const std::string run_id =
        request->run_id().empty() ? absl::StrCat("fake-", house_.runs_.size() + 1) : request->run_id();
    if (house_.runs_.contains(run_id)) {
      return ToGrpcStatus(MakeError(v1::ERROR_REASON_RUN_ALREADY_EXISTS, "run_id",
                                    absl::StrCat("a run is named ", run_id, " already.")));
    }
    house_.AddRunLocked(run_id);
    v1::Run& run = house_.Get(run_id).run;
    *run.mutable_spec() = request->spec();
    // Of its four examples, one for each part.
    const v1::DataSpec& data = request->spec().data();
    if (!data.test_size().empty() && !house_.older_) run.mutable_facts()->set_test_examples(1);
    if (!data.validation_size().empty() && !house_.older_) run.mutable_facts()->set_validation_examples(1);
    if (request->target() > 0) {
      run.set_target(request->target());
      run.set_status(v1::RUN_STATUS_TRAINING);
    }
    *response->mutable_run() = run;
    return grpc::Status::OK;
  }

  grpc::Status ListRuns(grpc::ServerContext*, const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override {
    MutexLock lock(house_.mutex_);
    std::vector<v1::Run> runs;
    for (const auto& [id, run] : house_.runs_) runs.push_back(run.run);
    std::sort(runs.begin(), runs.end(),
              [](const auto& a, const auto& b) { return b.create_time().seconds() < a.create_time().seconds(); });
    size_t begin = 0;
    if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &begin)) begin = runs.size();
    const size_t end = std::min(runs.size(), begin + (request->page_size() > 0 ? request->page_size() : 100));
    for (size_t i = begin; i < end; ++i) {
      runs[i].clear_spec();
      runs[i].clear_facts();
      runs[i].clear_plugins();
      *response->add_runs() = runs[i];
    }
    if (end < runs.size()) response->set_next_page_token(absl::StrCat(end));
    return grpc::Status::OK;
  }

  grpc::Status GetState(grpc::ServerContext*, const v1::GetStateRequest* request,
                        v1::GetStateResponse* response) override {
    MutexLock lock(house_.mutex_);
    if (!house_.runs_.contains(request->run_id())) return ToGrpcStatus(NotFound(request->run_id()));
    return ToGrpcStatus(house_.GetStateLocked(*request, *response));
  }

  grpc::Status WatchTraining(grpc::ServerContext* context, const v1::WatchTrainingRequest* request,
                             grpc::ServerWriter<v1::WatchTrainingResponse>* writer) override {
    v1::WatchTrainingResponse message;
    uint64_t position = 0;
    if (const absl::Status status = BeginWatch(*request, message, position); !status.ok()) return ToGrpcStatus(status);
    while (!context->IsCancelled() && !house_.stopping()) {
      // Writing may block, so the lock is not held over it.
      const bool ended = Collect(*request, message, position);
      if (message.ByteSizeLong() > 0 && !writer->Write(message)) break;
      if (ended) return grpc::Status::OK;
      message.Clear();
    }
    return {grpc::StatusCode::UNAVAILABLE, "the fake is stopping"};
  }

  grpc::Status SetEta(grpc::ServerContext*, const v1::SetEtaRequest* request, v1::SetEtaResponse* response) override {
    v1::Change change;
    change.mutable_knob()->set_name("eta");
    change.mutable_knob()->set_value(request->eta());
    change.mutable_knob()->set_follow_schedule(request->follow_schedule());
    return Change(request->run_id(), change, request->options(), response->mutable_receipt());
  }

  grpc::Status SetKnob(grpc::ServerContext*, const v1::SetKnobRequest* request,
                       v1::SetKnobResponse* response) override {
    v1::Change change;
    change.mutable_knob()->set_name(request->name());
    change.mutable_knob()->set_value(request->value());
    return Change(request->run_id(), change, request->options(), response->mutable_receipt());
  }

  grpc::Status BatchTo(grpc::ServerContext*, const v1::BatchToRequest* request,
                       v1::BatchToResponse* response) override {
    v1::Change change;
    *change.mutable_target() = request->target();
    return Change(request->run_id(), change, request->options(), response->mutable_receipt());
  }

  grpc::Status Stop(grpc::ServerContext*, const v1::StopRequest* request, v1::StopResponse* response) override {
    v1::Change change;
    change.mutable_stop();
    const grpc::Status status = Change(request->run_id(), change, request->options(), response->mutable_receipt());
    MutexLock lock(house_.mutex_);
    if (!status.ok()) return status;
    const v1::Run& run = house_.Get(request->run_id()).run;
    response->set_final_batch(run.batch());
    response->set_final_loss(run.loss());
    return status;
  }

  grpc::Status AttachPlugin(grpc::ServerContext*, const v1::AttachPluginRequest* request,
                            v1::AttachPluginResponse* response) override {
    v1::Change change;
    *change.mutable_attach_plugin()->mutable_plugin() = request->plugin();
    return Change(request->run_id(), change, request->options(), response->mutable_receipt());
  }

  grpc::Status DetachPlugin(grpc::ServerContext*, const v1::DetachPluginRequest* request,
                            v1::DetachPluginResponse* response) override {
    v1::Change change;
    change.mutable_detach_plugin()->set_name(request->name());
    return Change(request->run_id(), change, request->options(), response->mutable_receipt());
  }

  grpc::Status ReschedulePlugin(grpc::ServerContext*, const v1::ReschedulePluginRequest* request,
                                v1::ReschedulePluginResponse* response) override {
    v1::Change change;
    change.mutable_reschedule_plugin()->set_name(request->name());
    change.mutable_reschedule_plugin()->set_schedule(request->schedule());
    change.mutable_reschedule_plugin()->set_timeline(request->timeline());
    return Change(request->run_id(), change, request->options(), response->mutable_receipt());
  }

  grpc::Status SaveCheckpoint(grpc::ServerContext*, const v1::SaveCheckpointRequest* request,
                              v1::SaveCheckpointResponse* response) override {
    v1::Change change;
    change.mutable_checkpoint()->set_pin(request->pin());
    const grpc::Status status = Change(request->run_id(), change, request->options(), response->mutable_receipt());
    MutexLock lock(house_.mutex_);
    if (status.ok()) *response->mutable_checkpoint() = house_.Get(request->run_id()).checkpoints.front();
    return status;
  }

  grpc::Status ListCheckpoints(grpc::ServerContext*, const v1::ListCheckpointsRequest* request,
                               v1::ListCheckpointsResponse* response) override {
    MutexLock lock(house_.mutex_);
    if (!house_.runs_.contains(request->run_id())) return ToGrpcStatus(NotFound(request->run_id()));
    const std::vector<v1::Checkpoint>& checkpoints = house_.Get(request->run_id()).checkpoints;
    response->mutable_checkpoints()->Assign(checkpoints.begin(), checkpoints.end());
    return grpc::Status::OK;
  }

  grpc::Status Rewind(grpc::ServerContext*, const v1::RewindRequest* request, v1::RewindResponse* response) override {
    v1::Change change;
    change.mutable_rewind()->set_batch(request->batch());
    change.mutable_rewind()->set_branch(request->branch());
    return Change(request->run_id(), change, request->options(), response->mutable_receipt());
  }

  grpc::Status Fork(grpc::ServerContext*, const v1::ForkRequest* request, v1::ForkResponse* response) override {
    MutexLock lock(house_.mutex_);
    if (!house_.runs_.contains(request->run_id())) return ToGrpcStatus(NotFound(request->run_id()));
    const absl::Status status = house_.ForkLocked(*request, *response);
    if (status.ok() && house_.LosesAnswer()) return BrokenConnection();
    return ToGrpcStatus(status);
  }

  grpc::Status ReadHistory(grpc::ServerContext*, const v1::ReadHistoryRequest* request,
                           v1::ReadHistoryResponse* response) override {
    MutexLock lock(house_.mutex_);
    if (!house_.runs_.contains(request->run_id())) return ToGrpcStatus(NotFound(request->run_id()));
    return ToGrpcStatus(house_.ReadLocked(*request, *response));
  }

  grpc::Status ListPlugins(grpc::ServerContext*, const v1::ListPluginsRequest* request,
                           v1::ListPluginsResponse* response) override {
    MutexLock lock(house_.mutex_);
    if (!house_.runs_.contains(request->run_id())) return ToGrpcStatus(NotFound(request->run_id()));
    const v1::Run& run = house_.Get(request->run_id()).run;
    *response->mutable_plugins() = run.plugins();
    response->set_batch(run.batch());
    return grpc::Status::OK;
  }

  grpc::Status ListPluginKinds(grpc::ServerContext*, const v1::ListPluginKindsRequest*,
                               v1::ListPluginKindsResponse* response) override {
    *response = FakePluginKinds();
    return grpc::Status::OK;
  }

  grpc::Status UploadDataset(grpc::ServerContext*, grpc::ServerReader<v1::UploadDatasetRequest>* reader,
                             v1::UploadDatasetResponse* response) override {
    v1::UploadDatasetRequest request;
    if (!reader->Read(&request) || !request.has_header()) return {grpc::StatusCode::INVALID_ARGUMENT, "no header"};
    const int64_t announced = request.header().total_bytes();
    const v1::DatasetFormat format = request.header().format();
    std::map<v1::DatasetPart, std::string> parts;
    int64_t total = 0;
    size_t largest = 0;
    while (reader->Read(&request)) {
      const std::string& data = request.chunk().data();
      largest = std::max(largest, data.size());
      parts[request.chunk().part()] += data;
      total += static_cast<int64_t>(data.size());
    }
    if (total != announced) return {grpc::StatusCode::INVALID_ARGUMENT, "total_bytes is wrong"};
    MutexLock lock(house_.mutex_);
    house_.uploaded_ = parts;
    house_.upload_format_ = format;
    house_.largest_chunk_ = std::max(house_.largest_chunk_, largest);
    response->set_dataset_id("dataset-1");
    response->set_total_bytes(total);
    return grpc::Status::OK;
  }

  grpc::Status Predict(grpc::ServerContext*, const v1::PredictRequest* request,
                       v1::PredictResponse* response) override {
    MutexLock lock(house_.mutex_);
    if (!house_.runs_.contains(request->run_id())) return ToGrpcStatus(NotFound(request->run_id()));
    return ToGrpcStatus(house_.PredictLocked(*request, *response));
  }

  grpc::Status Evaluate(grpc::ServerContext*, const v1::EvaluateRequest* request,
                        v1::EvaluateResponse* response) override {
    MutexLock lock(house_.mutex_);
    // As gRPC answers for a method that it has no handler for.
    if (house_.older_) return {grpc::StatusCode::UNIMPLEMENTED, ""};
    if (!house_.runs_.contains(request->run_id())) return ToGrpcStatus(NotFound(request->run_id()));
    return ToGrpcStatus(house_.EvaluateLocked(*request, *response));
  }

 private:
  absl::Status BeginWatch(const v1::WatchTrainingRequest& request, v1::WatchTrainingResponse& message,
                          uint64_t& position) {
    MutexLock lock(house_.mutex_);
    house_.watches_.push_back(request);
    if (!house_.runs_.contains(request.run_id())) return NotFound(request.run_id());
    const FakeHouse::FakeRun& run = house_.Get(request.run_id());
    position = request.has_after_sequence() ? request.after_sequence() : run.events.size();
    *message.mutable_snapshot() = run.run;
    message.mutable_snapshot()->clear_plugins();
    return absl::OkStatus();
  }

  // Adds what is new, or a heartbeat where that takes too long. True: the run has ended, and this was all.
  bool Collect(const v1::WatchTrainingRequest& request, v1::WatchTrainingResponse& message, uint64_t& position) {
    const auto now = std::chrono::steady_clock::now();
    const auto patience = std::chrono::milliseconds(TimeUtil::DurationToMilliseconds(request.max_interval()));
    MutexLock lock(house_.mutex_);
    const FakeHouse::FakeRun& run = house_.Get(request.run_id());
    while (true) {
      for (; position < run.events.size(); ++position) {
        if (IsOneOf(request.kinds(), run.events[position])) *message.add_events() = run.events[position];
      }
      for (const v1::Gap& gap : house_.gaps_) *message.add_gaps() = gap;
      house_.gaps_.clear();
      if (message.ByteSizeLong() > 0 || HasEnded(run.run)) return HasEnded(run.run);
      if (house_.stopping_) return false;
      if (!house_.changed_.WaitUntil(house_.mutex_, now + patience)) break;
    }
    SetHeartbeat(run.run, message);
    return false;
  }

  static void SetHeartbeat(const v1::Run& run, v1::WatchTrainingResponse& message) {
    message.mutable_heartbeat()->set_status(run.status());
    message.mutable_heartbeat()->set_batch(run.batch());
    message.mutable_heartbeat()->set_loss(run.loss());
    *message.mutable_heartbeat()->mutable_training_thread_seen_time() = run.create_time();
    *message.mutable_heartbeat()->mutable_time() = run.create_time();
  }

  grpc::Status Change(const std::string& run_id, const v1::Change& change, const v1::ControlOptions& options,
                      v1::Receipt* receipt) {
    MutexLock lock(house_.mutex_);
    house_.asked_.push_back(options);
    if (!house_.runs_.contains(run_id)) return ToGrpcStatus(NotFound(run_id));
    FakeHouse::FakeRun& run = house_.Get(run_id);
    if (!run.receipts.contains(options.request_id())) {
      if (const absl::Status status = CheckChange(run.run, change); !status.ok()) return ToGrpcStatus(status);
      run.receipts[options.request_id()] = Apply(run, change, options);
    }
    if (house_.LosesAnswer()) return BrokenConnection();
    *receipt = run.receipts[options.request_id()];
    return grpc::Status::OK;
  }

  v1::Receipt Apply(FakeHouse::FakeRun& run, const v1::Change& change, const v1::ControlOptions& options)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(house_.mutex_) {
    ++house_.changes_;
    v1::Event event;
    v1::ControlReport& report = *event.mutable_control();
    *report.mutable_change() = change;
    report.set_request_id(options.request_id());
    report.set_origin(options.origin());
    report.set_note(options.note());
    ApplyChange(change, run.run, report);
    event.set_batch(run.run.batch());
    house_.Append(run, event);
    v1::Receipt receipt;
    receipt.set_control_id(run.events.back().sequence());
    receipt.set_request_id(options.request_id());
    receipt.set_applied_batch(run.run.batch());
    receipt.set_value(report.value());
    receipt.set_plugin(report.plugin());
    receipt.set_branch(report.branch());
    *receipt.mutable_applied_time() = run.events.back().time();
    if (change.has_stop()) {
      v1::Event stopped;
      stopped.mutable_status()->set_status(v1::RUN_STATUS_STOPPED);
      house_.Append(run, stopped);
    }
    if (change.has_checkpoint()) house_.SaveLocked(run, change.checkpoint().pin());
    if (change.has_rewind()) house_.GoBackLocked(run, change.rewind().batch());
    return receipt;
  }

  FakeHouse& house_;
};

FakeServer::FakeServer(FakeHouse& house, const std::string& address) : house_(house), service_(new FakeService(house)) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("the fake service cannot listen at " + address);
}

FakeServer::~FakeServer() {
  house_.SetStopping(true);
  server_->Shutdown(std::chrono::system_clock::now());
  house_.SetStopping(false);
}

}  // namespace pilothouse::client
