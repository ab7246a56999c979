#include "trainer/data/targets.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

absl::Status RefuseWidth(int64_t outputs, int64_t columns, absl::string_view wanted) {
  return MakeError(
      v1::ERROR_REASON_NET_DATA_MISMATCH, "network",
      absl::StrCat("The network has ", outputs, outputs == 1 ? " output" : " outputs", " but the data has ", columns,
                   columns == 1 ? " target column; " : " target columns; ", wanted, "."),
      {{"expected", absl::StrCat(outputs)}, {"got", absl::StrCat(columns)}});
}

absl::Status RefuseLabel(int64_t row, double label, int64_t outputs) {
  const std::string row_text = absl::StrCat(row + 1);
  const std::string label_text = absl::StrCat(label);
  return MakeError(v1::ERROR_REASON_LABEL_OUT_OF_RANGE, "data",
                   absl::StrCat("Row ", row_text, " has the label ", label_text, ", but with ", outputs,
                                " outputs labels are whole numbers from 0 to ", outputs - 1, "."),
                   {{"row", row_text}, {"label", label_text}, {"outputs", absl::StrCat(outputs)}});
}

absl::Status CheckLabels(int64_t outputs, const NumberTable& targets) {
  for (int64_t row = 0; row < targets.rows; ++row) {
    const double label = targets.values[static_cast<size_t>(row)];
    if (label < 0 || label >= static_cast<double>(outputs) || label != std::floor(label)) {
      return RefuseLabel(row, label, outputs);
    }
  }
  return absl::OkStatus();
}

// Replaces each row by the column in which its one stands.
absl::Status OneHotToLabels(NumberTable& targets) {
  for (int64_t row = 0; row < targets.rows; ++row) {
    const double* values = targets.values.data() + row * targets.columns;
    int64_t ones = 0;
    int64_t zeros = 0;
    int64_t label = 0;
    for (int64_t column = 0; column < targets.columns; ++column) {
      if (values[column] == 1) label = column;
      ones += values[column] == 1 ? 1 : 0;
      zeros += values[column] == 0 ? 1 : 0;
    }
    if (ones != 1 || ones + zeros != targets.columns) {
      return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                       absl::StrCat("The targets of row ", row + 1, " are not one-hot: one 1, and 0 elsewhere."),
                       {{"row", absl::StrCat(row + 1)}});
    }
    // Writes behind what is still to be read.
    targets.values[static_cast<size_t>(row)] = static_cast<double>(label);
  }
  targets.columns = 1;
  targets.values.resize(static_cast<size_t>(targets.rows));
  targets.values.shrink_to_fit();
  return absl::OkStatus();
}

absl::Status CheckProbabilities(const NumberTable& targets) {
  for (size_t i = 0; i < targets.values.size(); ++i) {
    const double value = targets.values[i];
    if (value >= 0 && value <= 1) continue;
    const std::string row = absl::StrCat(static_cast<int64_t>(i) / targets.columns + 1);
    return MakeError(
        v1::ERROR_REASON_DATA_MALFORMED, "data",
        absl::StrCat("Row ", row, " has the target ", value, ", but binary_cross_entropy takes targets from 0 to 1."),
        {{"row", row}, {"value", absl::StrCat(value)}});
  }
  return absl::OkStatus();
}

bool HasClasses(LossFunction loss, int64_t outputs) {
  return loss == LossFunction::kCrossEntropy || (loss == LossFunction::kBinaryCrossEntropy && outputs == 1);
}

}  // namespace

absl::Status CheckInputWidth(int64_t network_inputs, const NumberTable& inputs) {
  if (inputs.columns == network_inputs) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_NET_DATA_MISMATCH, "network",
      absl::StrCat("The network has ", network_inputs, network_inputs == 1 ? " input" : " inputs", " but the data has ",
                   inputs.columns, inputs.columns == 1 ? " column" : " columns", " of inputs."),
      {{"expected", absl::StrCat(network_inputs)}, {"got", absl::StrCat(inputs.columns)}});
}

absl::Status PrepareTargets(LossFunction loss, int64_t outputs, NumberTable& targets) {
  if (loss == LossFunction::kCrossEntropy) {
    if (targets.columns == 1) return CheckLabels(outputs, targets);
    if (targets.columns == outputs) return OneHotToLabels(targets);
    return RefuseWidth(outputs, targets.columns,
                       absl::StrCat("cross_entropy takes one column of labels, or ", outputs, " one-hot columns"));
  }
  if (targets.columns != outputs) {
    return RefuseWidth(outputs, targets.columns, absl::StrCat(Name(loss), " takes one column for each output"));
  }
  return loss == LossFunction::kBinaryCrossEntropy ? CheckProbabilities(targets) : absl::OkStatus();
}

std::vector<int32_t> ClassesOf(LossFunction loss, int64_t outputs, const NumberTable& targets) {
  if (!HasClasses(loss, outputs)) return {};
  std::vector<int32_t> classes;
  classes.reserve(static_cast<size_t>(targets.rows));
  const bool are_labels = loss == LossFunction::kCrossEntropy;
  for (const double target : targets.values) {
    classes.push_back(are_labels ? static_cast<int32_t>(target) : target >= 0.5 ? 1 : 0);
  }
  return classes;
}

absl::Status CheckVariety(LossFunction loss, int64_t outputs, const NumberTable& targets,
                          absl::Span<const int64_t> rows) {
  if (!HasClasses(loss, outputs) || rows.empty()) return absl::OkStatus();
  const auto target = [&](int64_t row) { return targets.values[static_cast<size_t>(row)]; };
  const double first = target(rows.front());
  // To come to a probability between is something to learn.
  if (loss == LossFunction::kBinaryCrossEntropy && first != 0 && first != 1) return absl::OkStatus();
  const bool is_one_class = std::all_of(rows.begin(), rows.end(), [&](int64_t row) { return target(row) == first; });
  if (!is_one_class) return absl::OkStatus();
  const std::string examples = absl::StrCat(rows.size());
  const std::string label = absl::StrCat(first);
  return MakeError(
      v1::ERROR_REASON_DATA_MALFORMED, "data",
      absl::StrCat("All ", examples, " examples to learn from have the target ", label, ", but ", Name(loss),
                   " tells classes apart and needs examples of two or more; give it some, or hold out "
                   "others."),
      {{"examples", examples}, {"label", label}});
}

}  // namespace pilothouse::trainer
