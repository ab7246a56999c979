#include "trainer/data/batch_source.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

// Moves the values of `table`, a table of `data`, out of it.
template <typename T>
absl::StatusOr<Matrix<T>> Convert(const Dataset& data, NumberTable&& from) {
  const NumberTable table = std::move(from);
  Matrix<T> matrix(table.rows, table.columns);
  for (int64_t i = 0; i < matrix.size(); ++i) {
    const double value = table.values[static_cast<size_t>(i)];
    matrix.data()[i] = static_cast<T>(value);
    if (std::isfinite(matrix.data()[i])) continue;
    const std::string row = absl::StrCat(RowNumber(data, i / table.columns) + 1);
    return MakeError(
        v1::ERROR_REASON_DATA_MALFORMED, "data",
        absl::StrCat("Row ", row, " holds ", value, ", which is too large for float32; choose precision float64."),
        {{"row", row}, {"value", absl::StrCat(value)}});
  }
  return matrix;
}

}  // namespace

template <typename T>
BatchSource<T>::BatchSource(Batcher batcher, Matrix<T> inputs, Matrix<T> targets, std::vector<double> weights)
    : batcher_(std::move(batcher)) {
  inputs_.all = std::move(inputs);
  targets_.all = std::move(targets);
  weights_.all = std::move(weights);
}

template <typename T>
absl::StatusOr<BatchSource<T>> BatchSource<T>::Create(Dataset data, Batcher batcher) {
  absl::StatusOr<Matrix<T>> inputs = Convert<T>(data, std::move(data.inputs));
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<Matrix<T>> targets = Convert<T>(data, std::move(data.targets));
  if (!targets.ok()) return targets.status();
  return BatchSource(std::move(batcher), *std::move(inputs), *std::move(targets), std::move(data.weights));
}

template <typename T>
ConstMatrixView<T> BatchSource<T>::Table::Rows(absl::Span<const int64_t> rows, bool together) {
  const auto count = static_cast<int64_t>(rows.size());
  if (together) return {all.data() + rows.front() * all.cols(), count, all.cols()};
  // The first batch is never smaller than those that follow.
  if (gathered.rows() < count) gathered.resize(count, all.cols());
  for (int64_t i = 0; i < count; ++i) gathered.row(i) = all.row(rows[static_cast<size_t>(i)]);
  return {gathered.data(), count, all.cols()};
}

template <typename T>
absl::Span<const double> BatchSource<T>::Weights::Rows(absl::Span<const int64_t> rows, bool together) {
  if (all.empty()) return {};
  if (together) return absl::MakeConstSpan(all).subspan(static_cast<size_t>(rows.front()), rows.size());
  if (gathered.size() < rows.size()) gathered.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) gathered[i] = all[static_cast<size_t>(rows[i])];
  return absl::MakeConstSpan(gathered).first(rows.size());
}

template <typename T>
ExampleViews<T> BatchSource<T>::Batch(int64_t batch) {
  const absl::Span<const int64_t> rows = batcher_.Rows(batch);
  const bool together = batcher_.order() == ExampleOrder::kKept;
  return {inputs_.Rows(rows, together), targets_.Rows(rows, together), weights_.Rows(rows, together)};
}

template class BatchSource<float>;
template class BatchSource<double>;

}  // namespace pilothouse::trainer
