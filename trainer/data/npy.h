// Arrays in NPY files, versions 1 to 3, with little-endian elements of the types f4, f8, i1 to i8, u1 to u8 and bool.
#ifndef PILOTHOUSE_TRAINER_DATA_NPY_H_
#define PILOTHOUSE_TRAINER_DATA_NPY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"
#include "trainer/data/npy_header.h"

namespace pilothouse::trainer {

// One array of one or two dimensions, seen as rows and columns. Not thread-safe.
class NpyReader {
 public:
  // `what` names the array in messages: "inputs". `least_dimensions` is 1 or 2; an array of one dimension has one
  // column. Errors: DATA_MALFORMED (also for an array without rows, or a file of another size than its header tells),
  // ARRAY_DTYPE_INVALID, ARRAY_SHAPE_INVALID.
  static absl::StatusOr<NpyReader> Open(InputFile file, const std::string& what, int least_dimensions);

  // Both at least 1, and their product no more than the bytes in the file.
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }

  // Hands over every element once, converted, in the file's order. To be called once.
  // Error: DATA_MALFORMED for an element that is not finite.
  absl::Status ReadAll(absl::FunctionRef<void(int64_t row, int64_t column, double value)> take);

 private:
  NpyReader(InputFile file, NpyHeader header, std::string what);

  InputFile file_;
  NpyHeader header_;
  std::string what_;
  int64_t rows_ = 0;
  int64_t columns_ = 0;
};

// A table of shape [rows, columns], as in ReadTable().
absl::StatusOr<Dataset> ReadNpyTable(InputFile file, const std::vector<std::string>& target_columns,
                                     const std::optional<std::string>& weight_column = std::nullopt);

// A whole array.
absl::StatusOr<NumberTable> ReadNpyArray(InputFile file, const std::string& what, int least_dimensions);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_NPY_H_
