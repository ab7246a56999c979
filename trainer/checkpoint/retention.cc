#include "trainer/checkpoint/retention.h"

#include <algorithm>
#include <cmath>

namespace pilothouse::trainer {
namespace {

bool HasLoss(const KeptCheckpoint& checkpoint) {
  return checkpoint.recorded && checkpoint.validation_loss.has_value() && std::isfinite(*checkpoint.validation_loss);
}

// checkpoints.size(): there is none.
size_t Best(const std::vector<KeptCheckpoint>& checkpoints) {
  size_t best = checkpoints.size();
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (!HasLoss(checkpoints[i])) continue;
    if (best == checkpoints.size() || *checkpoints[i].validation_loss < *checkpoints[best].validation_loss) best = i;
  }
  return best;
}

}  // namespace

std::vector<size_t> NotNeeded(const CheckpointRetention& retention, const std::vector<KeptCheckpoint>& checkpoints) {
  const size_t best = retention.keep_best ? Best(checkpoints) : checkpoints.size();
  const int keep_last = std::max(retention.keep_last, 1);
  int recorded = 0;
  int unrecorded = 0;
  bool announced = false;
  std::vector<size_t> not_needed;
  // From the newest to the oldest.
  for (size_t i = checkpoints.size(); i-- > 0;) {
    const KeptCheckpoint& checkpoint = checkpoints[i];
    const bool is_new = checkpoint.recorded ? recorded++ < keep_last : unrecorded++ < kMaxUnrecordedCheckpoints;
    const bool is_one_of_every =
        checkpoint.recorded && retention.keep_every > 0 && checkpoint.batch % retention.keep_every == 0;
    const bool is_newest_announced = checkpoint.announced && !checkpoint.recorded && !announced;
    announced = announced || is_newest_announced;
    if (checkpoint.pinned || is_new || is_one_of_every || is_newest_announced || i == best) continue;
    not_needed.push_back(i);
  }
  std::reverse(not_needed.begin(), not_needed.end());
  return not_needed;
}

}  // namespace pilothouse::trainer
