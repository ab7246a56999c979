#include "proto/support/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "proto/support/text.h"

namespace pilothouse {
namespace {

constexpr char kPayloadUrl[] = "type.googleapis.com/pilothouse.v1.Error";
constexpr char kReasonPrefix[] = "ERROR_REASON_";

absl::optional<v1::Error> PayloadOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  v1::Error error;
  if (!payload.has_value() || !error.ParseFromString(std::string(*payload))) return absl::nullopt;
  return error;
}

}  // namespace

absl::StatusCode CodeOf(v1::ErrorReason reason) {
  switch (reason) {
    case v1::ERROR_REASON_RUN_NOT_FOUND:
    case v1::ERROR_REASON_DATASET_NOT_FOUND:
    case v1::ERROR_REASON_FILE_NOT_FOUND:
    case v1::ERROR_REASON_PLUGIN_NOT_FOUND:
    case v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN:
    case v1::ERROR_REASON_PLUGIN_POINT_UNKNOWN:
      return absl::StatusCode::kNotFound;
    case v1::ERROR_REASON_RUN_ALREADY_EXISTS:
    case v1::ERROR_REASON_PLUGIN_ALREADY_EXISTS:
      return absl::StatusCode::kAlreadyExists;
    case v1::ERROR_REASON_RUN_ENDED:
    case v1::ERROR_REASON_BATCH_ALREADY_PASSED:
    case v1::ERROR_REASON_STATE_TOO_LARGE:
    case v1::ERROR_REASON_NO_PARAMETERS:
    case v1::ERROR_REASON_SAVE_FAILED:
    case v1::ERROR_REASON_NO_VALIDATION_DATA:
    case v1::ERROR_REASON_NO_TEST_DATA:
      return absl::StatusCode::kFailedPrecondition;
    case v1::ERROR_REASON_DATASET_TOO_LARGE:
    case v1::ERROR_REASON_REQUEST_TOO_LARGE:
    case v1::ERROR_REASON_TOO_MANY_RUNS:
    case v1::ERROR_REASON_TOO_MANY_CONTROLS:
    case v1::ERROR_REASON_TOO_MANY_WATCHERS:
    case v1::ERROR_REASON_SERVICE_BUSY:
    case v1::ERROR_REASON_TOO_MANY_PLUGINS:
      return absl::StatusCode::kResourceExhausted;
    case v1::ERROR_REASON_SEQUENCE_OUT_OF_RANGE:
      return absl::StatusCode::kOutOfRange;
    case v1::ERROR_REASON_TRAINER_UNAVAILABLE:
    case v1::ERROR_REASON_JOURNAL_FAILED:
    case v1::ERROR_REASON_SERVICE_STOPPING:
      return absl::StatusCode::kUnavailable;
    case v1::ERROR_REASON_TRAINER_FAILED:
    case v1::ERROR_REASON_INTERNAL:
      return absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kInvalidArgument;
  }
}

absl::Status FromError(const v1::Error& error) {
  absl::Status status(CodeOf(error.reason()), error.message());
  status.SetPayload(kPayloadUrl, absl::Cord(error.SerializeAsString()));
  return status;
}

absl::Status MakeError(v1::ErrorReason reason, absl::string_view field, absl::string_view message,
                       const ErrorMetadata& metadata) {
  v1::Error error;
  error.set_reason(reason);
  // What is quoted in a sentence comes from anywhere.
  error.set_field(ValidUtf8(field));
  error.set_message(ValidUtf8(message));
  for (const auto& [key, value] : metadata) (*error.mutable_metadata())[key] = ValidUtf8(value);
  return FromError(error);
}

v1::Error ToError(const absl::Status& status) {
  if (absl::optional<v1::Error> error = PayloadOf(status)) return *std::move(error);
  v1::Error error;
  error.set_reason(v1::ERROR_REASON_INTERNAL);
  error.set_message(ValidUtf8(status.message()));
  return error;
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  const absl::optional<v1::Error> error = PayloadOf(status);
  return error.has_value() ? error->reason() : v1::ERROR_REASON_UNSPECIFIED;
}

absl::Status WithFieldPrefix(const absl::Status& status, absl::string_view prefix) {
  absl::optional<v1::Error> error = PayloadOf(status);
  if (!error.has_value()) return status;
  error->set_field(error->field().empty() ? std::string(prefix) : absl::StrCat(prefix, ".", error->field()));
  return FromError(*error);
}

std::string ReasonName(v1::ErrorReason reason) {
  return std::string(absl::StripPrefix(v1::ErrorReason_Name(reason), kReasonPrefix));
}

v1::ErrorReason ReasonFromName(absl::string_view name) {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  v1::ErrorReason_Parse(absl::StrCat(kReasonPrefix, name), &reason);
  return reason;
}

}  // namespace pilothouse
