// Reads a run's journal, `<run directory>/run.db`, an SQLite database whose schema is in schema.h. Whoever has a run's
// directory can read it: the service, a trainer that goes on from it, a person with the sqlite3 shell. It is written by
// the service alone (service/journal/journal.h).
//
// Where the file is damaged, whatever else can be read is read, and what cannot is named.
//
// Errors: JOURNAL_FAILED, with SQLite's words, whenever the file cannot be read at all.
#ifndef PILOTHOUSE_PROTO_JOURNAL_JOURNAL_READER_H_
#define PILOTHOUSE_PROTO_JOURNAL_JOURNAL_READER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/journal/event_kind.h"
#include "proto/journal/line.h"

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

// Both inclusive.
struct SequenceRange {
  uint64_t first = 0;
  uint64_t last = 0;

  friend bool operator==(const SequenceRange&, const SequenceRange&) = default;
};

// A page names no more damaged places than this; the last then reaches over all that follow.
inline constexpr size_t kMaxDamagedRanges = 1000;
// Adds a range that begins no earlier than the others: behind them, or to the last where they meet or are too many.
void AddDamage(std::vector<SequenceRange>& damaged, SequenceRange range);

// A read looks at no more rows than this, so that it is a short transaction, whatever it is looking for: one that lasts
// keeps the writer's log from being folded into the file.
inline constexpr int kMaxRowsPerRead = 100'000;

struct EventFilter {
  EventKindSet kinds;
  Line line = Line::Everything();
  // As BatchOf, both inclusive.
  int64_t first_batch = std::numeric_limits<int64_t>::min();
  int64_t last_batch = std::numeric_limits<int64_t>::max();
  // No event after this one.
  uint64_t last_sequence = std::numeric_limits<uint64_t>::max();

  bool Passes(const v1::Event& event) const {
    const int64_t batch = BatchOf(event);
    return kinds.Contains(KindOf(event)) && batch >= first_batch && batch <= last_batch && line.Contains(event);
  }
};

// Part of a run's events.
struct JournalPage {
  // In order of sequence. Each is as it was recorded.
  std::vector<std::shared_ptr<const v1::Event>> events;
  // All events asked for, from `after_sequence` to this sequence, are in `events`, save those in `damaged`. Equal to
  // last_sequence (or the filter's): there was no more. A page may be empty and not the last.
  uint64_t through = 0;
  // The newest event's when it was read.
  uint64_t last_sequence = 0;
  // Up to `through`: what cannot be read, in order. Without losses among the kinds asked for, a damaged event may go
  // unnoticed that was a loss.
  std::vector<SequenceRange> damaged;
};

// Losses without their events.
struct LossPage {
  struct Loss {
    uint64_t sequence = 0;
    // May be NaN or infinite.
    double value = 0;
  };
  // As in JournalPage.
  std::vector<Loss> losses;
  uint64_t through = 0;
  std::vector<SequenceRange> damaged;
};

// A reader with a connection of its own. It never holds up the writer and needs no more than the right to read (beside
// a living writer or an ended run's file). Not thread-safe: one thread at a time.
class JournalReader {
 public:
  static absl::StatusOr<std::unique_ptr<JournalReader>> Open(const std::string& path);
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  // The events after `after_sequence` that pass the filter: at most `max_events` (1 or more), and at most `max_bytes`
  // of them as serialized, save that a first event is returned whatever its size.
  absl::StatusOr<JournalPage> Read(uint64_t after_sequence, const EventFilter& filter, int max_events,
                                   int64_t max_bytes) const;
  absl::StatusOr<JournalPage> Read(uint64_t after_sequence, EventKindSet kinds, int max_events,
                                   int64_t max_bytes) const {
    return Read(after_sequence, EventFilter{.kinds = kinds}, max_events, max_bytes);
  }
  // The losses after `after_sequence` that pass the filter, whatever its kinds: as many as one read looks at. Ten times
  // as quick as reading events; values are not verified.
  absl::StatusOr<LossPage> ReadLosses(uint64_t after_sequence, const EventFilter& filter) const;
  // The events of these sequences (ascending, at most kMaxRowsPerRead). Those that cannot be read are in `damaged`;
  // `through` is the last one's.
  absl::StatusOr<JournalPage> ReadSequences(absl::Span<const uint64_t> sequences) const;

  // The sequences of all controls, ascending, whether or not their events can be read.
  absl::StatusOr<std::vector<uint64_t>> ControlIds() const;
  // Where the run was taken back, oldest first.
  absl::StatusOr<std::vector<RewindMark>> Rewinds() const;
  // The newest event's sequence.
  absl::StatusOr<uint64_t> LastSequence() const;

  // The run as it was last set, with its spec, run_id, create_time and last_sequence. `directory` is unset: journals
  // travel. JOURNAL_FAILED also if the run or its spec is damaged.
  absl::StatusOr<v1::Run> LoadRun() const;
  // nullopt: no control with this request_id was applied. JOURNAL_FAILED, naming its sequence, if it was and cannot be
  // read.
  absl::StatusOr<std::optional<RecordedControl>> FindControl(absl::string_view request_id) const;
  // nullopt for an unknown key. JOURNAL_FAILED if the value is damaged.
  absl::StatusOr<std::optional<std::string>> Meta(absl::string_view key) const;

 private:
  explicit JournalReader(std::unique_ptr<Database> database);

  std::unique_ptr<Database> database_;
};

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_JOURNAL_READER_H_
