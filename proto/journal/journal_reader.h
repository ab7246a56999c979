// Reads a run's journal, `<run directory>/run.db`, an SQLite database whose schema is in schema.h. Whoever has a run's
// directory can read it: the service, a trainer that goes on from it, a person with the sqlite3 shell. It is written by
// the service alone (service/journal/journal.h).
//
// Errors: JOURNAL_FAILED, with SQLite's words, whenever the file cannot be read or is damaged.
#ifndef PILOTHOUSE_PROTO_JOURNAL_JOURNAL_READER_H_
#define PILOTHOUSE_PROTO_JOURNAL_JOURNAL_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/journal/event_kind.h"

namespace pilothouse {

class Database;

// Name of the journal's file in a run's directory.
inline constexpr char kJournalFile[] = "run.db";

struct JournalEntry {
  // Complete, with its sequence: one more than that of the event before.
  v1::Event event;
  // The number under which the trainer reported it. 0: an event of the service itself.
  uint64_t report_number = 0;
};

// A control that was applied. `receipt` is exactly what was answered.
struct RecordedControl {
  v1::Receipt receipt;
  v1::ControlReport report;
};

// Keys of Meta that the journal itself writes.
inline constexpr char kMetaSpec[] = "spec";
inline constexpr char kMetaStartRequestId[] = "start_request_id";

// Part of a run's events.
struct JournalPage {
  // In order of sequence.
  std::vector<std::shared_ptr<const v1::Event>> events;
  // All events of the kinds asked for, from `after_sequence` to this sequence, are in `events`. Equal to last_sequence:
  // there was no more.
  uint64_t through = 0;
  // The newest event's when it was read.
  uint64_t last_sequence = 0;
};

// A reader with a connection of its own. It never holds up the writer and needs no more than the right to read (beside
// a living writer or an ended run's file). Not thread-safe: one thread at a time.
class JournalReader {
 public:
  static absl::StatusOr<std::unique_ptr<JournalReader>> Open(const std::string& path);
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  // The events after `after_sequence` of the given kinds: at most `max_events` (1 or more), and at most `max_bytes` of
  // them as serialized, save that a first event is returned whatever its size.
  absl::StatusOr<JournalPage> Read(uint64_t after_sequence, EventKindSet kinds, int max_events,
                                   int64_t max_bytes) const;

  // The run as it was last set, with its spec, run_id, create_time and last_sequence. `directory` is unset: journals
  // travel.
  absl::StatusOr<v1::Run> LoadRun() const;
  // nullopt: no control with this request_id was applied.
  absl::StatusOr<std::optional<RecordedControl>> FindControl(absl::string_view request_id) const;
  // nullopt for an unknown key.
  absl::StatusOr<std::optional<std::string>> Meta(absl::string_view key) const;

 private:
  explicit JournalReader(std::unique_ptr<Database> database);

  std::unique_ptr<Database> database_;
};

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_JOURNAL_READER_H_
