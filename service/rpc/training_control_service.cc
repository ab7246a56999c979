#include "service/rpc/training_control_service.h"

#include <google/protobuf/util/time_util.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "service/rpc/list_runs.h"
#include "service/rpc/reply.h"
#include "service/rpc/upload_reactor.h"
#include "service/rpc/validate.h"
#include "service/runs/run_summary.h"
#include "service/watch/watch_reactor.h"

namespace pilothouse::service {
namespace {

using google::protobuf::util::TimeUtil;

absl::Status Busy() {
  return MakeError(v1::ERROR_REASON_SERVICE_BUSY, "", "The service has too much to do just now; try again shortly.");
}

// Every control: validate, ask the run, answer with the receipt.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* AnswerControl(RunRegistry& runs, const Request& request, Response* response,
                                        Response (*to_response)(const ControlOutcome&)) {
  auto [reactor, reply] = Reply<Response>::Make(response);
  absl::StatusOr<v1::Control> control = ToControl(request);
  if (!control.ok()) {
    reply->Send(control.status());
    return reactor;
  }
  runs.Control(request.run_id(), *std::move(control),
               [reply = reply, to_response](const absl::StatusOr<ControlOutcome>& outcome) {
                 if (outcome.ok()) {
                   reply->Send(to_response(*outcome));
                 } else {
                   reply->Send(outcome.status());
                 }
               });
  return reactor;
}

template <typename Response>
Response WithReceipt(const ControlOutcome& outcome) {
  Response response;
  *response.mutable_receipt() = outcome.receipt;
  return response;
}

v1::StopResponse StopOutcome(const ControlOutcome& outcome) {
  v1::StopResponse response = WithReceipt<v1::StopResponse>(outcome);
  response.set_final_batch(outcome.final_batch);
  response.set_final_loss(outcome.final_loss);
  return response;
}

v1::GetStateResponse StateOf(v1::Run run, v1::StateAnswer& answer) {
  v1::GetStateResponse response;
  ApplyAnswer(answer, run);
  if (!IsTerminal(run.status())) *run.mutable_training_thread_seen_time() = TimeUtil::GetCurrentTime();
  *response.mutable_run() = std::move(run);
  if (answer.has_state()) response.mutable_state()->Swap(answer.mutable_state());
  return response;
}

}  // namespace

grpc::ServerUnaryReactor* TrainingControlService::StartRun(grpc::CallbackServerContext*,
                                                           const v1::StartRunRequest* request,
                                                           v1::StartRunResponse* response) {
  auto [reactor, reply] = Reply<v1::StartRunResponse>::Make(response);
  if (absl::Status valid = CheckStartRun(*request); !valid.ok()) {
    reply->Send(valid);
    return reactor;
  }
  const ByteBudget::Ticket ticket = budget_.Take(static_cast<int64_t>(request->ByteSizeLong()));
  if (ticket == nullptr) {
    reply->Send(Busy());
    return reactor;
  }
  const bool queued = pool_.Submit([this, request = *request, reply = reply, ticket] {
    runs_.Start(request, [reply, ticket](absl::StatusOr<v1::Run> run) {
      if (!run.ok()) return reply->Send(run.status());
      v1::StartRunResponse started;
      *started.mutable_run() = *std::move(run);
      reply->Send(std::move(started));
    });
  });
  if (!queued) reply->Send(Busy());
  return reactor;
}

grpc::ServerUnaryReactor* TrainingControlService::ListRuns(grpc::CallbackServerContext*,
                                                           const v1::ListRunsRequest* request,
                                                           v1::ListRunsResponse* response) {
  auto [reactor, reply] = Reply<v1::ListRunsResponse>::Make(response);
  reply->Send(PageOfRuns(runs_.List(), *request));
  return reactor;
}

grpc::ServerUnaryReactor* TrainingControlService::GetState(grpc::CallbackServerContext*,
                                                           const v1::GetStateRequest* request,
                                                           v1::GetStateResponse* response) {
  auto [reactor, reply] = Reply<v1::GetStateResponse>::Make(response);
  absl::StatusOr<std::shared_ptr<Run>> run = runs_.Find(request->run_id());
  if (!run.ok()) {
    reply->Send(run.status());
    return reactor;
  }
  const bool with_vector = request->include_state_vector();
  const auto answer_from_journal = [run = *run, reply = reply] {
    v1::GetStateResponse state;
    *state.mutable_run() = run->Now();
    reply->Send(std::move(state));
  };
  if (!with_vector && !(*run)->alive()) {
    answer_from_journal();
    return reactor;
  }
  auto query = std::make_shared<v1::Query>();
  query->mutable_state()->set_include_state_vector(with_vector);
  runs_.Query(request->run_id(), query,
              [run = *run, reply = reply, with_vector, answer_from_journal](absl::StatusOr<v1::Answer> answer) {
                if (answer.ok()) return reply->Send(StateOf(run->Now(), *answer->mutable_state()));
                // A run that is STARTING or LOST, or has just ended, still has a state that can be told.
                const v1::ErrorReason reason = ReasonOf(answer.status());
                const bool known =
                    reason == v1::ERROR_REASON_TRAINER_UNAVAILABLE || reason == v1::ERROR_REASON_RUN_ENDED;
                if (known && !with_vector) return answer_from_journal();
                reply->Send(answer.status());
              });
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchTrainingResponse>* TrainingControlService::WatchTraining(
    grpc::CallbackServerContext*, const v1::WatchTrainingRequest* request) {
  absl::StatusOr<std::shared_ptr<Run>> run = runs_.Find(request->run_id());
  if (!run.ok()) return RefuseWatch(run.status());
  return StartWatch(*request, (*run)->hub(), (*run)->place().journal_path(), watches_, history_pool_);
}

grpc::ServerUnaryReactor* TrainingControlService::SetEta(grpc::CallbackServerContext*, const v1::SetEtaRequest* request,
                                                         v1::SetEtaResponse* response) {
  return AnswerControl(runs_, *request, response, &WithReceipt<v1::SetEtaResponse>);
}

grpc::ServerUnaryReactor* TrainingControlService::SetKnob(grpc::CallbackServerContext*,
                                                          const v1::SetKnobRequest* request,
                                                          v1::SetKnobResponse* response) {
  return AnswerControl(runs_, *request, response, &WithReceipt<v1::SetKnobResponse>);
}

grpc::ServerUnaryReactor* TrainingControlService::BatchTo(grpc::CallbackServerContext*,
                                                          const v1::BatchToRequest* request,
                                                          v1::BatchToResponse* response) {
  return AnswerControl(runs_, *request, response, &WithReceipt<v1::BatchToResponse>);
}

grpc::ServerUnaryReactor* TrainingControlService::Stop(grpc::CallbackServerContext*, const v1::StopRequest* request,
                                                       v1::StopResponse* response) {
  return AnswerControl(runs_, *request, response, &StopOutcome);
}

grpc::ServerReadReactor<v1::UploadDatasetRequest>* TrainingControlService::UploadDataset(
    grpc::CallbackServerContext* context, v1::UploadDatasetResponse* response) {
  return StartUpload(*context, datasets_, pool_, uploads_, response);
}

grpc::ServerUnaryReactor* TrainingControlService::Predict(grpc::CallbackServerContext*,
                                                          const v1::PredictRequest* request,
                                                          v1::PredictResponse* response) {
  auto [reactor, reply] = Reply<v1::PredictResponse>::Make(response);
  if (absl::Status valid = CheckPredict(*request); !valid.ok()) {
    reply->Send(valid);
    return reactor;
  }
  const ByteBudget::Ticket ticket = budget_.Take(static_cast<int64_t>(request->ByteSizeLong()));
  if (ticket == nullptr) {
    reply->Send(Busy());
    return reactor;
  }
  auto query = std::make_shared<v1::Query>();
  *query->mutable_predict()->mutable_inputs() = request->inputs();
  runs_.Query(request->run_id(), std::move(query), [reply = reply, ticket](absl::StatusOr<v1::Answer> answer) {
    if (!answer.ok()) return reply->Send(answer.status());
    v1::PredictResponse prediction;
    prediction.mutable_outputs()->Swap(answer->mutable_predict()->mutable_outputs());
    prediction.set_batch(answer->predict().batch());
    reply->Send(std::move(prediction));
  });
  return reactor;
}

}  // namespace pilothouse::service
