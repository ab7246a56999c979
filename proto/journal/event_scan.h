// A pass over a journal's events in order of sequence. It steps over whatever is damaged, and says where that was.
#ifndef PILOTHOUSE_PROTO_JOURNAL_EVENT_SCAN_H_
#define PILOTHOUSE_PROTO_JOURNAL_EVENT_SCAN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/event.pb.h"
#include "proto/journal/event_kind.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/sqlite.h"

namespace pilothouse {

struct EventRow {
  uint64_t sequence = 0;
  int64_t batch = 0;
  v1::EventKind kind = v1::EVENT_KIND_UNSPECIFIED;
  // NaN for NULL.
  double value = 0;
  uint64_t report_number = 0;
  // Verified. Null: not of the kinds that were to be read.
  std::shared_ptr<const v1::Event> event;
  // As serialized.
  int64_t bytes = 0;
};

// A row's columns, for its sum.
struct EventColumns {
  uint64_t sequence = 0;
  int64_t batch = 0;
  int64_t time_us = 0;
  uint64_t report_number = 0;
  // NaN for NULL.
  double value = 0;
  absl::string_view kind;
  absl::string_view payload;
};
int64_t EventSum(const EventColumns& columns);

enum class EventPass {
  // Every row: a hole in the sequences is damage.
  kEverything,
  // Only through the index of what is no loss. Where that, or what it leads to, is damaged, the pass goes on through
  // everything.
  kWithoutLosses,
};

// Not thread-safe; within one transaction of the database, which must outlive it. Errors are those that no damage
// explains.
class EventScan {
 public:
  // From `after` + 1 to `through`. Events of the kinds in `read` are read and verified; of others only the columns.
  EventScan(const Database& database, EventPass pass, uint64_t after, uint64_t through, EventKindSet read);

  // False: there are no more.
  absl::StatusOr<bool> Next(EventRow& row);

  // What could not be read before the last row, or, after the last, at all. In order.
  const std::vector<SequenceRange>& damaged() const { return damaged_; }

 private:
  // Goes on after this sequence.
  void Restart(uint64_t after);
  // Whether a pass could go on at this sequence.
  bool Readable(uint64_t sequence);
  // Looks for the next place that can be read. False: there is none.
  bool StepOver();
  bool End();
  // Fills `row` from the statement; false if what is there cannot be trusted.
  bool Take(Statement& select, EventRow& row);
  void Miss(uint64_t first, uint64_t last);

  const Database& database_;
  EventPass pass_;
  const uint64_t through_;
  const EventKindSet read_;
  std::optional<Statement> select_;
  // The last sequence that was returned; what lies before it is decided.
  uint64_t cursor_;
  // Where a pass was taken up last after damage.
  uint64_t taken_up_ = 0;
  // Rows that were not taken.
  int rejected_ = 0;
  std::vector<SequenceRange> damaged_;
};

// Finds single events. As above.
class EventLookup {
 public:
  explicit EventLookup(const Database& database);

  // The event of this sequence, verified. nullopt: it is not there, or damaged.
  absl::StatusOr<std::optional<EventRow>> Find(uint64_t sequence);

 private:
  const Database& database_;
  Statement select_;
};

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_EVENT_SCAN_H_
