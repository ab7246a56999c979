// Keeping a damaged file of a journal beside what takes its place. Thread-safe, save that one run is for one thread at
// a time.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_SET_ASIDE_H_
#define PILOTHOUSE_SERVICE_JOURNAL_SET_ASIDE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace pilothouse::service {

// Where the damaged file `path` is kept, or is to be: <path>.damaged-N.
std::string KeptName(const std::string& path);

// Keeps it there too, under the same content: a second name for it. Nothing is done if it is kept already.
// JOURNAL_FAILED.
absl::Status Keep(const std::string& path);

// Makes the names in its directory durable. JOURNAL_FAILED.
absl::Status SyncDirectoryOf(const std::string& path);

// JOURNAL_FAILED, naming the file.
absl::Status CannotSetAside(const std::string& path, absl::string_view cause);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_SET_ASIDE_H_
