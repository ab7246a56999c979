#include "service/rpc/upload_reactor.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"

namespace pilothouse::service {
namespace {

// At any moment there is exactly one of: a read in flight, work on the pool, or a Finish. So no lock is needed, and
// Finish is called once: by whatever was under way when the upload ended. A client that vanishes makes the read in
// flight fail.
class UploadReactor : public grpc::ServerReadReactor<v1::UploadDatasetRequest> {
 public:
  UploadReactor(const grpc::CallbackServerContext& context, const DatasetStore& datasets, WorkPool& pool,
                v1::UploadDatasetResponse* response)
      : context_(context), datasets_(datasets), pool_(pool), response_(response) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    const bool queued = pool_.Submit([this, ok] {
      if (ok) {
        TakeMessage();
      } else {
        TakeEnd();
      }
    });
    if (!queued) {
      Finish(ToGrpcStatus(MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
                                    "The service has too much to do just now; try again shortly.")));
    }
  }

  void OnDone() override { delete this; }

 private:
  void TakeMessage() {
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

  const grpc::CallbackServerContext& context_;
  const DatasetStore& datasets_;
  WorkPool& pool_;
  v1::UploadDatasetResponse* const response_;
  v1::UploadDatasetRequest request_;
  std::unique_ptr<DatasetUpload> upload_;
};

}  // namespace

grpc::ServerReadReactor<v1::UploadDatasetRequest>* StartUpload(const grpc::CallbackServerContext& context,
                                                               const DatasetStore& datasets, WorkPool& pool,
                                                               v1::UploadDatasetResponse* response) {
  return new UploadReactor(context, datasets, pool, response);
}

}  // namespace pilothouse::service
