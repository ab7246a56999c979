// Tables of numbers, as predictions take them. Pure and thread-safe, but for what reads files.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_TABLE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::client {

struct Table {
  // Names of the columns; empty where the table has no header.
  std::vector<std::string> header;
  int64_t columns = 0;
  int64_t rows = 0;
  // Row-major.
  std::vector<double> values;
};

// What columns are, besides inputs, as in DataSpec.
struct TableRoles {
  // Empty: the last column that is not the weight.
  std::vector<std::string> targets;
  // Empty: there is none.
  std::string weight;
};

// Fields are separated by `delimiter`. A first line that holds anything but numbers is the header. DATA_MALFORMED with
// line and column for ragged rows, for anything that is not a finite number, and for no rows.
absl::StatusOr<Table> ParseTable(absl::string_view text, char delimiter = ',');
// CSV, TSV or NPY, as DataFormatOf says. Errors of ParseTable and ParseNpy; without a reason for NPZ, which is not
// read, and where the file cannot be read.
absl::StatusOr<Table> ReadTableFile(const std::string& path);

// Removes columns, named as in DataSpec.target_columns; without any, the last. COLUMN_NOT_FOUND.
absl::Status DropColumns(const std::vector<std::string>& names, Table& table);

// Removes what is no input from a table as it was trained on. From one that lacks targets or the weight, what its
// header names is removed, if `inputs` columns are left then. Any other table stays as it is. COLUMN_NOT_FOUND;
// ARRAY_SHAPE_INVALID where the one column too many is the target or the weight and nothing tells which.
absl::Status KeepInputs(const TableRoles& roles, int64_t inputs, Table& table);

// Which columns of a table with this header are the inputs now, and which are none: a run knows its inputs by their
// order, not by their names, so that only a person can tell whether they are the right ones. Empty without a header.
std::string InputsText(const std::vector<std::string>& header, const Table& inputs);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_TABLE_H_
