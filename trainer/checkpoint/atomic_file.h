// Files that are there whole or not at all.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_ATOMIC_FILE_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_ATOMIC_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace pilothouse::trainer {

// Writes `parts`, one after the other, to a temporary file beside `path`, syncs it, renames it to `path` and syncs the
// folder. When this returns OK the file survives a crash of the machine; otherwise (INTERNAL) what was at `path` before
// is untouched and no temporary file is left. Thread-safe.
absl::Status WriteFileAtomically(const std::string& path, absl::Span<const absl::string_view> parts);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_ATOMIC_FILE_H_
