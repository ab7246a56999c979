// Named arrays in a file: the safetensors format, which other programs read as well. Little-endian hosts. Thread-safe.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_SAFETENSORS_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/net/number_array.h"

namespace pilothouse::trainer {

// Largest JSON header that is read.
inline constexpr int64_t kMaxSafetensorsHeaderBytes = 1 << 20;

struct TensorFile {
  std::map<std::string, NumberArray> tensors;
  std::map<std::string, std::string> metadata;
};

// Writes the file atomically (see atomic_file.h). Names and metadata must be UTF-8, "__metadata__" is no name.
absl::Status WriteSafetensors(const std::string& path, const TensorFile& contents);

// Reads a file of F32 and F64 tensors. Errors: FILE_NOT_FOUND; DATA_MALFORMED for everything that breaks the format or
// holds other types. Allocates no more than a small multiple of the file's size, whatever it claims.
absl::StatusOr<TensorFile> ReadSafetensors(const std::string& path);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_SAFETENSORS_H_
