// What is done about a write-ahead log that is damaged (see proto/journal/wal.h), before SQLite opens it and drops all
// behind the damage: it is set aside, and one with all that can be repaired takes its place. Whether the rows in it are
// as they were written is then for the journal's own checks.
//
// For the one who is about to write the journal. Errors: JOURNAL_FAILED, and the log is what it was.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_LOG_MENDING_H_
#define PILOTHOUSE_SERVICE_JOURNAL_LOG_MENDING_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/journal/wal.h"

namespace pilothouse::service {

struct MendedLog {
  WalReport report;
  // Name of the damaged log, which is kept beside it.
  std::string kept;
  // It was shortened, too.
  bool shortened = false;
};

// nullopt: the log of the journal at `path` is whole, or there is none.
absl::StatusOr<std::optional<MendedLog>> MendLog(const std::string& path);

// A page in it may still be wrong in some bit.
bool IsDoubtful(const MendedLog& mended);

// Cuts off a doubtful log before the first such page: less is left, but nothing of it is wrong. UndoShortening makes it
// what it was before.
absl::Status ShortenLog(const std::string& path, MendedLog& mended);
absl::Status UndoShortening(const std::string& path, MendedLog& mended);

// What was damaged, what is lost with it, and where the damaged log is.
std::string MendedSentence(const MendedLog& mended);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_LOG_MENDING_H_
