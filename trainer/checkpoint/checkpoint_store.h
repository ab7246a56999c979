// The checkpoints of a run on the disk: written beside training, found again, and removed when they are no longer
// needed.
//
//   <run directory>/checkpoints/batch-000000000050.safetensors
//
// A safetensors file: the tensors of the state, and its texts as metadata, so that other programs can read the
// parameters. A second one of the same batch is called batch-000000000050-2.safetensors: no file ever changes, and no
// name is used for another content, also once its file was removed.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_CHECKPOINT_STORE_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_CHECKPOINT_STORE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/checkpoint/retention.h"
#include "trainer/checkpoint/saved_state.h"

namespace pilothouse::trainer {

// The folder of checkpoints in a run's directory.
inline constexpr char kCheckpointFolder[] = "checkpoints";
// Checkpoints that may wait while another is being written: each holds a copy of the run's state.
inline constexpr int kMaxWaitingCheckpoints = 1;
// Fields as in v1::CheckpointReport.
struct CheckpointFacts {
  int64_t batch = 0;
  int64_t controls = 0;
  int64_t line = 0;
  bool pinned = false;
  std::string request_id;
  std::optional<double> validation_loss;
  std::chrono::nanoseconds held_up{0};
};

struct CheckpointRequest {
  CheckpointFacts facts;
  // The text "batch" is added to it.
  SavedState state;
  // Of the learner's part of the state: what its own Save gave. Called once the file is written, on the thread that
  // wrote it. May be null.
  std::function<std::string()> state_hash;
};

// What became of a request.
struct CheckpointOutcome {
  CheckpointFacts facts;
  // SAVE_FAILED: why it could not be written, with the file and the system's words. Nothing was left behind.
  absl::Status status;
  // Relative to the run's directory.
  std::string file;
  // Of the file's content; of the learner's state.
  std::string sha256;
  std::string state_sha256;
  int64_t bytes = 0;
  // From the first byte until the file would have survived a crash of the machine.
  std::chrono::nanoseconds writing{0};
};

// A checkpoint that the journal knows.
struct RecordedCheckpoint {
  CheckpointFacts facts;
  std::string file;
  std::string sha256;
};

// A run goes on only from checkpoints that the journal knows: only of those it is certain that all controls before them
// are in the journal, too. So retention (see retention.h) counts only recorded ones, and never removes the newest of
// them. One that is pinned is never removed. What is not needed any more is removed after the next one was written or
// recorded.
//
// CanTake, Submit, WriteNow and Recorded are for one thread at a time.
class CheckpointStore {
 public:
  // Called on the store's thread when a submitted checkpoint has been written, or could not be.
  using Done = std::function<void(CheckpointOutcome)>;

  // `recorded` are those of the run that the journal knows already, oldest first. Removes what an interrupted write
  // left behind. Does not fail: what is wrong with the folder shows when something is written. Files that the journal
  // does not know, from a trainer that died, are kept until one of no earlier batch is recorded; from then on they
  // count among those that are not recorded, as the oldest.
  CheckpointStore(std::string run_directory, CheckpointRetention retention, std::vector<RecordedCheckpoint> recorded,
                  Done done);
  // Waits for the one being written; those that wait are dropped.
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  // Whether Submit would take one now: whoever asks first need not copy the state in vain.
  bool CanTake() const;
  // Takes a checkpoint to be written on the store's thread. False, without having taken it, while
  // kMaxWaitingCheckpoints wait.
  bool Submit(CheckpointRequest request);
  // Writes one on the caller's thread, after those that were submitted: Done has been called for them, and their
  // outcomes are to be reported first. Not to be called by Done.
  CheckpointOutcome WriteNow(const CheckpointRequest& request);

  // So many of those that were written well in this store's life have been recorded, in the order in which they were
  // reported, and `announced` have been, or what tells of them is on the disk, see retention.h. Returns at once.
  void Recorded(int64_t count, int64_t announced = 0);

 private:
  class Writer;
  const std::unique_ptr<Writer> writer_;
};

// Reads a checkpoint. CHECKPOINT_DAMAGED, naming the file and the cause, if it is no checkpoint or not of this content;
// an empty `sha256` is not compared. Errors of ReadFileContent, if it is missing or cannot be read. Thread-safe.
absl::StatusOr<SavedState> ReadCheckpoint(const std::string& path, const std::string& sha256);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_CHECKPOINT_STORE_H_
