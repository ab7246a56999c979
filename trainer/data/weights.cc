#include "trainer/data/weights.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "proto/support/error.h"
#include "trainer/net/loss.h"

namespace pilothouse::trainer {
namespace {

absl::Status RefuseWeight(int64_t row, double weight) {
  const std::string row_text = absl::StrCat(row + 1);
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                   absl::StrCat("Row ", row_text, " has the weight ", weight,
                                ", but weights are finite and not negative; one of 0 leaves the row out."),
                   {{"row", row_text}, {"value", absl::StrCat(weight)}});
}

absl::Status RefuseSmall(int64_t row, double weight, double mean, absl::string_view part) {
  const std::string row_text = absl::StrCat(row + 1);
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                   absl::StrCat("Row ", row_text, " has the weight ", weight, ", but the mean of the ", part, " is ",
                                mean, ": less than ", kLeastWeightRatio, " of the mean would be lost in float32. Give ",
                                "it the weight 0, which leaves the row out, or a larger one."),
                   {{"row", row_text}, {"value", absl::StrCat(weight)}});
}

// None is too large beside the mean: it is at most as many times the mean as there are rows.
absl::Status CheckRatios(const Dataset& data, absl::string_view part, absl::Span<const int64_t> rows, double sum) {
  const double mean = sum / static_cast<double>(rows.size());
  for (const int64_t row : rows) {
    const double weight = data.weights[static_cast<size_t>(row)];
    if (weight < kLeastWeightRatio * mean) return RefuseSmall(row, weight, mean, part);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckWeights(const Dataset& data) {
  const auto count = static_cast<int64_t>(data.weights.size());
  if (count != 0 && count != data.inputs.rows) {
    return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "data",
                     absl::StrCat("There are ", data.inputs.rows, " rows of inputs but ", count, " weights."),
                     {{"expected", absl::StrCat(data.inputs.rows)}, {"got", absl::StrCat(count)}});
  }
  for (int64_t row = 0; row < count; ++row) {
    const double weight = data.weights[static_cast<size_t>(row)];
    if (!std::isfinite(weight) || weight < 0) return RefuseWeight(row, weight);
  }
  return absl::OkStatus();
}

absl::Status LeaveOutWeightless(const Dataset& data, absl::string_view part, std::vector<int64_t>& rows, RunAge age) {
  if (data.weights.empty() || rows.empty()) return absl::OkStatus();
  const std::string examples = absl::StrCat(rows.size());
  const auto weight = [&](int64_t row) { return data.weights[static_cast<size_t>(row)]; };
  rows.erase(std::remove_if(rows.begin(), rows.end(), [&](int64_t row) { return weight(row) == 0; }), rows.end());
  if (rows.empty()) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                     absl::StrCat("All ", examples, " examples of the ", part,
                                  " have the weight 0, so that none of them counts; give some of them another weight, "
                                  "or split the data in another way."),
                     {{"examples", examples}});
  }
  double sum = 0;
  for (const int64_t row : rows) sum += weight(row);
  if (sum >= kLeastWeightSum && sum <= kLargestWeightSum) {
    return age == RunAge::kNew ? CheckRatios(data, part, rows, sum) : absl::OkStatus();
  }
  return MakeError(
      v1::ERROR_REASON_DATA_MALFORMED, "data",
      absl::StrCat("The weights of the ", part, " add up to ", sum, ", which must lie from ", kLeastWeightSum, " to ",
                   kLargestWeightSum, ". Only their ratios matter: multiply all of them by one number."),
      {{"value", absl::StrCat(sum)}});
}

}  // namespace pilothouse::trainer
