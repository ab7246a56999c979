#include "proto/journal/journal_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/journal/event_scan.h"
#include "proto/journal/journal_rows.h"
#include "proto/journal/schema.h"
#include "proto/journal/sqlite.h"

namespace pilothouse {
namespace {

// So that all queries in between see the same journal.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database) : database_(database), begun_(database.Execute("BEGIN")) {}
  ~ReadTransaction() { database_.Rollback(); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

  const absl::Status& begun() const { return begun_; }

 private:
  Database& database_;
  const absl::Status begun_;
};

// Where the row of the run is damaged, the events tell.
absl::StatusOr<uint64_t> NewestSequence(const Database& database) {
  if (const absl::StatusOr<Position> position = LoadPosition(database); position.ok()) return position->last_sequence;
  Statement select(database, "SELECT max(sequence) FROM events");
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  return *row ? static_cast<uint64_t>(std::max<int64_t>(select.Integer(0), 0)) : 0;
}

// Controls and checkpoints have rows of their own, which say that there were events where these are gone without a
// trace.
void AddLost(const Database& database, const char* sql, uint64_t after, uint64_t through,
             std::vector<SequenceRange>& damaged) {
  Statement select(database, sql);
  select.BindInteger(1, static_cast<int64_t>(after));
  select.BindInteger(2, static_cast<int64_t>(through));
  for (absl::StatusOr<bool> row = select.Step(); row.ok() && *row; row = select.Step()) {
    const auto sequence = static_cast<uint64_t>(select.Integer(0));
    AddDamage(damaged, {sequence, sequence});
  }
}

void AddLostOf(const Database& database, EventKindSet kinds, uint64_t after, uint64_t through,
               std::vector<SequenceRange>& damaged) {
  if (kinds.Contains(v1::EVENT_KIND_CONTROL)) {
    AddLost(database,
            "SELECT control_id FROM controls LEFT JOIN events ON sequence = control_id WHERE control_id > ?1 AND"
            " control_id <= ?2 AND sequence IS NULL ORDER BY control_id",
            after, through, damaged);
  }
  if (kinds.Contains(v1::EVENT_KIND_CHECKPOINT) && database.has_sums()) {
    AddLost(database,
            "SELECT checkpoints.sequence FROM checkpoints LEFT JOIN events ON events.sequence = checkpoints.sequence"
            " WHERE checkpoints.sequence > ?1 AND checkpoints.sequence <= ?2 AND events.sequence IS NULL"
            " ORDER BY checkpoints.sequence",
            after, through, damaged);
  }
}

// In order, without what is told twice.
void SortDamage(std::vector<SequenceRange>& damaged) {
  std::sort(damaged.begin(), damaged.end(),
            [](const SequenceRange& one, const SequenceRange& other) { return one.first < other.first; });
  std::vector<SequenceRange> merged;
  for (const SequenceRange& range : damaged) AddDamage(merged, range);
  damaged = std::move(merged);
}

struct PageLimits {
  size_t events;
  int64_t bytes;
};

absl::Status ReadEvents(EventScan& scan, const EventFilter& filter, PageLimits limits, JournalPage& page) {
  int64_t bytes = 0;
  for (int rows = 0; rows < kMaxRowsPerRead; ++rows) {
    EventRow row;
    const absl::StatusOr<bool> more = scan.Next(row);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    if (row.event != nullptr && filter.Passes(*row.event)) {
      bytes += row.bytes;
      if (page.events.size() >= limits.events || (bytes > limits.bytes && !page.events.empty())) {
        page.through = row.sequence - 1;
        return absl::OkStatus();
      }
      page.events.push_back(row.event);
    }
    if (rows == kMaxRowsPerRead - 1) page.through = row.sequence;
  }
  return absl::OkStatus();
}

}  // namespace

JournalReader::JournalReader(std::unique_ptr<Database> database) : database_(std::move(database)) {}

JournalReader::~JournalReader() = default;

absl::StatusOr<std::unique_ptr<JournalReader>> JournalReader::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, Database::Mode::kRead);
  if (!database.ok()) return database.status();
  if (absl::Status status = CheckSchema(**database); !status.ok()) return status;
  return std::unique_ptr<JournalReader>(new JournalReader(*std::move(database)));
}

absl::StatusOr<JournalPage> JournalReader::Read(uint64_t after_sequence, const EventFilter& filter, int max_events,
                                                int64_t max_bytes) const {
  const ReadTransaction transaction(*database_);
  if (!transaction.begun().ok()) return transaction.begun();
  const absl::StatusOr<uint64_t> newest = NewestSequence(*database_);
  if (!newest.ok()) return newest.status();
  JournalPage page;
  page.last_sequence = *newest;
  page.through = std::max(std::min(*newest, filter.last_sequence), after_sequence);
  const bool losses = filter.kinds.Contains(v1::EVENT_KIND_LOSS);
  EventScan scan(*database_, losses ? EventPass::kEverything : EventPass::kWithoutLosses, after_sequence, page.through,
                 filter.kinds);
  const absl::Status read = ReadEvents(scan, filter, {static_cast<size_t>(max_events), max_bytes}, page);
  if (!read.ok()) return read;
  page.damaged = scan.damaged();
  if (!losses) AddLostOf(*database_, filter.kinds, after_sequence, page.through, page.damaged);
  SortDamage(page.damaged);
  return page;
}

absl::StatusOr<LossPage> JournalReader::ReadLosses(uint64_t after_sequence, const EventFilter& filter) const {
  const ReadTransaction transaction(*database_);
  if (!transaction.begun().ok()) return transaction.begun();
  const absl::StatusOr<uint64_t> newest = NewestSequence(*database_);
  if (!newest.ok()) return newest.status();
  LossPage page;
  page.through = std::max(std::min(*newest, filter.last_sequence), after_sequence);
  EventScan scan(*database_, EventPass::kEverything, after_sequence, page.through, {});
  EventRow row;
  for (int rows = 0; rows < kMaxRowsPerRead; ++rows) {
    const absl::StatusOr<bool> more = scan.Next(row);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const bool passes = row.kind == v1::EVENT_KIND_LOSS && row.batch >= filter.first_batch &&
                        row.batch <= filter.last_batch && filter.line.Contains(row.sequence, row.batch);
    if (passes) page.losses.push_back({row.sequence, row.value});
    if (rows == kMaxRowsPerRead - 1) page.through = row.sequence;
  }
  page.damaged = scan.damaged();
  return page;
}

absl::StatusOr<JournalPage> JournalReader::ReadSequences(absl::Span<const uint64_t> sequences) const {
  const ReadTransaction transaction(*database_);
  if (!transaction.begun().ok()) return transaction.begun();
  JournalPage page;
  EventLookup lookup(*database_);
  for (const uint64_t sequence : sequences) {
    absl::StatusOr<std::optional<EventRow>> row = lookup.Find(sequence);
    if (!row.ok()) return row.status();
    page.through = sequence;
    if (row->has_value()) {
      page.events.push_back(std::move((*row)->event));
    } else {
      AddDamage(page.damaged, {sequence, sequence});
    }
  }
  return page;
}

absl::StatusOr<std::vector<uint64_t>> JournalReader::ControlIds() const {
  Statement select(*database_, "SELECT control_id FROM controls ORDER BY control_id");
  std::vector<uint64_t> ids;
  for (;;) {
    const absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return ids;
    ids.push_back(static_cast<uint64_t>(select.Integer(0)));
  }
}

absl::StatusOr<std::vector<RewindMark>> JournalReader::Rewinds() const { return LoadRewinds(*database_); }

absl::StatusOr<uint64_t> JournalReader::LastSequence() const { return NewestSequence(*database_); }

absl::StatusOr<v1::Run> JournalReader::LoadRun() const { return pilothouse::LoadRun(*database_); }

absl::StatusOr<std::optional<RecordedControl>> JournalReader::FindControl(absl::string_view request_id) const {
  return pilothouse::FindControl(*database_, request_id);
}

absl::StatusOr<std::optional<std::string>> JournalReader::Meta(absl::string_view key) const {
  return LoadMeta(*database_, key);
}

}  // namespace pilothouse
