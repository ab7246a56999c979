#include "trainer/channel/predict.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"
#include "trainer/channel/messages.h"

namespace pilothouse::trainer {
namespace {

constexpr char kInputs[] = "inputs";
// Beside the outputs themselves.
constexpr int64_t kAnswerOverheadBytes = 4096;

// Multiply-adds of a slice, roughly: some tens of milliseconds.
constexpr int64_t kSliceWork = int64_t{1} << 28;

int64_t RowsOf(const v1::Tensor& inputs) { return inputs.shape_size() == 2 ? inputs.shape(0) : 1; }

absl::Status CheckShape(const v1::Tensor& inputs, int64_t network_inputs) {
  const int dimensions = inputs.shape_size();
  if ((dimensions == 1 || dimensions == 2) && inputs.shape(dimensions - 1) == network_inputs && RowsOf(inputs) > 0) {
    return absl::OkStatus();
  }
  const std::string expected = absl::StrCat("[rows, ", network_inputs, "]");
  const std::string got = absl::StrCat("[", absl::StrJoin(inputs.shape(), ", "), "]");
  return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, kInputs,
                   absl::StrCat("This network takes inputs of shape ", expected, ", with at least one row, or [",
                                network_inputs, "] for a single one; got ", got, "."),
                   {{"expected", expected}, {"got", got}});
}

// Rows of a slice: whole blocks, one at least.
int64_t SliceRows(int64_t parameters) {
  const int64_t blocks = kSliceWork / (std::max<int64_t>(parameters, 1) * kPredictBlockRows);
  return std::max<int64_t>(blocks, 1) * kPredictBlockRows;
}

// `count` rows from `first` on. REQUIRES: there are so many.
v1::Tensor Rows(const v1::Tensor& inputs, int64_t first, int64_t count) {
  const size_t row_bytes = inputs.data().size() / static_cast<size_t>(RowsOf(inputs));
  v1::Tensor rows;
  rows.set_element_type(inputs.element_type());
  rows.set_data(inputs.data().substr(static_cast<size_t>(first) * row_bytes, static_cast<size_t>(count) * row_bytes));
  return rows;
}

absl::Status TooLarge(absl::string_view what, int64_t limit) {
  return MakeError(v1::ERROR_REASON_REQUEST_TOO_LARGE, kInputs,
                   absl::StrCat(what, " would take more than ", limit, " bytes. Ask for fewer rows at a time."),
                   {{"limit_bytes", absl::StrCat(limit)}});
}

}  // namespace

absl::Status CheckPredict(const v1::PredictQuery& query, int64_t network_inputs, int64_t network_outputs) {
  const v1::Tensor& inputs = query.inputs();
  if (static_cast<int64_t>(inputs.data().size()) > kMaxPredictBytes) return TooLarge("The inputs", kMaxPredictBytes);
  if (absl::Status status = CheckTensor(inputs, kInputs); !status.ok()) return status;
  if (absl::Status status = CheckShape(inputs, network_inputs); !status.ok()) return status;
  const int64_t limit = kMaxMessageBytes - kAnswerOverheadBytes;
  if (RowsOf(inputs) > limit / (network_outputs * static_cast<int64_t>(sizeof(double)))) {
    return TooLarge("The outputs", limit);
  }
  const std::vector<double> values = ToDoubles(inputs);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, kInputs,
                     absl::StrCat("Inputs must be finite numbers; number ", i + 1, " is ", values[i], "."));
  }
  return absl::OkStatus();
}

v1::PredictAnswer Predict(const v1::PredictQuery& query, const Model& model, int64_t batch) {
  v1::PredictAnswer answer;
  *answer.mutable_outputs() = ToMessage(model.Predict(ToDoubles(query.inputs()), RowsOf(query.inputs())));
  answer.set_batch(batch);
  return answer;
}

SlicedPrediction::SlicedPrediction(const v1::PredictQuery& query, std::shared_ptr<const Model> model, int64_t batch,
                                   int64_t parameters)
    : query_(query), model_(std::move(model)), rows_(RowsOf(query.inputs())), slice_rows_(SliceRows(parameters)) {
  answer_.set_batch(batch);
}

void SlicedPrediction::Advance() {
  const int64_t rows = std::min(slice_rows_, rows_ - next_row_);
  v1::Tensor outputs = ToMessage(model_->Predict(ToDoubles(Rows(query_.inputs(), next_row_, rows)), rows));
  next_row_ += rows;
  v1::Tensor& all = *answer_.mutable_outputs();
  if (all.shape_size() == 0) {
    all = std::move(outputs);
    all.set_shape(0, rows_);
    all.mutable_data()->reserve(all.data().size() / static_cast<size_t>(rows) * static_cast<size_t>(rows_));
  } else {
    all.mutable_data()->append(outputs.data());
  }
}

absl::Status CheckStateSize(int64_t parameters) {
  if (parameters <= kMaxStateParameters) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_STATE_TOO_LARGE, "include_state_vector",
      absl::StrCat("A state vector of ", parameters, " parameters is too large for an answer; the limit is ",
                   kMaxStateParameters, ". Stop the run and read what it saved."),
      {{"parameters", absl::StrCat(parameters)}, {"limit", absl::StrCat(kMaxStateParameters)}});
}

}  // namespace pilothouse::trainer
