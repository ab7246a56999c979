#include "service/rpc/upload_reactor.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"

namespace pilothouse::service {
namespace {

absl::Status Busy() {
  return MakeError(v1::ERROR_REASON_SERVICE_BUSY, "",
                   "As many uploads are under way as the service takes; try again shortly.");
}

// At any moment there is exactly one of: a read in flight, work on the pool, or a Finish. So no lock is needed, and
// Finish is called once: by whatever was under way when the upload ended. A client that vanishes makes the read in
// flight fail.
class UploadReactor : public grpc::ServerReadReactor<v1::UploadDatasetRequest> {
 public:
  UploadReactor(grpc::CallbackServerContext& context, const DatasetStore& datasets, WorkPool& pool, UploadSlots& slots,
                v1::UploadDatasetResponse* response)
      : context_(context), datasets_(datasets), pool_(pool), slots_(slots), response_(response) {
    const auto end = [this] { context_.TryCancel(); };
    if (slots_.Enter(this, end, std::chrono::steady_clock::now())) {
      StartRead(&request_);
    } else {
      Finish(ToGrpcStatus(Busy()));
    }
  }

  void OnReadDone(bool ok) override {
    const bool queued = pool_.Submit([this, ok] {
      if (ok) {
        TakeMessage();
      } else {
        TakeEnd();
      }
    });
    if (!queued) Finish(ToGrpcStatus(Busy()));
  }

  void OnDone() override {
    slots_.Leave(this);
    delete this;
  }

 private:
  void TakeMessage() {
    slots_.Touch(this, std::chrono::steady_clock::now());
    const absl::Status taken = request_.has_header() ? Begin() : Append();
    if (taken.ok()) {
      StartRead(&request_);
    } else {
      Finish(ToGrpcStatus(taken));
    }
  }

  absl::Status Begin() {
    if (upload_ != nullptr)
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, "header", "Only the first message is a header.");
    absl::StatusOr<std::unique_ptr<DatasetUpload>> upload = datasets_.Begin(request_.header());
    if (upload.ok()) upload_ = *std::move(upload);
    return upload.status();
  }

  absl::Status Append() {
    if (upload_ == nullptr)
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, "header", "The first message must be a header.");
    return upload_->Append(request_.chunk());
  }

  void TakeEnd() {
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
    if (finished.ok()) *response_ = *std::move(finished);
    Finish(ToGrpcStatus(finished.status()));
  }

  grpc::CallbackServerContext& context_;
  const DatasetStore& datasets_;
  WorkPool& pool_;
  UploadSlots& slots_;
  v1::UploadDatasetResponse* const response_;
  v1::UploadDatasetRequest request_;
  std::unique_ptr<DatasetUpload> upload_;
};

}  // namespace

grpc::ServerReadReactor<v1::UploadDatasetRequest>* StartUpload(grpc::CallbackServerContext& context,
                                                               const DatasetStore& datasets, WorkPool& pool,
                                                               UploadSlots& slots,
                                                               v1::UploadDatasetResponse* response) {
  return new UploadReactor(context, datasets, pool, slots, response);
}

}  // namespace pilothouse::service
