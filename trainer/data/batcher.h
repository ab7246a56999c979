// Which examples make up batch b. With a batch size of s, an epoch of r rows has ceil(r / s) batches, the last of which
// may be shorter. Batches count from 1 and go through epoch after epoch.
//
// A shuffled epoch has an order of its own, which the seed and the epoch's number determine: a run's position in its
// data is its batch and nothing else.
#ifndef PILOTHOUSE_TRAINER_DATA_BATCHER_H_
#define PILOTHOUSE_TRAINER_DATA_BATCHER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace pilothouse::trainer {

enum class ExampleOrder { kKept, kShuffled };

// Not thread-safe.
class Batcher {
 public:
  // REQUIRES: 1 <= batch_size <= rows.
  Batcher(int64_t rows, int64_t batch_size, ExampleOrder order, uint64_t seed);

  int64_t batches_per_epoch() const;
  ExampleOrder order() const { return order_; }

  // The rows of `batch`, from 0, valid until the next call. Where the order is kept they follow each other.
  // Allocates nothing. REQUIRES: batch >= 1.
  absl::Span<const int64_t> Rows(int64_t batch);

 private:
  // A Fisher-Yates shuffle of all rows.
  void Shuffle(int64_t epoch);

  int64_t batch_size_;
  ExampleOrder order_;
  uint64_t seed_;
  // The epoch whose order `rows_` has; −1: none.
  int64_t epoch_ = -1;
  std::vector<int64_t> rows_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_BATCHER_H_
