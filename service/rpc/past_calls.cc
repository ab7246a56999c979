// The calls about a run's past: its checkpoints, taking it back, forking it.
#include <memory>
#include <utility>
#include <vector>

#include "service/rpc/answer_control.h"
#include "service/rpc/reply.h"
#include "service/rpc/training_control_service.h"
#include "service/rpc/validate.h"
#include "service/runs/checkpoint_events.h"
#include "service/runs/fork_run.h"

namespace pilothouse::service {
namespace {

v1::SaveCheckpointResponse CheckpointOutcome(const ControlOutcome& outcome) {
  v1::SaveCheckpointResponse response = WithReceipt<v1::SaveCheckpointResponse>(outcome);
  *response.mutable_checkpoint() = outcome.checkpoint;
  return response;
}

absl::StatusOr<v1::ListCheckpointsResponse> CheckpointsOf(const Run& run) {
  absl::StatusOr<std::vector<v1::Checkpoint>> list = ListCheckpoints(run.place(), run.Now());
  if (!list.ok()) return list.status();
  v1::ListCheckpointsResponse response;
  for (v1::Checkpoint& checkpoint : *list) *response.add_checkpoints() = std::move(checkpoint);
  return response;
}

}  // namespace

grpc::ServerUnaryReactor* TrainingControlService::SaveCheckpoint(grpc::CallbackServerContext*,
                                                                 const v1::SaveCheckpointRequest* request,
                                                                 v1::SaveCheckpointResponse* response) {
  return AnswerControl(runs_, *request, response, &CheckpointOutcome);
}

grpc::ServerUnaryReactor* TrainingControlService::ListCheckpoints(grpc::CallbackServerContext*,
                                                                  const v1::ListCheckpointsRequest* request,
                                                                  v1::ListCheckpointsResponse* response) {
  auto [reactor, reply] = Reply<v1::ListCheckpointsResponse>::Make(response);
  const absl::StatusOr<std::shared_ptr<Run>> run = runs_.Find(request->run_id());
  if (!run.ok()) {
    reply->Send(run.status());
    return reactor;
  }
  const bool queued = history_pool_.Submit([run = *run, reply = reply] { reply->Send(CheckpointsOf(*run)); });
  if (!queued) reply->Send(ServiceBusy());
  return reactor;
}

grpc::ServerUnaryReactor* TrainingControlService::Rewind(grpc::CallbackServerContext*, const v1::RewindRequest* request,
                                                         v1::RewindResponse* response) {
  return AnswerControl(runs_, *request, response, &WithReceipt<v1::RewindResponse>);
}

grpc::ServerUnaryReactor* TrainingControlService::Fork(grpc::CallbackServerContext*, const v1::ForkRequest* request,
                                                       v1::ForkResponse* response) {
  auto [reactor, reply] = Reply<v1::ForkResponse>::Make(response);
  const ByteBudget::Ticket ticket = Admit(budget_, *request, CheckFork(*request), *reply);
  if (ticket == nullptr) return reactor;
  const bool queued = pool_.Submit([this, request = *request, answer = AnswerStart(reply, ticket)] {
    ForkRun(runs_, datasets_, pool_, request, answer);
  });
  if (!queued) reply->Send(ServiceBusy());
  return reactor;
}

}  // namespace pilothouse::service
