#include "trainer/data/column_roles.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "proto/support/text.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

enum class Role { kInput, kTarget, kWeight, kIgnored };

const char* FieldOf(Role role) {
  if (role == Role::kWeight) return "data.weight_column";
  return role == Role::kIgnored ? "data.ignored_columns" : "data.target_columns";
}

const char* TextOf(Role role) {
  if (role == Role::kWeight) return "the weight";
  return role == Role::kIgnored ? "ignored" : "a target";
}

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

// Index from 0 of the column that a number from 1, or from the end, means; −1 where there is none.
int64_t ColumnOfNumber(int64_t number, int64_t columns) {
  if (number == 0 || number > columns || number < -columns) return -1;
  return number > 0 ? number - 1 : columns + number;
}

// A table's columns: what they are called, and what they are.
class Columns {
 public:
  Columns(const std::vector<std::string>& names, int64_t columns)
      : names_(names), roles_(static_cast<size_t>(columns), Role::kInput) {
    for (size_t column = 0; column < names.size(); ++column) {
      const auto [found, added] = known_.try_emplace(names[column], static_cast<int64_t>(column));
      if (!added) found->second = -1;
    }
  }

  // Gives the column that `wanted` names this role, and returns which it is. SPEC_INVALID where it has one.
  absl::StatusOr<int64_t> Give(Role role, const std::string& wanted) {
    absl::StatusOr<int64_t> column = Find(wanted, FieldOf(role));
    if (!column.ok()) return column;
    Role& had = roles_[static_cast<size_t>(*column)];
    if (had == role) return RefuseRole(wanted, FieldOf(role), absl::StrCat("is named as ", TextOf(role), " twice."));
    if (had != Role::kInput) {
      return RefuseRole(wanted, FieldOf(had),
                        absl::StrCat("is named as ", TextOf(role), " and as ", TextOf(had), "; choose one."));
    }
    had = role;
    return column;
  }

  // From 0, ascending.
  std::vector<int64_t> With(Role role) const {
    std::vector<int64_t> columns;
    for (size_t column = 0; column < roles_.size(); ++column) {
      if (roles_[column] == role) columns.push_back(static_cast<int64_t>(column));
    }
    return columns;
  }

  // Names that tell each of these columns from every other, or none.
  std::vector<std::string> NamesOf(const std::vector<int64_t>& columns) const {
    if (known_.size() < roles_.size()) return {};
    std::vector<std::string> names;
    size_t bytes = 0;
    for (const int64_t column : columns) {
      const std::string& name = names_[static_cast<size_t>(column)];
      bytes += name.size();
      if (name.empty() || bytes > size_t{kMaxInputNamesBytes} || ValidUtf8(name) != name) return {};
      names.push_back(name);
    }
    return names;
  }

 private:
  // Names go before numbers, since a header may hold numbers.
  absl::StatusOr<int64_t> Find(const std::string& wanted, absl::string_view field) const {
    const auto columns = static_cast<int64_t>(roles_.size());
    if (const auto found = known_.find(wanted); found != known_.end()) {
      if (found->second >= 0) return found->second;
      return RefuseColumn(names_, columns, wanted, field, "is there more than once; say its number instead");
    }
    int64_t number = 0;
    if (!absl::SimpleAtoi(wanted, &number)) {
      return RefuseColumn(names_, columns, wanted, field, "is not in the table's header");
    }
    const int64_t column = ColumnOfNumber(number, columns);
    if (column < 0) return RefuseColumn(names_, columns, wanted, field, "does not exist");
    return column;
  }

  const std::vector<std::string>& names_;
  // −1: a name that is there more than once.
  std::map<absl::string_view, int64_t> known_;
  std::vector<Role> roles_;
};

absl::Status RefuseNoInput(const ColumnChoice& choice) {
  std::string others = choice.weight.has_value() ? "targets or the weight" : "named as targets";
  if (!choice.ignored.empty())
    others = choice.weight.has_value() ? "targets, the weight or ignored" : "targets or ignored";
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, FieldOf(choice.ignored.empty() ? Role::kTarget : Role::kIgnored),
                   absl::StrCat("All columns are ", others, ", so that none is left as an input."));
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

absl::StatusOr<ColumnRoles> ColumnRoles::Select(const std::vector<std::string>& names, int64_t columns,
                                                const ColumnChoice& choice) {
  if (columns < 2 || columns > kMaxTableColumns) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                     absl::StrCat("A table needs at least one column of inputs and one of targets, and may have ",
                                  kMaxTableColumns, " columns in all; this one has ", columns,
                                  columns == 1 ? ". In text, commas or tabs separate them." : "."),
                     {{"columns", absl::StrCat(columns)}});
  }
  Columns table(names, columns);
  ColumnRoles selected(columns);
  if (choice.weight.has_value()) {
    const absl::StatusOr<int64_t> column = table.Give(Role::kWeight, *choice.weight);
    if (!column.ok()) return column.status();
    selected.weight_ = *column;
  }
  for (const std::string& wanted : choice.ignored) {
    const absl::StatusOr<int64_t> column = table.Give(Role::kIgnored, wanted);
    if (!column.ok()) return column.status();
  }
  for (const std::string& wanted : choice.targets) {
    const absl::StatusOr<int64_t> column = table.Give(Role::kTarget, wanted);
    if (!column.ok()) return column.status();
    selected.targets_.push_back(*column);
  }
  selected.inputs_ = table.With(Role::kInput);
  if (choice.targets.empty() && !selected.inputs_.empty()) {
    selected.targets_ = {selected.inputs_.back()};
    selected.inputs_.pop_back();
  }
  if (selected.inputs_.empty()) return RefuseNoInput(choice);
  selected.ignored_ = table.With(Role::kIgnored);
  selected.input_names_ = table.NamesOf(selected.inputs_);
  return selected;
}

Dataset ColumnRoles::Cut(int64_t rows, const StoredNumbers& elements) const {
  Dataset data{TableOf(rows, inputs_, elements), TableOf(rows, targets_, elements)};
  data.input_names = input_names_;
  if (!weight_.has_value()) return data;
  NumberTable weights = TableOf(rows, {*weight_}, elements);
  TakeIntoValues(weights);
  data.weights = std::move(weights.values);
  return data;
}

}  // namespace pilothouse::trainer
