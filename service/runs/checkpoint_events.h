// The checkpoints of a run, as its journal and its folder know them. Blocks on the disk; pure otherwise, and
// thread-safe.
#ifndef PILOTHOUSE_SERVICE_RUNS_CHECKPOINT_EVENTS_H_
#define PILOTHOUSE_SERVICE_RUNS_CHECKPOINT_EVENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/journal/journal_reader.h"
#include "service/runs/pending_controls.h"
#include "service/runs/run_place.h"

namespace pilothouse::service {

// Checkpoints that are listed at most; of more, the newest.
inline constexpr size_t kMaxListedCheckpoints = 10'000;

// The name of the branch that a checkpoint belongs to; empty: the present line. `branches` are the run's, the oldest
// first: the n-th of them ended the n-th line, counted from 0.
std::string BranchOf(const v1::CheckpointReport& report,
                     const google::protobuf::RepeatedPtrField<v1::Branch>& branches);

// The checkpoints of `run` whose files are there, and those that were pinned and are gone: by batch, the newest first;
// those of branches after those of the present line. Looks at the files, but does not read them. JOURNAL_FAILED.
absl::StatusOr<std::vector<v1::Checkpoint>> ListCheckpoints(const RunPlace& place, const v1::Run& run);

// The batch of the one that `run` would be gone on from: the newest of its present line that is recorded, there, and as
// large as it was; nullopt if there is none.
std::optional<int64_t> NewestGoodCheckpoint(const RunPlace& place, const v1::Run& run);

struct SavedParameters {
  std::string path;
  // The batch after which they stood so.
  int64_t batch = 0;
  // Of the file's content; empty where the journal does not know it.
  std::string sha256;
};
// Files that hold the same parameters are tried at most; of more, the first.
inline constexpr size_t kMaxTwins = 8;
// The files that hold the parameters of `one`, which is among `known`, those of ListCheckpoints: its own, and those of
// checkpoints of the same batch and branch with the same state. Those first that are as large as they were written, and
// among equals `one`. Not empty, and at most kMaxTwins. Pure.
std::vector<SavedParameters> TwinsOf(const RunPlace& place, const std::vector<v1::Checkpoint>& known,
                                     const v1::Checkpoint& one);
// The newest checkpoint on the present line of a run that has ended, whether or not it is as it was written, and those
// that hold the same, as TwinsOf; empty if there is none.
std::vector<SavedParameters> NewestCheckpoint(const RunPlace& place, const v1::Run& run);

// What became of the checkpoint that the control with this receipt asked for: nullopt if that is not journaled yet.
// JOURNAL_FAILED.
absl::StatusOr<std::optional<v1::Event>> FindCheckpoint(const RunPlace& place, const v1::Receipt& receipt);
// The outcome that `event` is to that control: its checkpoint, or SAVE_FAILED.
absl::StatusOr<ControlOutcome> OutcomeOfCheckpoint(const v1::Receipt& receipt, const v1::Event& event);
// SAVE_FAILED, for one that nothing will be heard of any more.
absl::Status CheckpointForgotten();

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_CHECKPOINT_EVENTS_H_
