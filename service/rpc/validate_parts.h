// Checks that several requests share. Pure and thread-safe. Errors blame `field`, or a field below it.
#ifndef PILOTHOUSE_SERVICE_RPC_VALIDATE_PARTS_H_
#define PILOTHOUSE_SERVICE_RPC_VALIDATE_PARTS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::service {

// Of a spec without initial_state, which has its own bound. Names of columns are what could be long.
inline constexpr size_t kMaxSpecBytes = 1 << 20;
// Bounds of a CheckpointSpec.
inline constexpr int64_t kMaxCheckpointIntervalSeconds = int64_t{7} * 24 * 3600;
inline constexpr int kMaxCheckpointsKept = 1000;

// REQUEST_ID_INVALID.
absl::Status CheckRequestId(absl::string_view request_id, absl::string_view field);
// TARGET_INVALID, for a target outside `least` to 2^53.
absl::Status TargetInvalid(absl::string_view field, int64_t value, absl::string_view least);
// BATCH_OUT_OF_RANGE unless it lies in 0 to 2^53.
absl::Status CheckBatch(int64_t batch, absl::string_view field);
// KNOB_UNKNOWN (no name), KNOB_OUT_OF_RANGE (not finite), blaming "name" or "value" below `field`, which may be empty.
absl::Status CheckKnob(const v1::KnobChange& knob, absl::string_view field);
// CHECKPOINTS_INVALID.
absl::Status CheckCheckpoints(const v1::CheckpointSpec& checkpoints, absl::string_view field);

// The control that makes `change`. REQUEST_ID_INVALID, SPEC_INVALID (at_batch, origin, note).
absl::StatusOr<v1::Control> WithOptions(v1::Change change, const v1::ControlOptions& options);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_VALIDATE_PARTS_H_
