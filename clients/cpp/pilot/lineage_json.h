// Checkpoints and lineage as JSON. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_JSON_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_JSON_H_

#include <string>

#include "clients/cpp/pilot/json_values.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// The receipt's fields, and `checkpoint`.
std::string SavedJson(const std::string& run_id, const v1::SaveCheckpointResponse& response);
// {"run_id": …, "checkpoints": […]}.
std::string CheckpointsJson(const std::string& run_id, const v1::ListCheckpointsResponse& list);

// The fields that a checkpoint's event has besides those of every event.
void AddCheckpointReport(const v1::CheckpointReport& report, Json& json);
// Adds parent, branches, checkpoint_batch, checkpoint_time and restarts.
void AddLineage(const v1::Run& run, Json& json);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_JSON_H_
