// Rows of the journal's tables, from and to messages. What writes runs within the caller's transaction. Not
// thread-safe.
#ifndef PILOTHOUSE_PROTO_JOURNAL_JOURNAL_ROWS_H_
#define PILOTHOUSE_PROTO_JOURNAL_JOURNAL_ROWS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/sqlite.h"

namespace pilothouse {

// Inserts events, and controls and checkpoints among them also into their own tables.
class EventInserter {
 public:
  explicit EventInserter(const Database& database);

  absl::Status Insert(const JournalEntry& entry);

 private:
  absl::Status InsertControl(const v1::Event& event);
  absl::Status InsertCheckpoint(const v1::Event& event);

  Statement event_;
  Statement control_;
  Statement checkpoint_;
};

// Writes the only row of `run`.
absl::Status StoreRun(const Database& database, const v1::Run& run, uint64_t last_sequence, uint64_t last_report);
// Changes only how far the run has been recorded.
absl::Status StorePosition(const Database& database, uint64_t last_sequence, uint64_t last_report);

struct Position {
  uint64_t last_sequence = 0;
  uint64_t last_report = 0;
};
absl::StatusOr<Position> LoadPosition(const Database& database);

// See the methods of Journal and JournalReader with the same names.
absl::StatusOr<v1::Run> LoadRun(const Database& database);
absl::StatusOr<std::optional<RecordedControl>> FindControl(const Database& database, absl::string_view request_id);
absl::StatusOr<std::optional<std::string>> LoadMeta(const Database& database, absl::string_view key);
absl::Status StoreMeta(const Database& database, absl::string_view key, absl::string_view value);
// Those that can be read, by key.
absl::StatusOr<std::map<std::string, std::string>> LoadAllMeta(const Database& database);
absl::StatusOr<std::vector<RewindMark>> LoadRewinds(const Database& database);

// JOURNAL_FAILED: what is said of the journal's `part`.
absl::Status Damaged(const Database& database, absl::string_view part);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_JOURNAL_ROWS_H_
