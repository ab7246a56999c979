// Checkpoints, rewinds and forks in words and tables. Pure and thread-safe; all text is safe for a terminal (see
// Printable).
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_OUTPUT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// "checkpoint of batch 1200 written: 1.2 MB, pinned", "CHECKPOINT of batch 1200 FAILED: the disk is full. Training goes
// on."
std::string CheckpointEventText(const v1::CheckpointReport& report);
// "rewind to 4,000, what came after is rewind-1", "checkpoint, pinned". REQUIRES: one of these.
std::string LineageControlText(const v1::ControlReport& control);

// "checkpoint of batch 1200: 1.2 MB in checkpoints/batch-000000001200.safetensors, pinned (receipt 57)".
std::string SavedLine(const v1::SaveCheckpointResponse& response);
// Where the run is now, and how to go on; several lines, the last without its end.
std::string RewoundText(const std::string& run_id, const v1::Receipt& receipt);
// What was made, and how to go on; several lines, the last without its end.
std::string ForkedText(const v1::Run& run, bool watched);

// "gone", "damaged"; empty: nothing is known to be wrong with it.
std::string ConditionWord(v1::CheckpointCondition condition);
// The checkpoint with the lowest validation loss, of those with whose files nothing is wrong; of equals, the one of the
// lowest batch. −1: none has one.
int IndexOfBest(const v1::ListCheckpointsResponse& list);
// Each line ended.
std::string CheckpointTable(const v1::ListCheckpointsResponse& list);

// "4,000–5,200".
std::string BatchRange(int64_t from, int64_t through);
// Rows of RunPage: where the run was forked from, its branches, newest checkpoint and restarts, as far as there are
// any.
std::vector<std::vector<std::string>> LineageRows(const v1::Run& run, absl::Time now);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_OUTPUT_H_
