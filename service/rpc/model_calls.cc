// The calls about what a run's parameters answer and score, whether they are the last ones or were kept.
#include <functional>
#include <memory>
#include <utility>

#include "service/rpc/answer_control.h"
#include "service/rpc/byte_budget.h"
#include "service/rpc/reply.h"
#include "service/rpc/training_control_service.h"
#include "service/rpc/validate.h"

namespace pilothouse::service {
namespace {

template <typename Response>
std::function<bool()> Awaiting(std::shared_ptr<Reply<Response>> reply) {
  return [reply = std::move(reply)] { return reply->awaited(); };
}

v1::PredictResponse PredictionOf(v1::Answer& answer) {
  v1::PredictResponse prediction;
  prediction.mutable_outputs()->Swap(answer.mutable_predict()->mutable_outputs());
  prediction.set_batch(answer.predict().batch());
  *prediction.mutable_model() = answer.model();
  return prediction;
}

v1::EvaluateResponse ScoresOf(v1::DataPart part, v1::Answer& answer) {
  v1::EvaluateResponse scores;
  scores.set_part(part);
  *scores.mutable_model() = answer.model();
  scores.set_examples(answer.evaluate().examples());
  scores.mutable_values()->Swap(answer.mutable_evaluate()->mutable_values());
  return scores;
}

}  // namespace

grpc::ServerUnaryReactor* TrainingControlService::AnswerSavedState(const v1::GetStateRequest& request,
                                                                   v1::GetStateResponse* response) {
  auto [reactor, reply] = Reply<v1::GetStateResponse>::Make(response);
  absl::StatusOr<std::shared_ptr<Run>> run = runs_.Find(request.run_id());
  if (!run.ok()) {
    reply->Send(run.status());
    return reactor;
  }
  auto query = std::make_shared<v1::Query>();
  query->mutable_state()->set_include_state_vector(request.include_state_vector());
  runs_.Query(request.run_id(), query, request.model(), Awaiting(reply),
              [run = *std::move(run), reply = reply](absl::StatusOr<v1::Answer> answer) {
                if (!answer.ok()) return reply->Send(answer.status());
                v1::GetStateResponse state;
                *state.mutable_run() = run->Now();
                *state.mutable_model() = answer->model();
                if (answer->state().has_state()) {
                  state.mutable_state()->Swap(answer->mutable_state()->mutable_state());
                }
                reply->Send(std::move(state));
              });
  return reactor;
}

grpc::ServerUnaryReactor* TrainingControlService::Predict(grpc::CallbackServerContext*,
                                                          const v1::PredictRequest* request,
                                                          v1::PredictResponse* response) {
  auto [reactor, reply] = Reply<v1::PredictResponse>::Make(response);
  const ByteBudget::Ticket ticket = Admit(budget_, *request, CheckPredict(*request), *reply);
  if (ticket == nullptr) return reactor;
  auto query = std::make_shared<v1::Query>();
  *query->mutable_predict()->mutable_inputs() = request->inputs();
  runs_.Query(request->run_id(), std::move(query), request->model(), Awaiting(reply),
              [reply = reply, ticket](absl::StatusOr<v1::Answer> answer) {
                if (!answer.ok()) return reply->Send(answer.status());
                reply->Send(PredictionOf(*answer));
              });
  return reactor;
}

grpc::ServerUnaryReactor* TrainingControlService::Evaluate(grpc::CallbackServerContext*,
                                                           const v1::EvaluateRequest* request,
                                                           v1::EvaluateResponse* response) {
  auto [reactor, reply] = Reply<v1::EvaluateResponse>::Make(response);
  if (absl::Status valid = CheckEvaluate(*request); !valid.ok()) {
    reply->Send(valid);
    return reactor;
  }
  const v1::DataPart part = request->part() == v1::DATA_PART_VALIDATION ? v1::DATA_PART_VALIDATION : v1::DATA_PART_TEST;
  auto query = std::make_shared<v1::Query>();
  query->mutable_evaluate()->set_part(part);
  runs_.Query(request->run_id(), std::move(query), request->model(), Awaiting(reply),
              [reply = reply, part](absl::StatusOr<v1::Answer> answer) {
                if (!answer.ok()) return reply->Send(answer.status());
                reply->Send(ScoresOf(part, *answer));
              });
  return reactor;
}

}  // namespace pilothouse::service
