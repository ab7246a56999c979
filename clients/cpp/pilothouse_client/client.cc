#include "clients/cpp/pilothouse_client/client.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cpp/pilothouse_client/channel.h"
#include "clients/cpp/pilothouse_client/identity.h"
#include "clients/cpp/pilothouse_client/older_service.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/limits.h"

namespace pilothouse::client {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

// Whether asking again soon may get another answer.
bool IsPassing(const absl::Status& status) {
  // Cancelled, but not by this client: the service was leaving when the call came in.
  if (!absl::IsUnavailable(status) && !absl::IsCancelled(status)) return false;
  const v1::ErrorReason reason = ReasonOf(status);
  return reason == v1::ERROR_REASON_UNSPECIFIED || reason == v1::ERROR_REASON_TRAINER_UNAVAILABLE ||
         reason == v1::ERROR_REASON_SERVICE_STOPPING;
}

// Gives the transport's own errors a reason or a sentence.
absl::Status Explain(const absl::Status& status, const std::string& address, absl::Duration timeout) {
  if (status.ok() || ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED) return status;
  if (absl::IsResourceExhausted(status)) {
    return MakeError(v1::ERROR_REASON_REQUEST_TOO_LARGE, "",
                     absl::StrCat("the message is larger than the ", kMaxMessageBytes,
                                  " bytes that the service takes (", std::string(status.message()), ")."),
                     {{"limit_bytes", absl::StrCat(kMaxMessageBytes)}});
  }
  if (absl::IsUnimplemented(status)) return UnknownCall(address);
  if (absl::IsUnavailable(status) || absl::IsCancelled(status)) {
    return absl::UnavailableError(
        absl::StrCat("no service answers at ", address, " (", std::string(status.message()), ")."));
  }
  if (absl::IsDeadlineExceeded(status)) {
    return absl::DeadlineExceededError(
        absl::StrCat("no answer from ", address, " within ", absl::FormatDuration(timeout), "."));
  }
  return status;
}

// Of a request that changes something: says what nobody knows where no answer came. A connection may break, and a
// service die, after the request has arrived.
absl::Status TellOpenEnd(const absl::Status& status, const std::string& what) {
  if (!IsUnreachable(status)) return status;
  return absl::Status(status.code(), absl::StrCat(std::string(status.message()), " ", what));
}

std::string RunMayBeThere(const std::string& request_id) {
  return absl::StrCat("The run may have been made all the same: the list of runs (pilot runs) tells, and asking again ",
                      "with the request id ", request_id, " makes no second one.");
}

template <typename Response>
absl::StatusOr<v1::Receipt> ReceiptOf(const absl::StatusOr<Response>& response) {
  if (!response.ok()) return response.status();
  return response->receipt();
}

}  // namespace

bool IsUnreachable(const absl::Status& status) {
  return (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) &&
         ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED;
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const std::string& address, ClientOptions options) {
  const std::string complete = CompleteAddress(address);
  if (complete.empty()) return absl::InvalidArgumentError("the address of the service is empty.");
  if (options.origin.empty()) options.origin = DefaultOrigin("cpp");
  std::shared_ptr<grpc::Channel> channel = NewCallChannel(complete);
  const absl::Status connected = AwaitConnection(*channel, complete, options.connect_timeout);
  if (!connected.ok()) return connected;
  return std::unique_ptr<Client>(new Client(complete, std::move(options), std::move(channel)));
}

Client::Client(std::string address, ClientOptions options, std::shared_ptr<grpc::Channel> channel)
    : address_(std::move(address)),
      options_(std::move(options)),
      channel_(std::move(channel)),
      stub_(v1::TrainingControl::NewStub(channel_)) {}

absl::Status Client::Call(absl::Duration timeout, const Attempt& attempt) const {
  const absl::Time begin = absl::Now();
  const absl::Time deadline = begin + timeout;
  const absl::Time last_retry = std::min(deadline, begin + options_.retry_for);
  absl::Duration pause = kFirstPause;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    const absl::Status status = FromGrpcStatus(attempt(context));
    if (!IsPassing(status) || absl::Now() + pause > last_retry) return Explain(status, address_, timeout);
    std::this_thread::sleep_for(absl::ToChronoNanoseconds(pause));
    pause = std::min(2 * pause, kLongestPause);
  }
}

template <typename Request, typename Response>
absl::StatusOr<Response> Client::Ask(absl::Duration timeout, Method<Request, Response> method,
                                     const Request& request) const {
  Response response;
  const absl::Status status =
      Call(timeout, [&](grpc::ClientContext& context) { return (stub_.get()->*method)(&context, request, &response); });
  if (!status.ok()) return status;
  return response;
}

template <typename Request, typename Response>
absl::StatusOr<Response> Client::AskForChange(absl::Duration timeout, const ChangeOptions& given,
                                              Method<Request, Response> method, Request& request) const {
  v1::ControlOptions& options = *request.mutable_options();
  options.set_request_id(given.request_id.empty() ? NewRequestId() : given.request_id);
  options.set_origin(options_.origin);
  options.set_note(given.note);
  if (given.at_batch.has_value()) options.set_at_batch(*given.at_batch);
  absl::StatusOr<Response> response =
      Ask(given.at_batch.has_value() ? options_.at_batch_timeout : timeout, method, request);
  if (response.ok()) return response;
  return TellOpenEnd(response.status(),
                     absl::StrCat("The change may have been made, or may still be; asking again with the request id ",
                                  options.request_id(), " tells, and makes it only once."));
}

absl::StatusOr<v1::Run> Client::StartRun(v1::StartRunRequest request) const {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  absl::StatusOr<v1::StartRunResponse> response = Ask(options_.data_timeout, &Stub::StartRun, request);
  if (!response.ok()) return TellOpenEnd(response.status(), RunMayBeThere(request.request_id()));
  if (const absl::Status kept = CheckPartsKept(request.spec().data(), response->run()); !kept.ok()) return kept;
  return std::move(*response->mutable_run());
}

absl::StatusOr<v1::ListRunsResponse> Client::ListRuns(int32_t page_size, const std::string& page_token) const {
  v1::ListRunsRequest request;
  request.set_page_size(page_size);
  request.set_page_token(page_token);
  return Ask(options_.timeout, &Stub::ListRuns, request);
}

absl::StatusOr<v1::GetStateResponse> Client::GetState(const std::string& run_id, bool include_state_vector,
                                                      const v1::ModelChoice& model) const {
  v1::GetStateRequest request;
  request.set_run_id(run_id);
  request.set_include_state_vector(include_state_vector);
  if (model.ByteSizeLong() > 0) *request.mutable_model() = model;
  absl::StatusOr<v1::GetStateResponse> response = Ask(options_.timeout, &Stub::GetState, request);
  if (!response.ok()) return response;
  if (const absl::Status used = CheckModelUsed(model, response->has_model()); !used.ok()) return used;
  return response;
}

absl::StatusOr<v1::PredictResponse> Client::Predict(const std::string& run_id, const v1::Tensor& inputs,
                                                    const v1::ModelChoice& model) const {
  v1::PredictRequest request;
  request.set_run_id(run_id);
  *request.mutable_inputs() = inputs;
  if (model.ByteSizeLong() > 0) *request.mutable_model() = model;
  absl::StatusOr<v1::PredictResponse> response = Ask(options_.timeout, &Stub::Predict, request);
  if (!response.ok()) return response;
  if (const absl::Status used = CheckModelUsed(model, response->has_model()); !used.ok()) return used;
  return response;
}

absl::StatusOr<v1::EvaluateResponse> Client::Evaluate(const std::string& run_id, v1::DataPart part,
                                                      const v1::ModelChoice& model) const {
  v1::EvaluateRequest request;
  request.set_run_id(run_id);
  request.set_part(part);
  if (model.ByteSizeLong() > 0) *request.mutable_model() = model;
  return Ask(options_.data_timeout, &Stub::Evaluate, request);
}

absl::StatusOr<v1::Receipt> Client::SetEta(const std::string& run_id, double eta, const ChangeOptions& options) const {
  v1::SetEtaRequest request;
  request.set_run_id(run_id);
  request.set_eta(eta);
  return ReceiptOf(AskForChange(options, &Stub::SetEta, request));
}

absl::StatusOr<v1::Receipt> Client::FollowEtaSchedule(const std::string& run_id, const ChangeOptions& options) const {
  v1::SetEtaRequest request;
  request.set_run_id(run_id);
  request.set_follow_schedule(true);
  return ReceiptOf(AskForChange(options, &Stub::SetEta, request));
}

absl::StatusOr<v1::Receipt> Client::SetKnob(const std::string& run_id, const std::string& name, double value,
                                            const ChangeOptions& options) const {
  v1::SetKnobRequest request;
  request.set_run_id(run_id);
  request.set_name(name);
  request.set_value(value);
  return ReceiptOf(AskForChange(options, &Stub::SetKnob, request));
}

absl::StatusOr<v1::Receipt> Client::BatchTo(const std::string& run_id, const v1::TargetChange& target,
                                            const ChangeOptions& options) const {
  v1::BatchToRequest request;
  request.set_run_id(run_id);
  *request.mutable_target() = target;
  return ReceiptOf(AskForChange(options, &Stub::BatchTo, request));
}

absl::StatusOr<v1::StopResponse> Client::Stop(const std::string& run_id, const ChangeOptions& options) const {
  v1::StopRequest request;
  request.set_run_id(run_id);
  return AskForChange(options, &Stub::Stop, request);
}

absl::StatusOr<v1::Receipt> Client::AttachPlugin(const std::string& run_id, const v1::PluginSpec& plugin,
                                                 const ChangeOptions& options) const {
  v1::AttachPluginRequest request;
  request.set_run_id(run_id);
  *request.mutable_plugin() = plugin;
  return ReceiptOf(AskForChange(options, &Stub::AttachPlugin, request));
}

absl::StatusOr<v1::Receipt> Client::DetachPlugin(const std::string& run_id, const std::string& name,
                                                 const ChangeOptions& options) const {
  v1::DetachPluginRequest request;
  request.set_run_id(run_id);
  request.set_name(name);
  return ReceiptOf(AskForChange(options, &Stub::DetachPlugin, request));
}

absl::StatusOr<v1::Receipt> Client::ReschedulePlugin(const std::string& run_id, const std::string& name,
                                                     const std::string& schedule, v1::Timeline timeline,
                                                     const ChangeOptions& options) const {
  v1::ReschedulePluginRequest request;
  request.set_run_id(run_id);
  request.set_name(name);
  request.set_schedule(schedule);
  request.set_timeline(timeline);
  return ReceiptOf(AskForChange(options, &Stub::ReschedulePlugin, request));
}

absl::StatusOr<v1::ListPluginsResponse> Client::ListPlugins(const std::string& run_id) const {
  v1::ListPluginsRequest request;
  request.set_run_id(run_id);
  return Ask(options_.timeout, &Stub::ListPlugins, request);
}

absl::StatusOr<v1::ListPluginKindsResponse> Client::ListPluginKinds() const {
  return Ask(options_.timeout, &Stub::ListPluginKinds, v1::ListPluginKindsRequest());
}

absl::StatusOr<v1::SaveCheckpointResponse> Client::SaveCheckpoint(const std::string& run_id, bool pin,
                                                                  const ChangeOptions& options) const {
  v1::SaveCheckpointRequest request;
  request.set_run_id(run_id);
  request.set_pin(pin);
  // A large network takes a while to write.
  return AskForChange(options_.data_timeout, options, &Stub::SaveCheckpoint, request);
}

absl::StatusOr<v1::ListCheckpointsResponse> Client::ListCheckpoints(const std::string& run_id) const {
  v1::ListCheckpointsRequest request;
  request.set_run_id(run_id);
  return Ask(options_.timeout, &Stub::ListCheckpoints, request);
}

absl::StatusOr<v1::Receipt> Client::Rewind(const std::string& run_id, int64_t batch, const std::string& branch,
                                           const ChangeOptions& options) const {
  v1::RewindRequest request;
  request.set_run_id(run_id);
  request.set_batch(batch);
  request.set_branch(branch);
  return ReceiptOf(AskForChange(options_.at_batch_timeout, options, &Stub::Rewind, request));
}

absl::StatusOr<v1::Run> Client::Fork(v1::ForkRequest request) const {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  absl::StatusOr<v1::ForkResponse> response = Ask(options_.at_batch_timeout, &Stub::Fork, request);
  if (!response.ok()) return TellOpenEnd(response.status(), RunMayBeThere(request.request_id()));
  return std::move(*response->mutable_run());
}

absl::StatusOr<v1::ReadHistoryResponse> Client::ReadHistory(const v1::ReadHistoryRequest& request) const {
  return Ask(options_.timeout, &Stub::ReadHistory, request);
}

absl::StatusOr<v1::UploadDatasetResponse> Client::Send(const absl::StatusOr<Upload>& upload,
                                                       const UploadProgress& progress) const {
  if (!upload.ok()) return upload.status();
  v1::UploadDatasetResponse response;
  // Datasets are named by their content, so sending one twice is harmless.
  const absl::Status status = Call(options_.data_timeout, [&](grpc::ClientContext& context) {
    return upload->Send(*stub_, context, progress, &response);
  });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::UploadDatasetResponse> Client::UploadFile(const std::string& path,
                                                             const UploadProgress& progress) const {
  return Send(Upload::OfFile(path), progress);
}

absl::StatusOr<v1::UploadDatasetResponse> Client::UploadNpyFiles(const std::string& inputs, const std::string& targets,
                                                                 const std::string& weights,
                                                                 const UploadProgress& progress) const {
  return Send(Upload::OfNpyFiles(inputs, targets, weights), progress);
}

absl::StatusOr<v1::UploadDatasetResponse> Client::UploadArrays(const v1::Tensor& inputs, const v1::Tensor& targets,
                                                               const v1::Tensor* weights) const {
  return Send(Upload::OfArrays(inputs, targets, weights), {});
}

std::unique_ptr<Watch> Client::WatchTraining(const std::string& run_id, const WatchOptions& options) const {
  return std::make_unique<Watch>(address_, run_id, options);
}

}  // namespace pilothouse::client
