// The examples of a batch as matrices, ready to be learnt from.
#ifndef PILOTHOUSE_TRAINER_DATA_BATCH_SOURCE_H_
#define PILOTHOUSE_TRAINER_DATA_BATCH_SOURCE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/data/batcher.h"
#include "trainer/data/dataset.h"
#include "trainer/data/row_gatherer.h"
#include "trainer/data/row_selection.h"
#include "trainer/data/standardization.h"
#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// Up to so many bytes, a table is held in memory in the type that the network computes in, rather than converted batch
// by batch.
inline constexpr int64_t kMostHeldBytes = 32 << 20;

// Row i of `inputs` belongs to row i of `targets`.
template <typename T>
struct ExampleViews {
  ConstMatrixView<T> inputs;
  ConstMatrixView<T> targets;
  // That of each row; empty where the data have none.
  absl::Span<const double> weights = {};
  // Of all examples that there are to be had, not only of these; 1 where the data have no weights.
  double mean_weight = 1;
};

// Examples of a dataset, which others may use at the same time.
struct ExampleSet {
  std::shared_ptr<const Dataset> data;
  RowSelection rows;
  // Null: inputs are taken as they are. Targets always are.
  std::shared_ptr<const Standardization> standardization = {};
};

// Gives examples in the type the network computes in, T: float or double, and the inputs standardised.
//
// Where a table is in T already, it is used as it is; rows are gathered from it, and those that lie together are not
// even copied. Another table is converted once, if that takes little memory (kMostHeldBytes) or no more than the table
// itself, which can go then; a larger one, such as a mapped file, is converted row by row as batches need it. The
// numbers are the same to the last bit either way. Not thread-safe.
template <typename T>
class BatchSource {
 public:
  // `batcher` counts the set's rows. Error: DATA_MALFORMED for a number that T cannot hold.
  static absl::StatusOr<BatchSource> Create(const ExampleSet& examples, Batcher batcher);

  int64_t batches_per_epoch() const { return batcher_.batches_per_epoch(); }

  // The examples of `batch`, valid until the next call. Nothing is allocated after the first call.
  // REQUIRES: batch >= 1.
  ExampleViews<T> Batch(int64_t batch);

 private:
  // The examples' rows of one table.
  struct Table {
    RowGatherer<T> rows;
    // Whether the examples are gathered from a copy of their rows, rather than from the dataset's table.
    bool held = false;
    // Those of the last batch, if they did not lie together.
    Matrix<T> gathered = {};
  };

  // The examples' weights; empty where they have none.
  struct Weights {
    std::vector<double> all;
    double mean = 1;
    // Those of the last batch, if its rows did not lie together.
    std::vector<double> gathered;

    absl::Span<const double> Rows(absl::Span<const int64_t> places, bool together);
  };

  BatchSource(Batcher batcher, const ExampleSet& examples, Table inputs, Table targets);

  static absl::StatusOr<Table> Prepare(const ExampleSet& examples, const NumberTable& table,
                                       const std::shared_ptr<const Standardization>& standardization);

  // `places` are those of the batch's rows among the examples.
  ConstMatrixView<T> Rows(absl::Span<const int64_t> places, Table& table);

  Batcher batcher_;
  RowSelection rows_;
  Table inputs_;
  Table targets_;
  Weights weights_;
  // What is gathered from; null if everything is held.
  std::shared_ptr<const Dataset> data_;
  // Of a batch, in the dataset.
  std::vector<int64_t> numbers_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_BATCH_SOURCE_H_
