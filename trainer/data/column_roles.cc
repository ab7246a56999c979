#include "trainer/data/column_roles.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

constexpr char kTargets[] = "data.target_columns";
constexpr char kWeight[] = "data.weight_column";

absl::Status RefuseColumn(const std::vector<std::string>& names, int64_t columns, const std::string& wanted,
                          absl::string_view field, absl::string_view why) {
  std::string known = absl::StrCat("1 to ", columns);
  if (!names.empty()) absl::StrAppend(&known, " (", PrintableList(names), ")");
  return MakeError(v1::ERROR_REASON_COLUMN_NOT_FOUND, field,
                   absl::StrCat("The column \"", Printable(wanted), "\" ", why, ". Known are the columns ", known, "."),
                   {{"column", Printable(wanted)}, {"known", known}});
}

// A column that cannot be what it is named as.
absl::Status RefuseRole(const std::string& wanted, absl::string_view field, absl::string_view why) {
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field, absl::StrCat("The column \"", Printable(wanted), "\" ", why),
                   {{"column", Printable(wanted)}});
}

// Index from 0 of the column that `wanted` names. Names go before numbers, since a header may hold numbers.
absl::StatusOr<int64_t> FindColumn(const std::vector<std::string>& names, int64_t columns, const std::string& wanted,
                                   absl::string_view field) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) {
    if (std::find(found + 1, names.end(), wanted) != names.end()) {
      return RefuseColumn(names, columns, wanted, field, "is there more than once; say its number instead");
    }
    return found - names.begin();
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(wanted, &number)) {
    return RefuseColumn(names, columns, wanted, field, "is not in the table's header");
  }
  if (number == 0 || number > columns || number < -columns) {
    return RefuseColumn(names, columns, wanted, field, "does not exist");
  }
  return number > 0 ? number - 1 : columns + number;
}

// REQUIRES: target_columns is not empty.
absl::StatusOr<std::vector<int64_t>> FindTargets(const std::vector<std::string>& names, int64_t columns,
                                                 const std::vector<std::string>& target_columns,
                                                 std::optional<int64_t> weight) {
  std::vector<int64_t> targets;
  for (const std::string& wanted : target_columns) {
    const absl::StatusOr<int64_t> column = FindColumn(names, columns, wanted, kTargets);
    if (!column.ok()) return column.status();
    if (std::find(targets.begin(), targets.end(), *column) != targets.end()) {
      return RefuseRole(wanted, kTargets, "is named as a target twice.");
    }
    if (*column == weight) return RefuseRole(wanted, kWeight, "is named as a target and as the weight; choose one.");
    targets.push_back(*column);
  }
  return targets;
}

// The columns in this order, in as few runs as can be.
std::vector<ColumnRun> RunsOf(const std::vector<int64_t>& columns) {
  std::vector<ColumnRun> runs;
  for (const int64_t column : columns) {
    if (!runs.empty() && runs.back().first + runs.back().count == column) {
      ++runs.back().count;
    } else {
      runs.push_back({column, 1});
    }
  }
  return runs;
}

NumberTable TableOf(int64_t rows, const std::vector<int64_t>& columns, StoredNumbers elements) {
  elements.runs = RunsOf(columns);
  return {rows, static_cast<int64_t>(columns.size()), {}, std::move(elements)};
}

}  // namespace

ColumnRoles::ColumnRoles(int64_t columns, std::vector<int64_t> targets, std::optional<int64_t> weight)
    : columns_(columns), targets_(std::move(targets)), weight_(weight) {}

absl::StatusOr<ColumnRoles> ColumnRoles::Select(const std::vector<std::string>& names, int64_t columns,
                                                const std::vector<std::string>& target_columns,
                                                const std::optional<std::string>& weight_column) {
  if (columns < 2 || columns > kMaxTableColumns) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                     absl::StrCat("A table needs at least one column of inputs and one of targets, and may have ",
                                  kMaxTableColumns, " columns in all; this one has ", columns,
                                  columns == 1 ? ". In text, commas or tabs separate them." : "."),
                     {{"columns", absl::StrCat(columns)}});
  }
  std::optional<int64_t> weight;
  if (weight_column.has_value()) {
    const absl::StatusOr<int64_t> found = FindColumn(names, columns, *weight_column, kWeight);
    if (!found.ok()) return found.status();
    weight = *found;
  }
  std::vector<int64_t> targets = {weight == columns - 1 ? columns - 2 : columns - 1};
  if (!target_columns.empty()) {
    absl::StatusOr<std::vector<int64_t>> found = FindTargets(names, columns, target_columns, weight);
    if (!found.ok()) return found.status();
    targets = *std::move(found);
  }
  if (static_cast<int64_t>(targets.size()) + (weight.has_value() ? 1 : 0) < columns) {
    return ColumnRoles(columns, std::move(targets), weight);
  }
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, kTargets,
                   weight.has_value() ? "All columns are targets or the weight, so that none is left as an input."
                                      : "All columns are named as targets, so that none is left as an input.");
}

Dataset ColumnRoles::Cut(int64_t rows, const StoredNumbers& elements) const {
  std::vector<bool> is_input(static_cast<size_t>(columns_), true);
  for (const int64_t column : targets_) is_input[static_cast<size_t>(column)] = false;
  if (weight_.has_value()) is_input[static_cast<size_t>(*weight_)] = false;
  std::vector<int64_t> inputs;
  for (int64_t column = 0; column < columns_; ++column) {
    if (is_input[static_cast<size_t>(column)]) inputs.push_back(column);
  }
  Dataset data{TableOf(rows, inputs, elements), TableOf(rows, targets_, elements)};
  if (!weight_.has_value()) return data;
  NumberTable weights = TableOf(rows, {*weight_}, elements);
  TakeIntoValues(weights);
  data.weights = std::move(weights.values);
  return data;
}

}  // namespace pilothouse::trainer
