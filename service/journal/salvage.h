// What is done about a journal that is damaged: it is set aside, and what can be read of it goes on in its place.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_SALVAGE_H_
#define PILOTHOUSE_SERVICE_JOURNAL_SALVAGE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/journal/sqlite.h"

namespace pilothouse::service {

// OK: all that the journal holds is there and as it was written. Reads the whole file (9 s for 10 million events, 0.8
// GB). JOURNAL_FAILED with IsDamage() if it is damaged.
absl::Status CheckWhole(const Database& database);

// Copies every row that can be read and is as it was written into a new journal at `path`, and keeps the damaged one
// beside it as <path>.damaged-N, with its log. Sequences stay as they were. Returns a sentence that says what was lost.
// JOURNAL_FAILED, and nothing is changed, if the run itself or its spec cannot be read: without these there is nothing
// to go on with.
absl::StatusOr<std::string> SalvageJournal(const std::string& path);

// How many events SalvageJournal would keep; nullopt: it would refuse.
std::optional<uint64_t> CountReadable(const std::string& path);

// Finishes what a SalvageJournal had begun when its process was killed, if it had come so far that it can be.
absl::Status FinishSalvage(const std::string& path);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_SALVAGE_H_
