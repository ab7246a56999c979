// Rows of a table in the type a network computes in.
#ifndef PILOTHOUSE_TRAINER_DATA_ROW_GATHERER_H_
#define PILOTHOUSE_TRAINER_DATA_ROW_GATHERER_H_

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "trainer/data/number_table.h"
#include "trainer/data/standardization.h"

namespace pilothouse::trainer {

// T is float or double. A number x of column c becomes T(x), or, standardised, T((x − mean[c]) / deviation[c]) with the
// difference and the quotient in float64: the same bits whatever type x is stored in and however many rows are gathered
// at once. Immutable and thread-safe.
template <typename T>
class RowGatherer {
 public:
  // `table` must stay as it is. Without `standardization`, numbers are taken as they are.
  RowGatherer(const NumberTable& table, std::shared_ptr<const Standardization> standardization);

  int64_t columns() const { return columns_; }

  // Writes the rows, numbered from 0, to `to` of shape [rows.size()][columns()]. Allocates nothing.
  void Gather(absl::Span<const int64_t> rows, T* to) const;

  // Where `row` and those after it lie as Gather would write them, or null: the elements are of another type, have to
  // be standardised, have gaps, or do not begin as a Matrix does (matrix.h).
  const T* InPlace(int64_t row) const {
    return first_in_place_ == nullptr ? nullptr : first_in_place_ + row * columns_;
  }

  // Whether every number of the table is known to be finite in T. Looks at bounds, not at numbers.
  bool AllFit() const;

 private:
  const T* FirstInPlace() const;

  // Converts `count` elements of one row, beginning with column `column` of the table.
  using ConvertRun = void (*)(const char* from, int64_t count, const Standardization* standardization, int64_t column,
                              T* to);

  const StoredNumbers elements_;
  const int64_t columns_;
  const int64_t element_bytes_;
  const std::shared_ptr<const Standardization> standardization_;
  const ConvertRun convert_;
  // Null: Gather has to be asked.
  const T* const first_in_place_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ROW_GATHERER_H_
