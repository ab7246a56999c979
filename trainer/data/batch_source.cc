#include "trainer/data/batch_source.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "proto/support/error.h"
#include "trainer/data/page_buffer.h"

namespace pilothouse::trainer {
namespace {

// Rows that are converted, or looked at, at once.
constexpr int64_t kBlockRows = 256;

absl::Status RefuseNumber(int64_t row, double value) {
  const std::string number = absl::StrCat(row + 1);
  return MakeError(
      v1::ERROR_REASON_DATA_MALFORMED, "data",
      absl::StrCat("Row ", number, " holds ", value, ", which is too large for float32; choose precision float64."),
      {{"row", number}, {"value", absl::StrCat(value)}});
}

// `rows` are all those of the set, from place `begin` on, of which [count] have been gathered into `gathered`.
template <typename T>
absl::Status CheckFinite(const ExampleSet& examples, const NumberTable& table,
                         const std::shared_ptr<const Standardization>& standardization, int64_t begin,
                         ConstMatrixView<T> gathered) {
  if (gathered.allFinite()) return absl::OkStatus();
  int64_t place = 0;
  while (gathered.data()[place] - gathered.data()[place] == 0) ++place;
  const int64_t row = examples.rows[begin + place / gathered.cols()];
  std::vector<double> values(static_cast<size_t>(table.columns));
  RowGatherer<double>(table, standardization).Gather({row}, values.data());
  return RefuseNumber(row, values[static_cast<size_t>(place % gathered.cols())]);
}

// Whether a copy of the numbers in another type is worth its memory.
bool IsWorthHolding(const NumberTable& table, int64_t bytes) {
  const StoredNumbers elements = ElementsOf(table);
  return bytes <= (elements.mapped ? kMostHeldBytes : std::max(kMostHeldBytes, table.rows * elements.row_bytes));
}

}  // namespace

template <typename T>
BatchSource<T>::BatchSource(Batcher batcher, const ExampleSet& examples, Table inputs, Table targets)
    : batcher_(std::move(batcher)), rows_(examples.rows), inputs_(std::move(inputs)), targets_(std::move(targets)) {
  if (examples.data->weights.empty()) return;
  weights_.all.reserve(static_cast<size_t>(rows_.size()));
  for (int64_t i = 0; i < rows_.size(); ++i) {
    weights_.all.push_back(examples.data->weights[static_cast<size_t>(rows_[i])]);
  }
  weights_.mean =
      std::accumulate(weights_.all.begin(), weights_.all.end(), 0.0) / static_cast<double>(weights_.all.size());
}

template <typename T>
absl::StatusOr<typename BatchSource<T>::Table> BatchSource<T>::Prepare(
    const ExampleSet& examples, const NumberTable& table,
    const std::shared_ptr<const Standardization>& standardization) {
  RowGatherer<T> rows(table, standardization);
  const int64_t count = examples.rows.size();
  const int64_t row_bytes = table.columns * static_cast<int64_t>(sizeof(T));
  const bool hold = rows.InPlace(0) == nullptr && IsWorthHolding(table, count * row_bytes);
  if (!hold && rows.AllFit()) return Table{std::move(rows)};
  const auto buffer = std::make_shared<PageBuffer>(row_bytes * (hold ? count : std::min(kBlockRows, count)));
  std::vector<int64_t> numbers;
  for (int64_t begin = 0; begin < count; begin += kBlockRows) {
    numbers.clear();
    for (int64_t i = begin; i < std::min(begin + kBlockRows, count); ++i) numbers.push_back(examples.rows[i]);
    T* const block = reinterpret_cast<T*>(buffer->data() + (hold ? begin * row_bytes : 0));
    rows.Gather(numbers, block);
    const ConstMatrixView<T> gathered(block, static_cast<int64_t>(numbers.size()), table.columns);
    absl::Status status = CheckFinite<T>(examples, table, standardization, begin, gathered);
    if (!status.ok()) return status;
  }
  if (!hold) return Table{std::move(rows)};
  StoredNumbers elements;
  elements.type = kElementTypeOf<T>;
  elements.elements = buffer->data();
  elements.row_bytes = row_bytes;
  elements.runs = {{0, table.columns}};
  elements.owner = buffer;
  return Table{RowGatherer<T>({count, table.columns, {}, std::move(elements)}, nullptr), /*held=*/true};
}

template <typename T>
absl::StatusOr<BatchSource<T>> BatchSource<T>::Create(const ExampleSet& examples, Batcher batcher) {
  absl::StatusOr<Table> inputs = Prepare(examples, examples.data->inputs, examples.standardization);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<Table> targets = Prepare(examples, examples.data->targets, nullptr);
  if (!targets.ok()) return targets.status();
  const bool all_held = inputs->held && targets->held;
  BatchSource source(std::move(batcher), examples, *std::move(inputs), *std::move(targets));
  if (!all_held) source.data_ = examples.data;
  return source;
}

template <typename T>
ConstMatrixView<T> BatchSource<T>::Rows(absl::Span<const int64_t> places, Table& table) {
  const auto count = static_cast<int64_t>(places.size());
  const int64_t columns = table.rows.columns();
  if (batcher_.order() == ExampleOrder::kKept && (table.held || rows_.together())) {
    const T* const in_place = table.rows.InPlace(table.held ? places.front() : rows_[places.front()]);
    if (in_place != nullptr) return {in_place, count, columns};
  }
  // The first batch is never smaller than those that follow.
  if (table.gathered.rows() < count) table.gathered.resize(count, columns);
  if (!table.held) {
    numbers_.resize(places.size());
    for (size_t i = 0; i < places.size(); ++i) numbers_[i] = rows_[places[i]];
    places = numbers_;
  }
  table.rows.Gather(places, table.gathered.data());
  return {table.gathered.data(), count, columns};
}

template <typename T>
absl::Span<const double> BatchSource<T>::Weights::Rows(absl::Span<const int64_t> places, bool together) {
  if (all.empty()) return {};
  if (together) return absl::MakeConstSpan(all).subspan(static_cast<size_t>(places.front()), places.size());
  if (gathered.size() < places.size()) gathered.resize(places.size());
  for (size_t i = 0; i < places.size(); ++i) gathered[i] = all[static_cast<size_t>(places[i])];
  return absl::MakeConstSpan(gathered).first(places.size());
}

template <typename T>
ExampleViews<T> BatchSource<T>::Batch(int64_t batch) {
  const absl::Span<const int64_t> places = batcher_.Rows(batch);
  const bool together = batcher_.order() == ExampleOrder::kKept;
  return {Rows(places, inputs_), Rows(places, targets_), weights_.Rows(places, together), weights_.mean};
}

template class BatchSource<float>;
template class BatchSource<double>;

}  // namespace pilothouse::trainer
