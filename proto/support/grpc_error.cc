#include "proto/support/grpc_error.h"

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "proto/support/error.h"
#include "proto/support/text.h"

namespace pilothouse {
namespace {

// Headers are limited to 8 KiB in all by default; message and details share it.
constexpr size_t kMaxMessageText = 2048;
constexpr size_t kMaxMetadataText = 1024;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const v1::Error error = ToError(status);
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(Shortened(error.message(), kMaxMessageText));
  google::rpc::ErrorInfo info;
  info.set_domain(kErrorDomain);
  info.set_reason(ReasonName(error.reason()));
  for (const auto& [key, value] : error.metadata())
    (*info.mutable_metadata())[key] = Shortened(value, kMaxMetadataText);
  details.add_details()->PackFrom(info);
  if (!error.field().empty()) {
    google::rpc::BadRequest request;
    auto* violation = request.add_field_violations();
    violation->set_field(error.field());
    violation->set_description(details.message());
    details.add_details()->PackFrom(request);
  }
  return {static_cast<grpc::StatusCode>(details.code()), details.message(), details.SerializeAsString()};
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status details;
  v1::Error error;
  bool ours = false;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) {
      google::rpc::ErrorInfo info;
      google::rpc::BadRequest request;
      if (detail.UnpackTo(&info) && info.domain() == kErrorDomain) {
        ours = true;
        error.set_reason(ReasonFromName(info.reason()));
        for (const auto& [key, value] : info.metadata()) (*error.mutable_metadata())[key] = value;
      } else if (detail.UnpackTo(&request) && request.field_violations_size() > 0) {
        error.set_field(request.field_violations(0).field());
      }
    }
  }
  if (!ours) return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  error.set_message(status.error_message());
  return FromError(error);
}

}  // namespace pilothouse
