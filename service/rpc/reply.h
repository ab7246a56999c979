// Answers to unary calls that are given later, from any thread.
#ifndef PILOTHOUSE_SERVICE_RPC_REPLY_H_
#define PILOTHOUSE_SERVICE_RPC_REPLY_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/support/grpc_error.h"
#include "proto/support/mutex.h"

namespace pilothouse::service {

// The answer to one unary call.
//
//   grpc::ServerUnaryReactor* SetEta(…, v1::SetEtaResponse* response) {
//     auto [reactor, reply] = Reply<v1::SetEtaResponse>::Make(response);
//     run->Ask(…, [reply](auto outcome) { reply->Send(…); });
//     return reactor;
//   }
//
// The first Send, or the client's going away, finishes the call; every later Send does nothing, so that whoever answers
// need not know whether anybody still listens. The call waits for ever for a reply that is never sent. Thread-safe.
template <typename Response>
class Reply {
 public:
  static std::pair<grpc::ServerUnaryReactor*, std::shared_ptr<Reply>> Make(Response* response) {
    auto reply = std::make_shared<Reply>();
    auto* call = new Call(reply);
    {
      MutexLock lock(reply->mutex_);
      reply->call_ = call;
      reply->response_ = response;
    }
    return {call, reply};
  }

  // Nothing was sent yet, and the client is still there.
  bool awaited() {
    MutexLock lock(mutex_);
    return call_ != nullptr;
  }

  void Send(absl::StatusOr<Response> answer) {
    Call* call = nullptr;
    Response* response = nullptr;
    {
      MutexLock lock(mutex_);
      call = std::exchange(call_, nullptr);
      response = response_;
    }
    if (call == nullptr) return;
    // Until Finish nobody but the one who took `call` can end it, so both pointers are still good.
    const absl::Status status = answer.status();
    if (status.ok()) *response = *std::move(answer);
    call->Finish(ToGrpcStatus(status));
  }

 private:
  // Made, cancelled and done on different threads, in an order that the lock shows to the thread sanitizer, which
  // cannot see into gRPC.
  class Call : public grpc::ServerUnaryReactor {
   public:
    explicit Call(std::shared_ptr<Reply> reply) {
      MutexLock lock(mutex_);
      reply_ = std::move(reply);
    }
    // Finishing may delete this call, and with it its hold on the reply: hence the copy.
    void OnCancel() override { reply()->Send(absl::CancelledError("The client went away.")); }
    void OnDone() override {
      const std::shared_ptr<Reply> last = reply();
      delete this;
    }

   private:
    std::shared_ptr<Reply> reply() {
      MutexLock lock(mutex_);
      return reply_;
    }

    Mutex mutex_;
    std::shared_ptr<Reply> reply_ ABSL_GUARDED_BY(mutex_);
  };

  Mutex mutex_;
  Call* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Response* response_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_REPLY_H_
