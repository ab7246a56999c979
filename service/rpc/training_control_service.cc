#include "service/rpc/training_control_service.h"

#include <google/protobuf/util/time_util.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "service/rpc/answer_control.h"
#include "service/rpc/history_query.h"
#include "service/rpc/list_runs.h"
#include "service/rpc/read_history.h"
#include "service/rpc/reply.h"
#include "service/rpc/upload_reactor.h"
#include "service/rpc/validate.h"
#include "service/runs/chosen_model.h"
#include "service/runs/run_summary.h"
#include "service/watch/watch_reactor.h"

namespace pilothouse::service {
namespace {

using google::protobuf::util::TimeUtil;

v1::StopResponse StopOutcome(const ControlOutcome& outcome) {
  v1::StopResponse response = WithReceipt<v1::StopResponse>(outcome);
  response.set_final_batch(outcome.final_batch);
  response.set_final_loss(outcome.final_loss);
  return response;
}

v1::GetStateResponse StateOf(v1::Run run, v1::StateAnswer& answer) {
  v1::GetStateResponse response;
  *response.mutable_run() = std::move(run);
  if (answer.has_state()) response.mutable_state()->Swap(answer.mutable_state());
  return response;
}

v1::ListPluginsResponse PluginsOf(v1::Run run, v1::StateAnswer&) {
  v1::ListPluginsResponse response;
  response.mutable_plugins()->Swap(run.mutable_plugins());
  response.set_batch(run.batch());
  return response;
}

// The run as it is now: as its trainer says, or, where none can be asked and the state vector is not wanted, as it was
// last heard of. `to_response` is given the run, and the answer as far as it goes beyond the run.
template <typename Response>
grpc::ServerUnaryReactor* AnswerState(RunRegistry& runs, const std::string& run_id, bool with_vector,
                                      Response* response, Response (*to_response)(v1::Run, v1::StateAnswer&)) {
  auto [reactor, reply] = Reply<Response>::Make(response);
  absl::StatusOr<std::shared_ptr<Run>> run = runs.Find(run_id);
  if (!run.ok()) {
    reply->Send(run.status());
    return reactor;
  }
  const auto answer_from_journal = [run = *run, reply = reply, to_response] {
    v1::StateAnswer nothing_more;
    reply->Send(to_response(run->Now(), nothing_more));
  };
  if (!with_vector && !(*run)->alive()) {
    answer_from_journal();
    return reactor;
  }
  auto query = std::make_shared<v1::Query>();
  query->mutable_state()->set_include_state_vector(with_vector);
  query->mutable_state()->set_include_plugins(true);
  runs.Query(
      run_id, query, /*choice=*/{}, /*awaited=*/nullptr,
      [run = *run, reply = reply, with_vector, to_response, answer_from_journal](absl::StatusOr<v1::Answer> answer) {
        if (answer.ok()) {
          v1::Run now = run->Now();
          ApplyAnswer(answer->state(), now);
          if (!IsTerminal(now.status())) *now.mutable_training_thread_seen_time() = TimeUtil::GetCurrentTime();
          return reply->Send(to_response(std::move(now), *answer->mutable_state()));
        }
        // A run that is STARTING or LOST, has just ended, or cannot be recorded still has a state that can be told.
        const v1::ErrorReason reason = ReasonOf(answer.status());
        const bool known = reason == v1::ERROR_REASON_TRAINER_UNAVAILABLE || reason == v1::ERROR_REASON_RUN_ENDED ||
                           reason == v1::ERROR_REASON_JOURNAL_FAILED;
        if (known && !with_vector) return answer_from_journal();
        reply->Send(answer.status());
      });
  return reactor;
}

// Does the next step of a read, and the one after it when others have had their turn. `ticket` is kept until the
// answer.
void ReadHistoryOn(WorkPool& pool, const std::shared_ptr<HistoryRead>& read,
                   const std::shared_ptr<Reply<v1::ReadHistoryResponse>>& reply, const ByteBudget::Ticket& ticket) {
  const bool queued = pool.Submit([&pool, read, reply, ticket] {
    if (!reply->awaited()) return;
    const absl::StatusOr<bool> complete = read->Advance();
    if (!complete.ok()) return reply->Send(complete.status());
    if (*complete) return reply->Send(read->TakeResponse());
    ReadHistoryOn(pool, read, reply, ticket);
  });
  if (!queued) reply->Send(ServiceBusy());
}

}  // namespace

grpc::ServerUnaryReactor* TrainingControlService::StartRun(grpc::CallbackServerContext*,
                                                           const v1::StartRunRequest* request,
                                                           v1::StartRunResponse* response) {
  auto [reactor, reply] = Reply<v1::StartRunResponse>::Make(response);
  const ByteBudget::Ticket ticket = Admit(budget_, *request, CheckStartRun(*request), *reply);
  if (ticket == nullptr) return reactor;
  const bool queued =
      pool_.Submit([this, request = *request, answer = AnswerStart(reply, ticket)] { runs_.Start(request, answer); });
  if (!queued) reply->Send(ServiceBusy());
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
  if (absl::Status valid = CheckModelChoice(request->model()); !valid.ok()) {
    auto [reactor, reply] = Reply<v1::GetStateResponse>::Make(response);
    reply->Send(valid);
    return reactor;
  }
  if (IsSavedModel(request->model())) return AnswerSavedState(*request, response);
  return AnswerState(runs_, request->run_id(), request->include_state_vector(), response, &StateOf);
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

grpc::ServerUnaryReactor* TrainingControlService::AttachPlugin(grpc::CallbackServerContext*,
                                                               const v1::AttachPluginRequest* request,
                                                               v1::AttachPluginResponse* response) {
  const ByteBudget::Ticket ticket = budget_.Take(static_cast<int64_t>(request->ByteSizeLong()));
  if (ticket == nullptr) {
    auto [reactor, reply] = Reply<v1::AttachPluginResponse>::Make(response);
    reply->Send(ServiceBusy());
    return reactor;
  }
  return AnswerControl(runs_, *request, response, &WithReceipt<v1::AttachPluginResponse>, ticket);
}

grpc::ServerUnaryReactor* TrainingControlService::DetachPlugin(grpc::CallbackServerContext*,
                                                               const v1::DetachPluginRequest* request,
                                                               v1::DetachPluginResponse* response) {
  return AnswerControl(runs_, *request, response, &WithReceipt<v1::DetachPluginResponse>);
}

grpc::ServerUnaryReactor* TrainingControlService::ReschedulePlugin(grpc::CallbackServerContext*,
                                                                   const v1::ReschedulePluginRequest* request,
                                                                   v1::ReschedulePluginResponse* response) {
  return AnswerControl(runs_, *request, response, &WithReceipt<v1::ReschedulePluginResponse>);
}

grpc::ServerUnaryReactor* TrainingControlService::ListPlugins(grpc::CallbackServerContext*,
                                                              const v1::ListPluginsRequest* request,
                                                              v1::ListPluginsResponse* response) {
  return AnswerState(runs_, request->run_id(), /*with_vector=*/false, response, &PluginsOf);
}

grpc::ServerUnaryReactor* TrainingControlService::ListPluginKinds(grpc::CallbackServerContext*,
                                                                  const v1::ListPluginKindsRequest*,
                                                                  v1::ListPluginKindsResponse* response) {
  auto [reactor, reply] = Reply<v1::ListPluginKindsResponse>::Make(response);
  runs_.PluginKinds([reply = reply](const absl::StatusOr<v1::PluginKindsAnswer>& answer) {
    if (!answer.ok()) return reply->Send(answer.status());
    v1::ListPluginKindsResponse kinds;
    *kinds.mutable_kinds() = answer->kinds();
    reply->Send(std::move(kinds));
  });
  return reactor;
}

grpc::ServerUnaryReactor* TrainingControlService::ReadHistory(grpc::CallbackServerContext*,
                                                              const v1::ReadHistoryRequest* request,
                                                              v1::ReadHistoryResponse* response) {
  auto [reactor, reply] = Reply<v1::ReadHistoryResponse>::Make(response);
  absl::StatusOr<HistoryQuery> query = ParseHistoryRequest(*request);
  const absl::StatusOr<std::shared_ptr<Run>> run = runs_.Find(request->run_id());
  if (!run.ok() || !query.ok()) {
    reply->Send(run.ok() ? query.status() : run.status());
    return reactor;
  }
  const ByteBudget::Ticket ticket = budget_.Take(HistoryRead::BytesFor(*query));
  if (ticket == nullptr) {
    reply->Send(ServiceBusy());
    return reactor;
  }
  const auto read = std::make_shared<HistoryRead>((*run)->place().journal_path(), *std::move(query), thinned_);
  ReadHistoryOn(history_pool_, read, reply, ticket);
  return reactor;
}

grpc::ServerReadReactor<v1::UploadDatasetRequest>* TrainingControlService::UploadDataset(
    grpc::CallbackServerContext* context, v1::UploadDatasetResponse* response) {
  return StartUpload(*context, datasets_, pool_, uploads_, response);
}

}  // namespace pilothouse::service
