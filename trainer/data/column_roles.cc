#include "trainer/data/column_roles.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

constexpr char kField[] = "data.target_columns";

absl::Status RefuseColumn(const std::vector<std::string>& names, int64_t columns, const std::string& wanted,
                          absl::string_view why) {
  std::string known = absl::StrCat("1 to ", columns);
  if (!names.empty()) absl::StrAppend(&known, " (", PrintableList(names), ")");
  return MakeError(v1::ERROR_REASON_COLUMN_NOT_FOUND, kField,
                   absl::StrCat("The column \"", Printable(wanted), "\" ", why, ". Known are the columns ", known, "."),
                   {{"column", Printable(wanted)}, {"known", known}});
}

// Index from 0 of the column that `wanted` names. Names go before numbers, since a header may hold numbers.
absl::StatusOr<int64_t> FindColumn(const std::vector<std::string>& names, int64_t columns, const std::string& wanted) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) {
    if (std::find(found + 1, names.end(), wanted) != names.end()) {
      return RefuseColumn(names, columns, wanted, "is there more than once; say its number instead");
    }
    return found - names.begin();
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(wanted, &number)) return RefuseColumn(names, columns, wanted, "is not in the table's header");
  if (number == 0 || number > columns || number < -columns) {
    return RefuseColumn(names, columns, wanted, "does not exist");
  }
  return number > 0 ? number - 1 : columns + number;
}

}  // namespace

ColumnRoles::ColumnRoles(int64_t columns, const std::vector<int64_t>& targets)
    : places_(static_cast<size_t>(columns)), targets_(static_cast<int64_t>(targets.size())) {
  for (size_t i = 0; i < targets.size(); ++i) {
    places_[static_cast<size_t>(targets[i])] = {true, static_cast<int64_t>(i)};
  }
  int64_t inputs = 0;
  for (Place& place : places_) {
    if (!place.is_target) place.index = inputs++;
  }
}

absl::StatusOr<ColumnRoles> ColumnRoles::Select(const std::vector<std::string>& names, int64_t columns,
                                                const std::vector<std::string>& target_columns) {
  if (columns < 2 || columns > kMaxTableColumns) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                     absl::StrCat("A table needs at least one column of inputs and one of targets, and may have ",
                                  kMaxTableColumns, " columns in all; this one has ", columns, "."),
                     {{"columns", absl::StrCat(columns)}});
  }
  if (target_columns.empty()) return ColumnRoles(columns, {columns - 1});
  std::vector<int64_t> targets;
  for (const std::string& wanted : target_columns) {
    absl::StatusOr<int64_t> column = FindColumn(names, columns, wanted);
    if (!column.ok()) return column.status();
    if (std::find(targets.begin(), targets.end(), *column) != targets.end()) {
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, kField,
                       absl::StrCat("The column \"", Printable(wanted), "\" is named as a target twice."),
                       {{"column", Printable(wanted)}});
    }
    targets.push_back(*column);
  }
  if (static_cast<int64_t>(targets.size()) == columns) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, kField,
                     "All columns are named as targets, so that none is left as an input.");
  }
  return ColumnRoles(columns, targets);
}

Dataset ColumnRoles::MakeDataset(int64_t rows) const {
  Dataset data;
  data.inputs = {rows, columns() - targets_, std::vector<double>(static_cast<size_t>(rows * (columns() - targets_)))};
  data.targets = {rows, targets_, std::vector<double>(static_cast<size_t>(rows * targets_))};
  return data;
}

}  // namespace pilothouse::trainer
