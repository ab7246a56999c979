// Tables in CSV and TSV files.
#ifndef PILOTHOUSE_TRAINER_DATA_CSV_H_
#define PILOTHOUSE_TRAINER_DATA_CSV_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"

namespace pilothouse::trainer {

class ParsedCopy;

// What separates the fields of a table. kDetected: a tab if the first record has one and no comma, neither of them
// within quotes; otherwise a comma.
enum class CsvDelimiter { kDetected, kTab };

// Reads `file` from its beginning, once, beside the result with a buffer of constant size. The first record is a header
// if one of its fields is not a number; DATA_MALFORMED where only ignored columns have such fields. Numbers are the
// nearest of float64; inputs and targets share them. With a `copy` that finds the numbers, only the first record is
// read, and without a difference otherwise. Everything else as in ReadTable(), and DATASET_TOO_LARGE if the numbers do
// not fit into the memory that this process can have. Thread-safe for different files and copies.
absl::StatusOr<Dataset> ReadCsv(InputFile& file, CsvDelimiter delimiter, const ColumnChoice& columns,
                                ParsedCopy* copy = nullptr);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_CSV_H_
