#include "trainer/data/batcher.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "trainer/net/random.h"

namespace pilothouse::trainer {

Batcher::Batcher(int64_t rows, int64_t batch_size, ExampleOrder order, uint64_t seed)
    : batch_size_(batch_size), order_(order), seed_(seed), rows_(static_cast<size_t>(rows)) {
  std::iota(rows_.begin(), rows_.end(), 0);
}

int64_t Batcher::batches_per_epoch() const {
  return (static_cast<int64_t>(rows_.size()) + batch_size_ - 1) / batch_size_;
}

absl::Span<const int64_t> Batcher::Rows(int64_t batch) {
  const int64_t epoch = (batch - 1) / batches_per_epoch();
  if (order_ == ExampleOrder::kShuffled && epoch != epoch_) Shuffle(epoch);
  const int64_t first = (batch - 1) % batches_per_epoch() * batch_size_;
  return absl::MakeConstSpan(rows_).subspan(static_cast<size_t>(first), static_cast<size_t>(batch_size_));
}

void Batcher::Shuffle(int64_t epoch) {
  const RandomStream random(seed_, RandomPurpose::kShuffle, static_cast<uint64_t>(epoch));
  // From the rows' own order, not from that of the epoch before: an epoch must not depend on which others were seen.
  std::iota(rows_.begin(), rows_.end(), 0);
  for (uint64_t i = rows_.size() - 1; i > 0; --i) std::swap(rows_[i], rows_[random.Below(i + 1, i)]);
  epoch_ = epoch;
}

}  // namespace pilothouse::trainer
