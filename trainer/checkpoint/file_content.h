// A file as it was when it was read.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_FILE_CONTENT_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_FILE_CONTENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

struct FileContent {
  absl::string_view bytes;
  // Keeps `bytes` where they are.
  std::shared_ptr<const void> owner;
};

// Reads a whole file, in one allocation. FILE_NOT_FOUND if it cannot be opened, DATA_MALFORMED if it cannot be read to
// its end or does not fit into memory. Thread-safe.
absl::StatusOr<FileContent> ReadFileContent(const std::string& path);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_FILE_CONTENT_H_
