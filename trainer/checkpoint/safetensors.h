// Named arrays in a file: the safetensors format, which other programs read as well. Little-endian hosts. Thread-safe.
//
//   length of the header (8 bytes) · header: JSON, padded to 8 bytes · the elements of all tensors, without holes
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_SAFETENSORS_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_SAFETENSORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/checkpoint/file_content.h"
#include "trainer/checkpoint/saved_state.h"

namespace pilothouse::trainer {

// Largest JSON header that is written or read. It holds the texts of a state, and those of many plugins with long
// settings are long; the Python package reads up to 100 MB.
inline constexpr int64_t kMaxSafetensorsHeaderBytes = int64_t{64} << 20;

// The beginning of the file of a state: everything before its elements. Texts become its metadata. DATA_MALFORMED if it
// would be longer than kMaxSafetensorsHeaderBytes. REQUIRES: names and texts are UTF-8, and no name is "__metadata__".
absl::StatusOr<std::string> SafetensorsHeader(const SavedState& state);
// The pieces of the file, in order: `header`, then the tensors, the larger elements first, so that all are aligned.
// They lie in the arguments.
std::vector<absl::string_view> SafetensorsParts(absl::string_view header, const SavedState& state);

// Writes the file atomically (see atomic_file.h). Further errors: as above.
absl::Status WriteSafetensors(const std::string& path, const SavedState& state);

// A file of F32, F64 and U8 tensors. The tensors lie in `content`, which is copied from only for names and texts.
// DATA_MALFORMED for everything that breaks the format or holds other types. Allocates no more than a small multiple of
// the header's size, whatever it claims.
absl::StatusOr<SavedState> ParseSafetensors(const FileContent& content);
// The same, of a file. Further error: FILE_NOT_FOUND.
absl::StatusOr<SavedState> ReadSafetensors(const std::string& path);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_SAFETENSORS_H_
