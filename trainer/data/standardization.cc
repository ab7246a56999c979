#include "trainer/data/standardization.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/row_gatherer.h"

namespace pilothouse::trainer {
namespace {

// Rows that are converted at once.
constexpr int64_t kBlockRows = 64;

// Calls visit(column, value, weight of its row) for every value, row by row.
template <typename Visit>
void ForEach(const NumberTable& table, const RowSelection& rows, absl::Span<const double> weights, Visit visit) {
  const RowGatherer<double> gatherer(table, nullptr);
  std::vector<double> block(static_cast<size_t>(std::min(kBlockRows, rows.size()) * table.columns));
  std::vector<int64_t> numbers;
  for (int64_t begin = 0; begin < rows.size(); begin += kBlockRows) {
    numbers.clear();
    for (int64_t i = begin; i < std::min(begin + kBlockRows, rows.size()); ++i) numbers.push_back(rows[i]);
    gatherer.Gather(numbers, block.data());
    const double* value = block.data();
    for (const int64_t row : numbers) {
      const double weight = weights.empty() ? 1 : weights[static_cast<size_t>(row)];
      for (size_t column = 0; column < static_cast<size_t>(table.columns); ++column) visit(column, *value++, weight);
    }
  }
}

}  // namespace

absl::StatusOr<Standardization> MeasureStandardization(const NumberTable& inputs, const RowSelection& rows,
                                                       absl::Span<const double> weights) {
  const auto columns = static_cast<size_t>(inputs.columns);
  double of_all = weights.empty() ? static_cast<double>(rows.size()) : 0;
  if (!weights.empty()) {
    for (int64_t i = 0; i < rows.size(); ++i) of_all += weights[static_cast<size_t>(rows[i])];
  }
  std::vector<double> first(columns);
  RowGatherer<double>(inputs, nullptr).Gather({rows[0]}, first.data());
  std::vector<double> mean(columns);
  ForEach(inputs, rows, weights, [&](size_t column, double value, double weight) { mean[column] += weight * value; });
  for (double& sum : mean) sum /= of_all;

  // A second pass over differences from the mean keeps the digits that a sum of squares would lose. What the
  // differences themselves still add up to is the rounding error of the mean.
  std::vector<double> squares(columns);
  std::vector<double> residue(columns);
  std::vector<bool> varies(columns);
  ForEach(inputs, rows, weights, [&](size_t column, double value, double weight) {
    const double difference = value - mean[column];
    squares[column] += weight * difference * difference;
    residue[column] += weight * difference;
    varies[column] = varies[column] || value != first[column];
  });

  Standardization result{std::move(mean), std::vector<double>(columns, 1)};
  for (size_t column = 0; column < columns; ++column) {
    if (!varies[column]) {
      result.mean[column] = first[column];
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
