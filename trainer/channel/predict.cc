#include "trainer/channel/predict.h"

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

absl::Status CheckStateSize(int64_t parameters) {
  if (parameters <= kMaxStateParameters) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_STATE_TOO_LARGE, "include_state_vector",
      absl::StrCat("A state vector of ", parameters, " parameters is too large for an answer; the limit is ",
                   kMaxStateParameters, ". Stop the run and read what it saved."),
      {{"parameters", absl::StrCat(parameters)}, {"limit", absl::StrCat(kMaxStateParameters)}});
}

}  // namespace pilothouse::trainer
