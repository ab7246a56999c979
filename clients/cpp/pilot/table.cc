#include "clients/cpp/pilot/table.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/text.h"
#include "clients/cpp/pilothouse_client/data_file.h"
#include "clients/cpp/pilothouse_client/npy.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

constexpr size_t kShownNames = 16;

absl::Status Malformed(int64_t line, int64_t column, absl::string_view what) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("line ", line, ", column ", column, ": ", what, "."),
                   {{"line", absl::StrCat(line)}, {"column", absl::StrCat(column)}});
}

std::string ColumnName(absl::string_view cell) {
  cell = absl::StripAsciiWhitespace(cell);
  if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
  return std::string(cell);
}

bool IsHeader(const std::vector<absl::string_view>& cells) {
  double ignored = 0;
  return !std::all_of(cells.begin(), cells.end(), [&ignored](absl::string_view cell) {
    return absl::SimpleAtod(absl::StripAsciiWhitespace(cell), &ignored);
  });
}

absl::Status AddRow(const std::vector<absl::string_view>& cells, int64_t line, Table& table) {
  if (static_cast<int64_t>(cells.size()) != table.columns) {
    return Malformed(line, static_cast<int64_t>(cells.size()),
                     absl::StrCat("this row has ", cells.size(), " columns, those before have ", table.columns));
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    double value = 0;
    if (!absl::SimpleAtod(absl::StripAsciiWhitespace(cells[i]), &value) || !std::isfinite(value)) {
      return Malformed(line, static_cast<int64_t>(i) + 1, absl::StrCat("\"", cells[i], "\" is not a finite number"));
    }
    table.values.push_back(value);
  }
  ++table.rows;
  return absl::OkStatus();
}

// From 0; −1: there is no such column.
int64_t FindColumn(const std::string& name, const Table& table) {
  const auto named = std::find(table.header.begin(), table.header.end(), name);
  if (named != table.header.end()) return named - table.header.begin();
  int64_t number = 0;
  if (!absl::SimpleAtoi(name, &number)) return -1;
  const int64_t index = number > 0 ? number - 1 : table.columns + number;
  return number != 0 && index >= 0 && index < table.columns ? index : -1;
}

absl::StatusOr<Table> ReadNpyTable(const std::string& path) {
  const absl::StatusOr<v1::Tensor> array = ReadNpyFile(path);
  if (!array.ok()) return array.status();
  if (array->shape_size() != 2) {
    return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "",
                     absl::StrCat(path, " has ", array->shape_size(), " dimensions; a table has 2."),
                     {{"dimensions", absl::StrCat(array->shape_size())}});
  }
  Table table;
  table.rows = array->shape(0);
  table.columns = array->shape(1);
  table.values = ToDoubles(*array);
  return table;
}

bool IsNamed(const std::string& name, const Table& table) {
  return std::find(table.header.begin(), table.header.end(), name) != table.header.end();
}

absl::Status TargetOrWeight(const std::string& weight, int64_t inputs, const Table& table) {
  return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "inputs",
                   absl::StrCat("the run takes ", inputs,
                                " inputs per row; this table has one column more, which may be the target ",
                                "or the weight, since the run knows its weight as column ", weight,
                                " alone. Give a table of the inputs and nothing else."),
                   {{"expected", absl::StrCat(inputs)}, {"got", absl::StrCat(table.columns)}});
}

// All that are no inputs of a table as it was trained on.
std::vector<std::string> NamesOfOthers(const TableRoles& roles, const Table& table) {
  std::vector<std::string> names = roles.targets;
  if (!roles.weight.empty()) names.push_back(roles.weight);
  if (roles.targets.empty()) {
    const bool last_is_weight = !roles.weight.empty() && FindColumn(roles.weight, table) == table.columns - 1;
    names.emplace_back(last_is_weight ? "-2" : "-1");
  }
  return names;
}

// Of many names, the first and the last.
std::string NameList(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i < kShownNames || i + 1 == names.size()) shown.push_back(Printable(names[i]));
    if (i == kShownNames && i + 1 < names.size()) shown.emplace_back("…");
  }
  return absl::StrJoin(shown, ", ");
}

}  // namespace

absl::StatusOr<Table> ParseTable(absl::string_view text, char delimiter) {
  Table table;
  int64_t line_number = 0;
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.empty()) continue;
    const std::vector<absl::string_view> cells = absl::StrSplit(line, delimiter);
    if (table.columns == 0) {
      table.columns = static_cast<int64_t>(cells.size());
      if (IsHeader(cells)) {
        std::transform(cells.begin(), cells.end(), std::back_inserter(table.header), ColumnName);
        continue;
      }
    }
    if (const absl::Status status = AddRow(cells, line_number, table); !status.ok()) return status;
  }
  if (table.rows == 0) return Malformed(line_number, 1, "the table has no rows");
  return table;
}

absl::StatusOr<Table> ReadTableFile(const std::string& path) {
  const absl::StatusOr<v1::DatasetFormat> format = DataFormatOf(path);
  if (!format.ok()) return format.status();
  if (*format == v1::DATASET_FORMAT_NPY) return ReadNpyTable(path);
  if (*format == v1::DATASET_FORMAT_NPZ) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        " is an NPZ file, which predict does not read; save its inputs with numpy.save and give them as --inputs."));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return ParseTable(text, *format == v1::DATASET_FORMAT_TSV ? '\t' : ',');
}

absl::Status DropColumns(const std::vector<std::string>& names, Table& table) {
  std::vector<bool> dropped(table.columns, false);
  if (names.empty()) dropped.back() = true;
  for (const std::string& name : names) {
    const int64_t column = FindColumn(name, table);
    if (column < 0) {
      return MakeError(v1::ERROR_REASON_COLUMN_NOT_FOUND, "", absl::StrCat("the table has no column ", name, "."),
                       {{"column", name}, {"known", absl::StrJoin(table.header, ", ")}});
    }
    dropped[column] = true;
  }
  Table rest;
  rest.rows = table.rows;
  rest.columns = std::count(dropped.begin(), dropped.end(), false);
  for (int64_t i = 0; i < table.columns; ++i) {
    if (!dropped[i] && !table.header.empty()) rest.header.push_back(table.header[i]);
  }
  for (size_t i = 0; i < table.values.size(); ++i) {
    if (!dropped[i % table.columns]) rest.values.push_back(table.values[i]);
  }
  table = std::move(rest);
  return absl::OkStatus();
}

absl::Status KeepInputs(const TableRoles& roles, int64_t inputs, Table& table) {
  const std::vector<std::string> others = NamesOfOthers(roles, table);
  if (table.columns == inputs + static_cast<int64_t>(others.size())) return DropColumns(others, table);
  std::vector<std::string> named;
  std::copy_if(others.begin(), others.end(), std::back_inserter(named),
               [&table](const std::string& name) { return IsNamed(name, table); });
  int64_t number = 0;
  const bool weight_by_number = absl::SimpleAtoi(roles.weight, &number) && !IsNamed(roles.weight, table);
  // A number tells the weight's place in a whole table only.
  if (weight_by_number && roles.targets.empty() && table.columns == inputs + 1) {
    return TargetOrWeight(roles.weight, inputs, table);
  }
  // The header names no target: without the weight, the last column is the only one that can be.
  if (named.empty() && !table.header.empty() && roles.targets.empty()) named.emplace_back("-1");
  if (named.empty() || table.columns != inputs + static_cast<int64_t>(named.size())) return absl::OkStatus();
  return DropColumns(named, table);
}

std::string InputsText(const std::vector<std::string>& header, const Table& inputs) {
  if (header.empty()) return "";
  // What was kept is in the order it was in.
  std::vector<std::string> others;
  size_t kept = 0;
  for (const std::string& name : header) {
    if (kept < inputs.header.size() && inputs.header[kept] == name) {
      ++kept;
    } else {
      others.push_back(name);
    }
  }
  return absl::StrCat("the inputs, in this order: ", NameList(inputs.header),
                      others.empty() ? "" : absl::StrCat("; left out: ", NameList(others)));
}

}  // namespace pilothouse::client
