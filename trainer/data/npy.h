// Arrays in NPY files, versions 1 to 3, with little-endian elements of the types f4, f8, i1 to i8, u1 to u8 and bool.
//
// Elements keep their type. Those of a small file are read into memory; those of a larger one stay in the file, which
// is mapped: any number of runs share them, and they need not fit into memory. Every element is looked at once, in the
// file's order, through a buffer of constant size. An array in Fortran's order is turned round in memory.
#ifndef PILOTHOUSE_TRAINER_DATA_NPY_H_
#define PILOTHOUSE_TRAINER_DATA_NPY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/byte_reader.h"
#include "trainer/data/dataset.h"

namespace pilothouse::trainer {

// Elements of so many bytes or more are mapped.
inline constexpr int64_t kLeastMappedBytes = 32 << 20;

// Reads a whole array of one or two dimensions as rows and columns. `what` names it in messages: "inputs".
// `least_dimensions` is 1 or 2; an array of one dimension has one column. Errors: DATA_MALFORMED (also for an array
// without rows, an element that is not finite, or a file of another size than its header tells), ARRAY_DTYPE_INVALID,
// ARRAY_SHAPE_INVALID.
absl::StatusOr<NumberTable> ReadNpyArray(ByteReader& reader, const std::string& what, int least_dimensions,
                                         int64_t least_mapped_bytes = kLeastMappedBytes);

// A table of shape [rows, columns], as in ReadTable(). Inputs and targets share its elements.
absl::StatusOr<Dataset> ReadNpyTable(ByteReader& reader, const ColumnChoice& columns,
                                     int64_t least_mapped_bytes = kLeastMappedBytes);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_NPY_H_
