// Test support: the service's end of the channel, played by the test itself, over a unix socket.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_FAKE_SERVICE_H_
#define PILOTHOUSE_TRAINER_CHANNEL_FAKE_SERVICE_H_

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "pilothouse/v1/trainer_channel.grpc.pb.h"
#include "proto/support/mutex.h"

namespace pilothouse::trainer {

// One stream. The trainer's call lasts until End.
class FakeSession {
 public:
  using Stream = grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>;

  FakeSession(grpc::ServerContext* context, Stream* stream) : context_(context), stream_(stream) {}

  // nullopt when the trainer has hung up.
  std::optional<v1::AttachRequest> Read() {
    v1::AttachRequest request;
    if (!stream_->Read(&request)) return std::nullopt;
    return request;
  }

  void Send(const v1::AttachResponse& response) { stream_->Write(response); }

  void SendTaken(uint64_t number) {
    v1::AttachResponse response;
    response.mutable_reports_taken()->set_number(number);
    Send(response);
  }

  // Ends the stream; nothing else may be called after.
  void End(grpc::Status status) {
    MutexLock lock(mutex_);
    if (!status.ok() && status.error_code() == grpc::StatusCode::UNAVAILABLE) context_->TryCancel();
    status_ = std::move(status);
    changed_.NotifyAll();
  }

  grpc::Status WaitForEnd() {
    MutexLock lock(mutex_);
    while (!status_.has_value()) changed_.Wait(mutex_);
    return *status_;
  }

 private:
  grpc::ServerContext* context_;
  Stream* stream_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

class FakeService final : public v1::TrainerChannel::Service {
 public:
  FakeService() : address_(absl::StrCat("unix:/tmp/pilothouse-link-test-", getpid())) { Start(); }
  ~FakeService() override { ShutDown(); }

  const std::string& address() const { return address_; }

  // The next stream a trainer opens. Waits for it.
  std::shared_ptr<FakeSession> Accept() {
    MutexLock lock(mutex_);
    while (sessions_.empty()) changed_.Wait(mutex_);
    std::shared_ptr<FakeSession> session = sessions_.front();
    sessions_.pop_front();
    return session;
  }

  // REQUIRES: all sessions that were accepted have ended.
  void ShutDown() {
    {
      // A trainer may just have come again.
      MutexLock lock(mutex_);
      closed_ = true;
      for (const std::shared_ptr<FakeSession>& session : sessions_) session->End(Closed());
      sessions_.clear();
    }
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_ = nullptr;
  }
  void Start() {
    {
      MutexLock lock(mutex_);
      closed_ = false;
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

 private:
  static grpc::Status Closed() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away"); }

  grpc::Status Attach(grpc::ServerContext* context, FakeSession::Stream* stream) override {
    const auto session = std::make_shared<FakeSession>(context, stream);
    {
      MutexLock lock(mutex_);
      if (closed_) return Closed();
      sessions_.push_back(session);
      changed_.NotifyAll();
    }
    return session->WaitForEnd();
  }

  const std::string address_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::shared_ptr<FakeSession>> sessions_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_FAKE_SERVICE_H_
