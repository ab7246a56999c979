// How every control is answered: validate, ask the run, answer with the receipt.
#ifndef PILOTHOUSE_SERVICE_RPC_ANSWER_CONTROL_H_
#define PILOTHOUSE_SERVICE_RPC_ANSWER_CONTROL_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/support/error.h"
#include "service/rpc/byte_budget.h"
#include "service/rpc/reply.h"
#include "service/rpc/validate.h"
#include "service/runs/run_registry.h"

namespace pilothouse::service {

inline absl::Status ServiceBusy() {
  return MakeError(v1::ERROR_REASON_SERVICE_BUSY, "", "The service has too much to do just now; try again shortly.");
}

// Room for `request`, which Check… has found to be `valid` or not, to be kept until it is answered. Null if it is
// refused, because of that or because there is no room; then `reply` has been sent.
template <typename Request, typename Response>
ByteBudget::Ticket Admit(ByteBudget& budget, const Request& request, const absl::Status& valid,
                         Reply<Response>& reply) {
  if (!valid.ok()) {
    reply.Send(valid);
    return nullptr;
  }
  ByteBudget::Ticket ticket = budget.Take(static_cast<int64_t>(request.ByteSizeLong()));
  if (ticket == nullptr) reply.Send(ServiceBusy());
  return ticket;
}

template <typename Response>
Response WithReceipt(const ControlOutcome& outcome) {
  Response response;
  *response.mutable_receipt() = outcome.receipt;
  return response;
}

// `ticket`, if the request needs one, is kept until the answer.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* AnswerControl(RunRegistry& runs, const Request& request, Response* response,
                                        Response (*to_response)(const ControlOutcome&),
                                        const ByteBudget::Ticket& ticket = nullptr) {
  auto [reactor, reply] = Reply<Response>::Make(response);
  absl::StatusOr<v1::Control> control = ToControl(request);
  if (!control.ok()) {
    reply->Send(control.status());
    return reactor;
  }
  runs.Control(request.run_id(), *std::move(control),
               [reply = reply, to_response, ticket](const absl::StatusOr<ControlOutcome>& outcome) {
                 if (outcome.ok()) {
                   reply->Send(to_response(*outcome));
                 } else {
                   reply->Send(outcome.status());
                 }
               });
  return reactor;
}

// Answers with the run that was started, and keeps `ticket` until then.
template <typename Response>
StartCallback AnswerStart(std::shared_ptr<Reply<Response>> reply, const ByteBudget::Ticket& ticket) {
  return [reply = std::move(reply), ticket](absl::StatusOr<v1::Run> run) {
    if (!run.ok()) return reply->Send(run.status());
    Response started;
    *started.mutable_run() = *std::move(run);
    started.mutable_run()->clear_plugins();
    reply->Send(std::move(started));
  };
}

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_ANSWER_CONTROL_H_
