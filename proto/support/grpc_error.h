// Errors on the wire: absl::Status ↔ grpc::Status with google.rpc details. Pure and thread-safe.
#ifndef PILOTHOUSE_PROTO_SUPPORT_GRPC_ERROR_H_
#define PILOTHOUSE_PROTO_SUPPORT_GRPC_ERROR_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace pilothouse {

// A status with one ErrorInfo and, where a field is to blame, one BadRequest. The message is cut at 2 KiB, since the
// transport carries it in a header. OK stays OK.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The inverse. A status without our ErrorInfo keeps its code and text and has no reason.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_GRPC_ERROR_H_
