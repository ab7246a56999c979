// Tables in CSV files.
#ifndef PILOTHOUSE_TRAINER_DATA_CSV_H_
#define PILOTHOUSE_TRAINER_DATA_CSV_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"

namespace pilothouse::trainer {

// Reads `file` from its beginning. The first record is a header if one of its fields is not a number. Everything else
// as in ReadTable(). Thread-safe for different files.
absl::StatusOr<Dataset> ReadCsv(InputFile& file, const std::vector<std::string>& target_columns,
                                const std::optional<std::string>& weight_column = std::nullopt);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_CSV_H_
