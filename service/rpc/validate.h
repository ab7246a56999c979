// What the service checks before a request reaches a run. Pure and thread-safe. Errors blame a field of the request.
#ifndef PILOTHOUSE_SERVICE_RPC_VALIDATE_H_
#define PILOTHOUSE_SERVICE_RPC_VALIDATE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::service {

// The control each request asks for. ETA_INVALID, KNOB_UNKNOWN (no name), KNOB_OUT_OF_RANGE (not finite),
// TARGET_INVALID, REQUEST_ID_INVALID, SPEC_INVALID (at_batch, origin, note), and what validate_plugin.h says. Whether
// the run has that knob or plugin, and the knob's bounds, the trainer knows.
absl::StatusOr<v1::Control> ToControl(const v1::SetEtaRequest& request);
absl::StatusOr<v1::Control> ToControl(const v1::SetKnobRequest& request);
absl::StatusOr<v1::Control> ToControl(const v1::BatchToRequest& request);
absl::StatusOr<v1::Control> ToControl(const v1::StopRequest& request);
absl::StatusOr<v1::Control> ToControl(const v1::AttachPluginRequest& request);
absl::StatusOr<v1::Control> ToControl(const v1::DetachPluginRequest& request);
absl::StatusOr<v1::Control> ToControl(const v1::ReschedulePluginRequest& request);
absl::StatusOr<v1::Control> ToControl(const v1::SaveCheckpointRequest& request);
// BATCH_OUT_OF_RANGE besides, and SPEC_INVALID for a branch that cannot be called so.
absl::StatusOr<v1::Control> ToControl(const v1::RewindRequest& request);

// Names, sizes, the target, plugins and checkpoints; the rest of the spec is the trainer's to check.
absl::Status CheckStartRun(const v1::StartRunRequest& request);

// Names, sizes, batches, knobs and plugins; what the run that is forked has, its journal and the trainer know.
absl::Status CheckFork(const v1::ForkRequest& request);

// An array of the right make and at most kMaxPredictBytes, and a choice that makes sense.
absl::Status CheckPredict(const v1::PredictRequest& request);

// SPEC_INVALID, blaming "model", "model.saved_file" or "part".
absl::Status CheckModelChoice(const v1::ModelChoice& choice);
absl::Status CheckEvaluate(const v1::EvaluateRequest& request);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_VALIDATE_H_
