// Starts, watches and steers runs of a Pilothouse service.
//
//   auto client = Client::Connect("localhost:50051", {});
//   if (!client.ok()) return client.status();
//   absl::StatusOr<v1::Receipt> receipt = (*client)->SetEta("digits", 0.01, {});
//
// Every call has a finite deadline. A call that fails because the connection broke, the service is restarting or the
// run's trainer is away is repeated for ClientOptions::retry_for; a change is repeated under the same request id, so
// that it is never made twice.
//
// Errors keep their reason (ReasonOf in proto/support/error.h). Without a reason are: UNAVAILABLE (nothing answers) and
// DEADLINE_EXCEEDED (no answer in time), both of which IsUnreachable recognises, UNIMPLEMENTED (the service is older
// than this client and lacks what was asked for), and what is wrong with local files.
//
// Thread-safe: all methods may be called from any number of threads. A Watch may outlive the client it came from.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_CLIENT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_CLIENT_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/pilothouse_client/upload.h"
#include "clients/cpp/pilothouse_client/watch.h"
#include "pilothouse/v1/model.pb.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

struct ClientOptions {
  // How long Connect tries.
  absl::Duration connect_timeout = absl::Seconds(5);
  // How long a call may take altogether, repetitions included.
  absl::Duration timeout = absl::Seconds(30);
  // The same for StartRun, uploads and Evaluate, which wait for data.
  absl::Duration data_timeout = absl::Minutes(10);
  // The same for a change with at_batch, which is answered when that batch has been reached, and for Rewind and Fork,
  // which train from the checkpoint before a batch to the batch.
  absl::Duration at_batch_timeout = absl::Hours(24);
  // How long a call is repeated while the service or the trainer is away.
  absl::Duration retry_for = absl::Seconds(5);
  // Who asks, for the journal. Empty: "user@host/cpp".
  std::string origin = {};
};

// What may go with a change.
struct ChangeOptions {
  // Empty: a new one. Asking again with the same id gives the same receipt, not a second change.
  std::string request_id = {};
  // The batch at which to take effect. Unset: at the next boundary.
  std::optional<int64_t> at_batch = std::nullopt;
  // Why, for the journal.
  std::string note = {};
};

// No answer: the service is away or slow. Errors with a reason are answers.
bool IsUnreachable(const absl::Status& status);

class Client {
 public:
  // `address`: "host:port", "host" or "unix:/path". UNAVAILABLE if nothing answers there.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& address, ClientOptions options);

  // Fills in a request id if there is none. Without an answer (IsUnreachable) the run may have been made all the same;
  // the same id and request give the same run. UNIMPLEMENTED if an older service has started the run, but without the
  // validation_size or test_size that was asked for; the error names the run.
  absl::StatusOr<v1::Run> StartRun(v1::StartRunRequest request) const;
  // Newest first. `page_token`: empty, or next_page_token of the page before.
  absl::StatusOr<v1::ListRunsResponse> ListRuns(int32_t page_size, const std::string& page_token) const;
  // `model`: as in GetStateRequest. UNIMPLEMENTED if others than the last were asked for and an older service, which
  // knows no others, has answered; so also of Predict.
  absl::StatusOr<v1::GetStateResponse> GetState(const std::string& run_id, bool include_state_vector,
                                                const v1::ModelChoice& model = {}) const;
  absl::StatusOr<v1::PredictResponse> Predict(const std::string& run_id, const v1::Tensor& inputs,
                                              const v1::ModelChoice& model = {}) const;
  absl::StatusOr<v1::EvaluateResponse> Evaluate(const std::string& run_id, v1::DataPart part,
                                                const v1::ModelChoice& model = {}) const;

  absl::StatusOr<v1::Receipt> SetEta(const std::string& run_id, double eta, const ChangeOptions& options) const;
  // Eta is what the run's schedule says again.
  absl::StatusOr<v1::Receipt> FollowEtaSchedule(const std::string& run_id, const ChangeOptions& options) const;
  absl::StatusOr<v1::Receipt> SetKnob(const std::string& run_id, const std::string& name, double value,
                                      const ChangeOptions& options) const;
  absl::StatusOr<v1::Receipt> BatchTo(const std::string& run_id, const v1::TargetChange& target,
                                      const ChangeOptions& options) const;
  absl::StatusOr<v1::StopResponse> Stop(const std::string& run_id, const ChangeOptions& options) const;

  // The receipt says what the plugin is named, and how many are attached now.
  absl::StatusOr<v1::Receipt> AttachPlugin(const std::string& run_id, const v1::PluginSpec& plugin,
                                           const ChangeOptions& options) const;
  absl::StatusOr<v1::Receipt> DetachPlugin(const std::string& run_id, const std::string& name,
                                           const ChangeOptions& options) const;
  // TIMELINE_UNSPECIFIED: as the schedule's units say.
  absl::StatusOr<v1::Receipt> ReschedulePlugin(const std::string& run_id, const std::string& name,
                                               const std::string& schedule, v1::Timeline timeline,
                                               const ChangeOptions& options) const;
  // In the order in which they run.
  absl::StatusOr<v1::ListPluginsResponse> ListPlugins(const std::string& run_id) const;
  // The kinds that can be attached, by name.
  absl::StatusOr<v1::ListPluginKindsResponse> ListPluginKinds() const;

  // Answers when the checkpoint has been written.
  absl::StatusOr<v1::SaveCheckpointResponse> SaveCheckpoint(const std::string& run_id, bool pin,
                                                            const ChangeOptions& options) const;
  // Newest first; those of branches after those of the present line.
  absl::StatusOr<v1::ListCheckpointsResponse> ListCheckpoints(const std::string& run_id) const;
  // Answers when the run is there. `branch`: what to call what came after; empty: a name is made up.
  absl::StatusOr<v1::Receipt> Rewind(const std::string& run_id, int64_t batch, const std::string& branch,
                                     const ChangeOptions& options) const;
  // Fills in a request id if there is none. Without an answer (IsUnreachable) the run may have been made all the same;
  // the same id and request give the same run.
  absl::StatusOr<v1::Run> Fork(v1::ForkRequest request) const;
  // One page.
  absl::StatusOr<v1::ReadHistoryResponse> ReadHistory(const v1::ReadHistoryRequest& request) const;

  // A local file: a table as CSV, TSV or NPY, or an NPZ file; which of them, DataFormatOf says.
  absl::StatusOr<v1::UploadDatasetResponse> UploadFile(const std::string& path,
                                                       const UploadProgress& progress = {}) const;
  // Inputs, targets and, if `weights` names a file, weights, from local NPY files.
  absl::StatusOr<v1::UploadDatasetResponse> UploadNpyFiles(const std::string& inputs, const std::string& targets,
                                                           const std::string& weights = "",
                                                           const UploadProgress& progress = {}) const;
  // Inputs of shape [rows, inputs], targets of shape [rows] or [rows, outputs] and, unless null, weights of shape
  // [rows], from memory.
  absl::StatusOr<v1::UploadDatasetResponse> UploadArrays(const v1::Tensor& inputs, const v1::Tensor& targets,
                                                         const v1::Tensor* weights = nullptr) const;

  // Everything that happens in a run; returns at once. What is wrong shows in the watch.
  std::unique_ptr<Watch> WatchTraining(const std::string& run_id, const WatchOptions& options) const;

  const std::string& address() const { return address_; }

 private:
  using Stub = v1::TrainingControl::Stub;
  using Attempt = std::function<grpc::Status(grpc::ClientContext&)>;
  template <typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  Client(std::string address, ClientOptions options, std::shared_ptr<grpc::Channel> channel);

  // Repeats `attempt` until it gets an answer, for at most `timeout`.
  absl::Status Call(absl::Duration timeout, const Attempt& attempt) const;
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(absl::Duration timeout, Method<Request, Response> method, const Request& request) const;
  // Fills in the request's options. `timeout`: where no batch is given to take effect at.
  template <typename Request, typename Response>
  absl::StatusOr<Response> AskForChange(absl::Duration timeout, const ChangeOptions& given,
                                        Method<Request, Response> method, Request& request) const;
  template <typename Request, typename Response>
  absl::StatusOr<Response> AskForChange(const ChangeOptions& given, Method<Request, Response> method,
                                        Request& request) const {
    return AskForChange(options_.timeout, given, method, request);
  }
  absl::StatusOr<v1::UploadDatasetResponse> Send(const absl::StatusOr<Upload>& upload,
                                                 const UploadProgress& progress) const;

  const std::string address_;
  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Stub> stub_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_CLIENT_H_
