// The examples of a batch as matrices, ready to be learnt from.
#ifndef PILOTHOUSE_TRAINER_DATA_BATCH_SOURCE_H_
#define PILOTHOUSE_TRAINER_DATA_BATCH_SOURCE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/data/batcher.h"
#include "trainer/data/dataset.h"
#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// Row i of `inputs` belongs to row i of `targets`.
template <typename T>
struct ExampleViews {
  ConstMatrixView<T> inputs;
  ConstMatrixView<T> targets;
  // That of each row; empty where the data have none.
  absl::Span<const double> weights = {};
};

// Holds the data in the type the network computes in, T: float or double. Not thread-safe.
template <typename T>
class BatchSource {
 public:
  // Error: DATA_MALFORMED for a number that T cannot hold.
  static absl::StatusOr<BatchSource> Create(Dataset data, Batcher batcher);

  int64_t batches_per_epoch() const { return batcher_.batches_per_epoch(); }

  // The examples of `batch`, valid until the next call. Rows that lie together are not copied, others are gathered in a
  // buffer; nothing is allocated after the first call. REQUIRES: batch >= 1.
  ExampleViews<T> Batch(int64_t batch);

 private:
  // A table and the buffer its rows are gathered in.
  struct Table {
    Matrix<T> all;
    Matrix<T> gathered;

    ConstMatrixView<T> Rows(absl::Span<const int64_t> rows, bool together);
  };

  // The same for weights.
  struct Weights {
    std::vector<double> all;
    std::vector<double> gathered;

    absl::Span<const double> Rows(absl::Span<const int64_t> rows, bool together);
  };

  BatchSource(Batcher batcher, Matrix<T> inputs, Matrix<T> targets, std::vector<double> weights);

  Batcher batcher_;
  Table inputs_;
  Table targets_;
  Weights weights_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_BATCH_SOURCE_H_
