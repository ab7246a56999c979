// Shifting and scaling every column of the inputs to mean 0 and standard deviation 1. Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_DATA_STANDARDIZATION_H_
#define PILOTHOUSE_TRAINER_DATA_STANDARDIZATION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/data/number_table.h"
#include "trainer/data/row_selection.h"

namespace pilothouse::trainer {

// One value a column; deviations are above 0.
struct Standardization {
  std::vector<double> mean;
  std::vector<double> deviation;
};

// Measures, in each column, μ = Σ w·x / Σ w and the population standard deviation √(Σ w·(x − μ)² / Σ w) of these rows,
// added up in this order, as if each were there w times. `weights` are those of all the table's rows, above 0 where
// they are used; without any, every w is 1, and the divisor is the number of rows. A constant column gets deviation 1,
// so that it is only shifted. Error: DATA_MALFORMED if a column's numbers are too large to be squared. REQUIRES: at
// least one row.
absl::StatusOr<Standardization> MeasureStandardization(const NumberTable& inputs, const RowSelection& rows,
                                                       absl::Span<const double> weights = {});

// Replaces each value x by (x − mean) / deviation. REQUIRES: `rows` holds whole rows.
void Standardize(const Standardization& standardization, absl::Span<double> rows);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_STANDARDIZATION_H_
