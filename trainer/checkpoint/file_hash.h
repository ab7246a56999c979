// A file's content in a few characters.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_FILE_HASH_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_FILE_HASH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace pilothouse::trainer {

// The SHA-256 of the file's content, as 64 lower-case hexadecimal digits. FILE_NOT_FOUND if it cannot be read.
// Thread-safe.
absl::StatusOr<std::string> FileHash(const std::string& path);
// The same of several files' contents, one after the other.
absl::StatusOr<std::string> FilesHash(absl::Span<const std::string> paths);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_FILE_HASH_H_
