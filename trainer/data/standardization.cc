#include "trainer/data/standardization.h"

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

// Calls visit(column, value, weight of its row) for every value, row by row, as it lies in memory.
template <typename Visit>
void ForEach(const NumberTable& table, absl::Span<const double> weights, Visit visit) {
  const double* value = table.values.data();
  for (int64_t row = 0; row < table.rows; ++row) {
    const double weight = weights.empty() ? 1 : weights[static_cast<size_t>(row)];
    for (size_t column = 0; column < static_cast<size_t>(table.columns); ++column) visit(column, *value++, weight);
  }
}

}  // namespace

absl::StatusOr<Standardization> MeasureStandardization(const NumberTable& inputs, absl::Span<const double> weights) {
  const auto columns = static_cast<size_t>(inputs.columns);
  const double of_all =
      weights.empty() ? static_cast<double>(inputs.rows) : std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> mean(columns);
  ForEach(inputs, weights, [&](size_t column, double value, double weight) { mean[column] += weight * value; });
  for (double& sum : mean) sum /= of_all;

  // A second pass over differences from the mean keeps the digits that a sum of squares would lose. What the
  // differences themselves still add up to is the rounding error of the mean.
  std::vector<double> squares(columns);
  std::vector<double> residue(columns);
  std::vector<bool> varies(columns);
  ForEach(inputs, weights, [&](size_t column, double value, double weight) {
    const double difference = value - mean[column];
    squares[column] += weight * difference * difference;
    residue[column] += weight * difference;
    varies[column] = varies[column] || value != inputs.values[column];
  });

  Standardization result{std::move(mean), std::vector<double>(columns, 1)};
  for (size_t column = 0; column < columns; ++column) {
    if (!varies[column]) {
      result.mean[column] = inputs.values[column];
      continue;
    }
    const double shift = residue[column] / of_all;
    const double deviation = std::sqrt(squares[column] / of_all - shift * shift);
    result.mean[column] += shift;
    if (!std::isfinite(deviation) || deviation == 0) {
      return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data.standardize",
                       absl::StrCat("Column ", column + 1,
                                    " of the inputs cannot be standardised: its numbers are too large or too small."),
                       {{"column", absl::StrCat(column + 1)}});
    }
    result.deviation[column] = deviation;
  }
  return result;
}

void Standardize(const Standardization& standardization, absl::Span<double> rows) {
  const size_t columns = standardization.mean.size();
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t column = i % columns;
    rows[i] = (rows[i] - standardization.mean[column]) / standardization.deviation[column];
  }
}

}  // namespace pilothouse::trainer
