#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/journal_rows.h"
#include "proto/journal/schema.h"
#include "proto/journal/sqlite.h"

namespace pilothouse {
namespace {

std::string SelectEvents(EventKindSet kinds) {
  std::vector<std::string> names;
  for (int i = v1::EventKind_MIN; i <= v1::EventKind_MAX; ++i) {
    const auto kind = static_cast<v1::EventKind>(i);
    if (kinds.Contains(kind)) names.push_back(absl::StrCat("'", KindName(kind), "'"));
  }
  // Left to itself, the planner takes the table, losses and all.
  const char* index = kinds.Contains(v1::EVENT_KIND_LOSS) ? "" : " INDEXED BY events_without_losses";
  const char* condition = kinds.Contains(v1::EVENT_KIND_LOSS) ? "" : " AND kind <> 'loss'";
  return absl::StrCat("SELECT payload FROM events", index, " WHERE sequence > ?1", condition, " AND kind IN (",
                      absl::StrJoin(names, ", "), ") ORDER BY sequence");
}

absl::Status ReadEvents(const Database& database, uint64_t after_sequence, EventKindSet kinds, size_t max_events,
                        int64_t max_bytes, JournalPage& page) {
  Statement select(database, SelectEvents(kinds));
  select.BindInteger(1, static_cast<int64_t>(after_sequence));
  int64_t bytes = 0;
  for (;;) {
    const absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    const absl::string_view payload = select.Bytes(0);
    bytes += static_cast<int64_t>(payload.size());
    if (page.events.size() >= max_events || (bytes > max_bytes && !page.events.empty())) {
      page.through = page.events.back()->sequence();
      return absl::OkStatus();
    }
    auto event = std::make_shared<v1::Event>();
    if (absl::Status status = ParseEvent(database, payload, *event); !status.ok()) return status;
    page.events.push_back(std::move(event));
  }
  page.through = std::max(page.last_sequence, after_sequence);
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

absl::StatusOr<JournalPage> JournalReader::Read(uint64_t after_sequence, EventKindSet kinds, int max_events,
                                                int64_t max_bytes) const {
  // One transaction, so that both queries see the same journal.
  if (absl::Status status = database_->Execute("BEGIN"); !status.ok()) return status;
  JournalPage page;
  const absl::StatusOr<Position> position = LoadPosition(*database_);
  absl::Status status = position.status();
  if (status.ok()) {
    page.last_sequence = position->last_sequence;
    status = ReadEvents(*database_, after_sequence, kinds, static_cast<size_t>(max_events), max_bytes, page);
  }
  database_->Rollback();
  if (!status.ok()) return status;
  return page;
}

absl::StatusOr<v1::Run> JournalReader::LoadRun() const { return pilothouse::LoadRun(*database_); }

absl::StatusOr<std::optional<RecordedControl>> JournalReader::FindControl(absl::string_view request_id) const {
  return pilothouse::FindControl(*database_, request_id);
}

absl::StatusOr<std::optional<std::string>> JournalReader::Meta(absl::string_view key) const {
  return LoadMeta(*database_, key);
}

}  // namespace pilothouse
