// Errors with a machine-readable reason, carried in absl::Status.
//
//   return MakeError(v1::ERROR_REASON_ETA_INVALID, "eta", "eta must be finite and above 0; got -1.", {{"value",
//   "-1"}});
//
// The reason decides the status code; the whole v1::Error rides along as a payload, so that it survives any number of
// absl::Status returns until it reaches the wire. All functions are pure and thread-safe.
#ifndef PILOTHOUSE_PROTO_SUPPORT_ERROR_H_
#define PILOTHOUSE_PROTO_SUPPORT_ERROR_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/error_reason.pb.h"

namespace pilothouse {

// ErrorInfo.domain of every error of this project.
inline constexpr char kErrorDomain[] = "pilothouse";

using ErrorMetadata = std::vector<std::pair<std::string, std::string>>;

// `field` is the request's field that is to blame, in dotted form, or empty. `message` is a sentence a person can act
// on.
absl::Status MakeError(v1::ErrorReason reason, absl::string_view field, absl::string_view message,
                       const ErrorMetadata& metadata = {});

// The same, from and to the message that travels between trainer and service. ToError gives reason INTERNAL and the
// status's own text to a status that was not made here. REQUIRES: !status.ok().
absl::Status FromError(const v1::Error& error);
v1::Error ToError(const absl::Status& status);

// ERROR_REASON_UNSPECIFIED for a status that was not made here, and for OK.
v1::ErrorReason ReasonOf(const absl::Status& status);

// The same error, its field prefixed with `prefix` and a dot ("network" → "spec.network").
absl::Status WithFieldPrefix(const absl::Status& status, absl::string_view prefix);

// "RUN_NOT_FOUND".
std::string ReasonName(v1::ErrorReason reason);
// ERROR_REASON_UNSPECIFIED if there is no such reason.
v1::ErrorReason ReasonFromName(absl::string_view name);

absl::StatusCode CodeOf(v1::ErrorReason reason);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_ERROR_H_
