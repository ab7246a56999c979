// What an NPY file says about its array.
#ifndef PILOTHOUSE_TRAINER_DATA_NPY_HEADER_H_
#define PILOTHOUSE_TRAINER_DATA_NPY_HEADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/data/byte_reader.h"

namespace pilothouse::trainer {

// What the first bytes of an NPY file are.
inline constexpr char kNpyMagic[] = "\x93NUMPY";
// Longest header that is read. NumPy writes 128 bytes for everything that can be read here.
inline constexpr int64_t kMaxNpyHeaderBytes = 64 << 10;
inline constexpr int64_t kNpyAlignment = 64;

struct NpyHeader {
  // NumPy's name of the element type: "<f8".
  std::string element_type;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// Reads magic, version (1 to 3) and header, and leaves `reader` at the first element.
// Errors: DATA_MALFORMED; ARRAY_DTYPE_INVALID for elements that are structures.
absl::StatusOr<NpyHeader> ReadNpyHeader(ByteReader& reader);

// Magic, version and header of an array of float64 of shape [rows, columns], row by row, as NumPy writes them: padded
// so that the first element lies at a multiple of kNpyAlignment.
std::string NpyHeaderOfFloat64(int64_t rows, int64_t columns);

// Reads the Python dictionary that a header is: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_NPY_HEADER_H_
