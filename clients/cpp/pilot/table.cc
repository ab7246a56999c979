#include "clients/cpp/pilot/table.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
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

absl::Status Malformed(int64_t line, int64_t column, absl::string_view what) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("line ", line, ", column ", column, ": ", what, "."),
                   {{"line", absl::StrCat(line)}, {"column", absl::StrCat(column)}});
}

bool IsHeader(const std::vector<std::string>& cells) {
  double number = 0;
  return !std::all_of(cells.begin(), cells.end(),
                      [&number](const std::string& cell) { return absl::SimpleAtod(cell, &number); });
}

// What a field ends with.
enum class FieldEnd { kDelimiter, kLine, kWithinQuotes };

// Takes the next field off `text`, without its quotes and the blanks around it, and counts the lines it goes over.
FieldEnd TakeField(absl::string_view& text, char delimiter, std::string& field, int64_t& lines) {
  field.clear();
  bool quoted = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (!quoted && (c == delimiter || c == '\n')) break;
    if (c == '\n') ++lines;
    const bool opens = !quoted && absl::StripAsciiWhitespace(field).empty();
    if (c != '"' || !(quoted || opens)) {
      field += c;
    } else if (quoted && i + 1 < text.size() && text[i + 1] == '"') {
      field += text[i++];
    } else {
      quoted = !quoted;
    }
  }
  absl::StripAsciiWhitespace(&field);
  const bool more = i < text.size() && text[i] == delimiter;
  text.remove_prefix(std::min(i + 1, text.size()));
  if (quoted) return FieldEnd::kWithinQuotes;
  return more ? FieldEnd::kDelimiter : FieldEnd::kLine;
}

absl::Status AddRow(const std::vector<std::string>& cells, int64_t line, Table& table) {
  if (static_cast<int64_t>(cells.size()) != table.columns) {
    return Malformed(line, static_cast<int64_t>(cells.size()),
                     absl::StrCat("this row has ", cells.size(), " columns, those before have ", table.columns));
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    double value = 0;
    if (!absl::SimpleAtod(cells[i], &value) || !std::isfinite(value)) {
      value = 0;
      table.bad_cells.resize(cells.size());
      if (!table.bad_cells[i].has_value()) table.bad_cells[i] = BadCell{line, static_cast<int64_t>(i) + 1, cells[i]};
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
  std::vector<std::string> names = roles.ignored;
  if (!roles.weight.empty()) names.push_back(roles.weight);
  if (!roles.targets.empty()) {
    names.insert(names.end(), roles.targets.begin(), roles.targets.end());
    return names;
  }
  std::vector<bool> taken(table.columns, false);
  for (const std::string& name : names) {
    if (const int64_t column = FindColumn(name, table); column >= 0) taken[column] = true;
  }
  const auto last = std::find(taken.rbegin(), taken.rend(), false) - taken.rbegin();
  names.push_back(absl::StrCat(-1 - last));
  return names;
}

// Keeps these columns, from 0, in this order.
void KeepColumns(const std::vector<int64_t>& kept, Table& table) {
  Table rest;
  rest.rows = table.rows;
  rest.columns = static_cast<int64_t>(kept.size());
  rest.values.reserve(rest.rows * rest.columns);
  for (const int64_t column : kept) {
    if (!table.header.empty()) rest.header.push_back(table.header[column]);
    if (!table.bad_cells.empty()) rest.bad_cells.push_back(table.bad_cells[column]);
  }
  for (int64_t row = 0; row < table.rows; ++row) {
    for (const int64_t column : kept) rest.values.push_back(table.values[row * table.columns + column]);
  }
  table = std::move(rest);
}

}  // namespace

absl::StatusOr<Table> ParseTable(absl::string_view text, char delimiter) {
  Table table;
  int64_t line = 0;
  std::vector<std::string> cells;
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  for (int64_t next = 1; !text.empty();) {
    line = next++;
    cells.clear();
    FieldEnd end = FieldEnd::kDelimiter;
    while (end == FieldEnd::kDelimiter) {
      cells.emplace_back();
      end = TakeField(text, delimiter, cells.back(), next);
    }
    if (end == FieldEnd::kWithinQuotes) {
      return Malformed(line, static_cast<int64_t>(cells.size()), "a quote is opened and never closed");
    }
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (table.columns == 0) {
      table.columns = static_cast<int64_t>(cells.size());
      if (IsHeader(cells)) {
        table.header = cells;
        continue;
      }
    }
    if (const absl::Status status = AddRow(cells, line, table); !status.ok()) return status;
  }
  if (table.rows == 0) return Malformed(line + 1, 1, "the table has no rows");
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

absl::Status CheckNumbers(const Table& table) {
  const BadCell* first = nullptr;
  for (const std::optional<BadCell>& cell : table.bad_cells) {
    const bool earlier = cell.has_value() && (first == nullptr || std::pair(cell->line, cell->column) <
                                                                      std::pair(first->line, first->column));
    if (earlier) first = &*cell;
  }
  if (first == nullptr) return absl::OkStatus();
  return Malformed(first->line, first->column, absl::StrCat("\"", Printable(first->text), "\" is not a finite number"));
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
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < table.columns; ++i) {
    if (!dropped[i]) kept.push_back(i);
  }
  KeepColumns(kept, table);
  return absl::OkStatus();
}

absl::Status KeepNamed(const std::vector<std::string>& names, Table& table) {
  // −1: a name that is there more than once.
  std::map<absl::string_view, int64_t> known;
  for (int64_t i = 0; i < table.columns; ++i) {
    const auto [found, added] = known.try_emplace(table.header[i], i);
    if (!added) found->second = -1;
  }
  std::vector<int64_t> kept;
  for (const std::string& name : names) {
    const auto found = known.find(name);
    if (found == known.end() || found->second < 0) {
      return MakeError(
          v1::ERROR_REASON_COLUMN_NOT_FOUND, "",
          absl::StrCat("the run learnt from a column ", Printable(name), ", which this table ",
                       found == known.end() ? "does not have" : "has more than once", "; it has ",
                       NameList(table.header), ". Without its first line, columns are taken in their order."),
          {{"column", name}, {"known", absl::StrJoin(table.header, ", ")}});
    }
    kept.push_back(found->second);
  }
  KeepColumns(kept, table);
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
  // Which of those that are not there would be the column too many, nothing tells.
  if (named.empty() && !roles.ignored.empty()) return absl::OkStatus();
  // The header names no target: without the weight, the last column is the only one that can be.
  if (named.empty() && !table.header.empty() && roles.targets.empty()) named.emplace_back("-1");
  if (named.empty() || table.columns != inputs + static_cast<int64_t>(named.size())) return absl::OkStatus();
  return DropColumns(named, table);
}

std::string InputsText(const std::vector<std::string>& header, const Table& inputs, bool by_name) {
  if (header.empty()) return "";
  std::multiset<absl::string_view> kept(inputs.header.begin(), inputs.header.end());
  std::vector<std::string> others;
  for (const std::string& name : header) {
    const auto found = kept.find(name);
    if (found == kept.end()) {
      others.push_back(name);
    } else {
      kept.erase(found);
    }
  }
  return absl::StrCat(by_name ? "the inputs, by their names: " : "the inputs, in this order: ", NameList(inputs.header),
                      others.empty() ? "" : absl::StrCat("; left out: ", NameList(others)));
}

}  // namespace pilothouse::client
