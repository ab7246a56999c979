// Tables of numbers, as predictions take them. Pure and thread-safe, but for what reads files.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_TABLE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::client {

// A cell that is not a finite number.
struct BadCell {
  // In the file, from 1.
  int64_t line = 0;
  int64_t column = 0;
  std::string text;
};

struct Table {
  // Names of the columns; empty where the table has no header.
  std::vector<std::string> header;
  int64_t columns = 0;
  int64_t rows = 0;
  // Row-major; 0 for a bad cell.
  std::vector<double> values;
  // Of each column the first bad cell, if it has one. Empty: there is none in the table.
  std::vector<std::optional<BadCell>> bad_cells;
};

// What columns are, besides inputs, as in DataSpec.
struct TableRoles {
  // Empty: the last column that is neither the weight nor ignored.
  std::vector<std::string> targets = {};
  // Empty: there is none.
  std::string weight = {};
  std::vector<std::string> ignored = {};
};

// Fields are separated by `delimiter`; quoted ones may hold it, line ends, and doubled quotes. A first line that holds
// anything but numbers is the header. DATA_MALFORMED with line and column for ragged rows, a quote that is not closed,
// and no rows.
absl::StatusOr<Table> ParseTable(absl::string_view text, char delimiter = ',');
// CSV, TSV or NPY, as DataFormatOf says. Errors of ParseTable and ParseNpy; without a reason for NPZ, which is not
// read, and where the file cannot be read.
absl::StatusOr<Table> ReadTableFile(const std::string& path);

// DATA_MALFORMED with line and column for the first bad cell.
absl::Status CheckNumbers(const Table& table);

// Removes columns, named as in DataSpec.target_columns; without any, the last. COLUMN_NOT_FOUND.
absl::Status DropColumns(const std::vector<std::string>& names, Table& table);

// Removes what is no input from a table as it was trained on. From one that lacks targets or the weight, what its
// header names is removed, if `inputs` columns are left then. Any other table stays as it is. COLUMN_NOT_FOUND;
// ARRAY_SHAPE_INVALID where the one column too many is the target or the weight and nothing tells which.
absl::Status KeepInputs(const TableRoles& roles, int64_t inputs, Table& table);

// Keeps the columns with these names, in this order. COLUMN_NOT_FOUND where one is not in the header, or more than
// once.
absl::Status KeepNamed(const std::vector<std::string>& names, Table& table);

// Which columns of a table with this header are the inputs now, and which are none. Where they were told by their
// order, only a person can tell whether they are the right ones. Empty without a header.
std::string InputsText(const std::vector<std::string>& header, const Table& inputs, bool by_name);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_TABLE_H_
