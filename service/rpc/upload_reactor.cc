#include "service/rpc/upload_reactor.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/mutex.h"

namespace pilothouse::service {
namespace {

absl::Status Busy() {
  return MakeError(v1::ERROR_REASON_SERVICE_BUSY, "",
                   "As many uploads are under way as the service takes; try again shortly.");
}

// At any moment there is exactly one of: a read in flight, work on the pool, or a Finish. So Finish is called once: by
// whatever was under way when the upload ended. A client that vanishes makes the read in flight fail. The lock is never
// waited for; it shows that order to the thread sanitizer, which cannot see into gRPC.
class UploadReactor : public grpc::ServerReadReactor<v1::UploadDatasetRequest> {
 public:
  UploadReactor(grpc::CallbackServerContext& context, const DatasetStore& datasets, WorkPool& pool, UploadSlots& slots,
                v1::UploadDatasetResponse* response)
      : context_(context), datasets_(datasets), pool_(pool), slots_(slots), response_(response) {
    const auto end = [this] { context_.TryCancel(); };
    MutexLock lock(mutex_);
    if (slots_.Enter(this, end, std::chrono::steady_clock::now())) {
      StartRead(&request_);
    } else {
      Finish(ToGrpcStatus(Busy()));
    }
  }

  void OnReadDone(bool ok) override {
    MutexLock lock(mutex_);
    const bool queued = pool_.Submit([this, ok] { Take(ok); });
    if (!queued) Finish(ToGrpcStatus(Busy()));
  }

  void OnDone() override {
    {
      // Whoever called Finish has left the lock when this one has it.
      MutexLock lock(mutex_);
      slots_.Leave(this);
    }
    delete this;
  }

 private:
  // On the pool.
  void Take(bool ok) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (ok) {
      TakeMessage();
    } else {
      TakeEnd();
    }
  }

  void TakeMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    slots_.Touch(this, std::chrono::steady_clock::now());
    const absl::Status taken = request_.has_header() ? Begin() : Append();
    if (taken.ok()) {
      StartRead(&request_);
    } else {
      Finish(ToGrpcStatus(taken));
    }
  }

  absl::Status Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (upload_ != nullptr)
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, "header", "Only the first message is a header.");
    absl::StatusOr<std::unique_ptr<DatasetUpload>> upload = datasets_.Begin(request_.header());
    if (!upload.ok()) return upload.status();
    upload_ = *std::move(upload);
    return absl::OkStatus();
  }

  absl::Status Append() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (upload_ == nullptr)
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, "header", "The first message must be a header.");
    return upload_->Append(request_.chunk());
  }

  void TakeEnd() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (context_.IsCancelled()) {
      upload_ = nullptr;
      Finish(grpc::Status::CANCELLED);
      return;
    }
    absl::StatusOr<v1::UploadDatasetResponse> finished =
        upload_ != nullptr ? upload_->Finish()
                           : MakeError(v1::ERROR_REASON_SPEC_INVALID, "header", "The first message must be a header.");
    // What is unfinished is removed from the disk here, on the pool, and not in OnDone.
    upload_ = nullptr;
    const absl::Status status = finished.status();
    if (status.ok()) *response_ = *std::move(finished);
    Finish(ToGrpcStatus(status));
  }

  grpc::CallbackServerContext& context_;
  const DatasetStore& datasets_;
  WorkPool& pool_;
  UploadSlots& slots_;
  v1::UploadDatasetResponse* const response_;
  Mutex mutex_;
  v1::UploadDatasetRequest request_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<DatasetUpload> upload_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerReadReactor<v1::UploadDatasetRequest>* StartUpload(grpc::CallbackServerContext& context,
                                                               const DatasetStore& datasets, WorkPool& pool,
                                                               UploadSlots& slots,
                                                               v1::UploadDatasetResponse* response) {
  return new UploadReactor(context, datasets, pool, slots, response);
}

}  // namespace pilothouse::service
