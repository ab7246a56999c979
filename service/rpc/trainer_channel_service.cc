#include "service/rpc/trainer_channel_service.h"

#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "proto/support/grpc_error.h"
#include "proto/support/mutex.h"
#include "service/runs/run.h"
#include "service/runs/trainer_link.h"

namespace pilothouse::service {
namespace {

class AttachReactor;

// The run's end of a connection. Outlives the reactor, since the run may hold it for longer; after the reactor has
// begun to finish, everything sent is dropped.
//
// What may wait here is bounded by what a run sends: at most kMaxPendingControls controls, kMaxPendingQueries queries
// and one acknowledgement for each message read.
class AttachLink final : public TrainerLink {
 public:
  explicit AttachLink(AttachReactor* reactor) : reactor_(reactor) {}

  void Send(v1::AttachResponse message) override ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadNext() override ABSL_LOCKS_EXCLUDED(mutex_);
  void Close(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  // From the reactor.
  void WriteDone(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  // Null once Finish was called: the reactor may be gone at any moment after that.
  AttachReactor* reactor_ ABSL_GUARDED_BY(mutex_);
  bool write_in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  // The front is the message in flight.
  std::deque<v1::AttachResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
};

// gRPC makes one call at a time into a reactor, from whatever thread it likes. The lock shows that order to the thread
// sanitizer, which cannot see into gRPC, and costs nothing else.
class AttachReactor final : public grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse> {
 public:
  explicit AttachReactor(RunRegistry& runs) : runs_(runs) {
    MutexLock lock(mutex_);
    link_ = std::make_shared<AttachLink>(this);
    StartRead(&message_);
  }

  void OnReadDone(bool ok) override {
    std::shared_ptr<Run> run;
    v1::AttachRequest message;
    {
      MutexLock lock(mutex_);
      run = run_;
      if (ok) message = std::move(message_);
    }
    if (!ok) return link()->Close(absl::OkStatus());
    if (run == nullptr) return TakeHello(message);
    run->Deliver(link().get(), std::move(message));
  }
  void OnWriteDone(bool ok) override { link()->WriteDone(ok); }
  void OnCancel() override { link()->Close(absl::CancelledError("The trainer went away.")); }
  void OnDone() override {
    std::shared_ptr<Run> run;
    {
      MutexLock lock(mutex_);
      run = run_;
    }
    if (run != nullptr) run->Detach(link().get());
    delete this;
  }

  // From the link, when the message before was delivered.
  void Read() {
    MutexLock lock(mutex_);
    message_.Clear();
    StartRead(&message_);
  }

 private:
  std::shared_ptr<AttachLink> link() {
    MutexLock lock(mutex_);
    return link_;
  }

  void TakeHello(const v1::AttachRequest& message) {
    if (!message.has_hello()) return link()->Close(absl::InvalidArgumentError("The first message must be a Hello."));
    const absl::StatusOr<std::shared_ptr<Run>> run = runs_.Find(message.hello().run_id());
    if (!run.ok()) return link()->Close(run.status());
    {
      MutexLock lock(mutex_);
      run_ = *run;
    }
    (*run)->Attach(link(), message.hello());
  }

  RunRegistry& runs_;
  Mutex mutex_;
  std::shared_ptr<AttachLink> link_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Run> run_ ABSL_GUARDED_BY(mutex_);
  v1::AttachRequest message_ ABSL_GUARDED_BY(mutex_);
};

void AttachLink::WriteNext() {
  if (reactor_ == nullptr || write_in_flight_ || outgoing_.empty()) return;
  write_in_flight_ = true;
  reactor_->StartWrite(&outgoing_.front());
}

void AttachLink::Send(v1::AttachResponse message) {
  MutexLock lock(mutex_);
  if (reactor_ == nullptr) return;
  outgoing_.push_back(std::move(message));
  WriteNext();
}

void AttachLink::WriteDone(bool ok) {
  if (!ok) return Close(absl::OkStatus());
  MutexLock lock(mutex_);
  write_in_flight_ = false;
  outgoing_.pop_front();
  WriteNext();
}

void AttachLink::ReadNext() {
  MutexLock lock(mutex_);
  if (reactor_ != nullptr) reactor_->Read();
}

void AttachLink::Close(const absl::Status& status) {
  AttachReactor* reactor = nullptr;
  {
    MutexLock lock(mutex_);
    reactor = std::exchange(reactor_, nullptr);
  }
  if (reactor != nullptr) reactor->Finish(ToGrpcStatus(status));
}

}  // namespace

grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* TrainerChannelService::Attach(
    grpc::CallbackServerContext*) {
  return new AttachReactor(runs_);
}

}  // namespace pilothouse::service
