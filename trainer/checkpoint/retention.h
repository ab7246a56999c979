// Which checkpoints of a run are still needed.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_RETENTION_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_RETENTION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace pilothouse::trainer {

// Of checkpoints that the service has not recorded yet, so many of the newest are kept.
inline constexpr int kMaxUnrecordedCheckpoints = 2;

// Which checkpoints are kept, besides those that are pinned. Fields as in v1::CheckpointSpec.
struct CheckpointRetention {
  int keep_last = 3;
  int64_t keep_every = 0;
  bool keep_best = false;
};

// What decides about a checkpoint.
struct KeptCheckpoint {
  int64_t batch = 0;
  bool pinned = false;
  // The journal knows it.
  bool recorded = false;
  std::optional<double> validation_loss;
  // The journal does not, but what tells it of this checkpoint, and of all controls before, is on the disk, and will be
  // in the journal before another trainer goes on.
  bool announced = false;
};

// The places, in rising order, of those in `checkpoints`, which are in the order in which they were written, that are
// not needed. Needed is what is pinned, whatever else holds; of those that are recorded
// - the newest `keep_last`, and the newest in any case, since the run goes on from it;
// - those whose batch is a multiple of `keep_every`, if that is not 0;
// - with `keep_best`, the one with the lowest finite validation loss, of equals the first;
// and the newest kMaxUnrecordedCheckpoints of the others, and of these the newest that is announced. Pure and
// thread-safe.
std::vector<size_t> NotNeeded(const CheckpointRetention& retention, const std::vector<KeptCheckpoint>& checkpoints);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_RETENTION_H_
