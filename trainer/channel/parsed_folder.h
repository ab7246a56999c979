// The folder of a service's data that parsed tables are kept in, as a whole: see parsed_file.h.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_PARSED_FOLDER_H_
#define PILOTHOUSE_TRAINER_CHANNEL_PARSED_FOLDER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace pilothouse::trainer {

// How a copy's files end: its numbers, and what it is a copy of.
inline constexpr char kParsedNumbers[] = ".npy";
inline constexpr char kParsedFacts[] = ".json";

// Most bytes that the copies in a folder have together.
inline constexpr int64_t kMostParsedBytes = int64_t{32} << 30;
// Copies leave so many bytes of the disk to others, for whom they matter: journals and checkpoints.
inline constexpr int64_t kLeastFreeBytes = int64_t{1} << 30;
// A file that was being written, and has not grown for so many seconds, was left behind.
inline constexpr int64_t kAbandonedSeconds = 3600;

struct ParsedBounds {
  int64_t most_bytes = kMostParsedBytes;
  int64_t least_free_bytes = kLeastFreeBytes;
};

// Removes what others left half written, and copies until one of `bytes` bytes, `name`, fits: first those that were
// used longest ago. A run that has mapped a copy keeps it, and the disk its bytes, until it ends. `name` itself and
// files that are not named like copies are left alone. INTERNAL where it does not fit. Thread-safe, also among
// processes.
absl::Status MakeRoom(const std::string& folder, const std::string& name, int64_t bytes, const ParsedBounds& bounds);

// Makes the folder; nothing is done if it is there. INTERNAL, with the system's words.
absl::Status MakeParsedFolder(const std::string& folder);

// Writes `parts`, one after the other, to a temporary file beside `path`, and renames it to `path`. Returns the SHA-256
// of what was written, as FileHash does. Nothing is synced: a copy that a crash of the machine takes away, or a part of
// it, is made again, and those who wait for the disk to keep what matters do not wait for gigabytes of a copy as well.
// INTERNAL: what was at `path` before is untouched, and no temporary file is left. Thread-safe, also among processes.
absl::StatusOr<std::string> WriteParsed(const std::string& path, absl::Span<const absl::string_view> parts);

// Notes that a copy is being used.
void NoteUse(const std::string& folder, const std::string& name);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_PARSED_FOLDER_H_
