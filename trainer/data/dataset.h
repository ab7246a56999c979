// The examples of a run, and reading them from files.
//
//   absl::StatusOr<Dataset> data = ReadTable("digits.csv", {.targets = {"label"}});
//
// Reads need a constant amount of memory beside the result, and only finite numbers pass. All functions are
// thread-safe. Error fields are relative to RunSpec ("data", "data.target_columns"). Rows, lines and columns in errors
// count from 1.
#ifndef PILOTHOUSE_TRAINER_DATA_DATASET_H_
#define PILOTHOUSE_TRAINER_DATA_DATASET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/number_table.h"

namespace pilothouse::trainer {

class ParsedCopy;

// What data are for: a run that begins, or one that goes on, is forked, gone through again or evaluated. An older
// version may have taken what a new run is refused; whoever reads it again gets what that version read, unless memory
// would not be safe.
enum class RunAge { kNew, kOld };

// What is said of a table's columns. A column is named by its name in the header or by its number from 1, negative ones
// from the end; no column may be named twice. All that are not named are inputs, in the table's order.
struct ColumnChoice {
  // In this order. Empty: the last column that is neither the weight nor ignored.
  std::vector<std::string> targets = {};
  // Holds the weights of the rows.
  std::optional<std::string> weight = std::nullopt;
  // Nothing. In text, what they hold need not be numbers.
  std::vector<std::string> ignored = {};
};

// Row i of `inputs` belongs to row i of `targets`. Neither is empty.
struct Dataset {
  NumberTable inputs;
  NumberTable targets;
  // How much each row counts, as if it were there so many times: see weights.h. Empty: every row counts 1.
  std::vector<double> weights = {};
  // What the table's header calls the inputs. Empty where nothing does, where
  // one is called as another is, or they are no valid UTF-8 or longer than kMaxInputNamesBytes (column_roles.h).
  std::vector<std::string> input_names = {};
};

// Reads a table, recognised by its first bytes: NPY of shape [rows, columns], NPZ (npz.h), or else text. Text is TSV if
// the file's name ends in .tsv or .tab, or its first record is separated by tabs (csv.h); otherwise CSV.
// Text is parsed unless `copy`, if there is one, has its numbers; it is offered them otherwise. `age` matters to NPZ
// files.
//
// Errors: FILE_NOT_FOUND, DATA_MALFORMED, DATASET_TOO_LARGE (an NPZ file, or text that does not fit into memory),
// COLUMN_NOT_FOUND, ARRAY_SHAPE_INVALID, ARRAY_DTYPE_INVALID, SPEC_INVALID (a column named twice, no column left as
// input, or columns named where the targets are an array of their own).
absl::StatusOr<Dataset> ReadTable(const std::string& path, const ColumnChoice& columns, ParsedCopy* copy = nullptr,
                                  RunAge age = RunAge::kNew);

// Reads two NPY files with as many rows as each other: inputs of shape [rows, inputs], targets of shape [rows] or
// [rows, k]. And, unless its path is empty, one of weights of shape [rows] or [rows, 1]. Errors: FILE_NOT_FOUND,
// DATA_MALFORMED, ARRAY_SHAPE_INVALID, ARRAY_DTYPE_INVALID.
absl::StatusOr<Dataset> ReadArrays(const std::string& inputs_path, const std::string& targets_path,
                                   const std::string& weights_path = "");

// Inputs, targets and weights as one dataset. ARRAY_SHAPE_INVALID unless inputs and targets have as many rows as each
// other, and there is one weight for each row, if any.
absl::StatusOr<Dataset> PairRows(NumberTable inputs, NumberTable targets,
                                 std::optional<NumberTable> weights = std::nullopt);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_DATASET_H_
