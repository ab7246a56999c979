// Files that are there whole or not at all. Thread-safe.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_ATOMIC_FILE_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_ATOMIC_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace pilothouse::trainer {

// Ends the names of files that are being written.
inline constexpr char kTemporarySuffix[] = ".tmp";

// What a file that was written survives: a crash of the machine; or only one of the process, and a crash of the machine
// may also leave a part of it under its name.
enum class FileSync { kSynced, kUnsynced };

// Writes `parts`, one after the other, to a temporary file beside `path`, syncs it, renames it to `path` and syncs the
// folder; or does not sync. If this does not return OK (INTERNAL), what was at `path` before is untouched and no
// temporary file is left.
absl::Status WriteFileAtomically(const std::string& path, absl::Span<const absl::string_view> parts,
                                 FileSync sync = FileSync::kSynced);

// The same; returns the SHA-256 of what was written, as FileHash does. Hashing takes place beside writing.
absl::StatusOr<std::string> WriteAndHashFile(const std::string& path, absl::Span<const absl::string_view> parts,
                                             FileSync sync = FileSync::kSynced);

// Makes the folder, and its name durable; nothing is done if it is there. INTERNAL, with the system's words.
absl::Status MakeDurableFolder(const std::string& path);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_ATOMIC_FILE_H_
