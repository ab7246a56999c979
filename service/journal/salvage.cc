#include "service/journal/salvage.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/journal/event_scan.h"
#include "proto/journal/journal_rows.h"
#include "proto/journal/schema.h"
#include "service/journal/set_aside.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

// Being written; and complete, to be put in its place.
constexpr char kSalvaging[] = ".salvaging";
constexpr char kSalvaged[] = ".salvaged";
// A sentence names no more places than this.
constexpr size_t kMaxNamed = 10;

absl::Status CheckStructure(const Database& database) {
  // The first finding is enough.
  Statement check(database, "PRAGMA integrity_check(1)");
  const absl::StatusOr<bool> row = check.Step();
  if (!row.ok()) return row.status();
  return *row && check.Bytes(0) == "ok" ? absl::OkStatus() : Damaged(database, "a page");
}

// An event that the row of the run does not know of: that is an older one, which has come back.
absl::Status CheckNewest(const Database& database, uint64_t last_sequence) {
  Statement select(database, "SELECT max(sequence) FROM events");
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  const bool known = !*row || static_cast<uint64_t>(select.Integer(0)) <= last_sequence;
  return known ? absl::OkStatus() : Damaged(database, "the newest row of the run");
}

absl::Status CheckSums(const Database& database) {
  Statement select(database, "SELECT sequence, batch, kind, value, report_number, time_us, sum, payload FROM events");
  for (;;) {
    const absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    const EventColumns columns = {.sequence = static_cast<uint64_t>(select.Integer(0)),
                                  .batch = select.Integer(1),
                                  .time_us = select.Integer(5),
                                  .report_number = static_cast<uint64_t>(select.Integer(4)),
                                  .value = select.IsNull(3) ? std::nan("") : select.Real(3),
                                  .kind = select.Bytes(2),
                                  .payload = select.Bytes(7)};
    if (!select.IsNull(6) && select.Integer(6) != EventSum(columns)) {
      return Damaged(database, absl::StrCat("event ", columns.sequence));
    }
  }
}

struct Copied {
  uint64_t events = 0;
  std::vector<SequenceRange> lost;
  std::vector<uint64_t> lost_controls;
  uint64_t last_sequence = 0;
  uint64_t last_report = 0;
};

absl::Status CopyMeta(const Database& from, const Database& to) {
  const absl::StatusOr<std::map<std::string, std::string>> meta = LoadAllMeta(from);
  if (!meta.ok()) return meta.status();
  for (const auto& [key, value] : *meta) {
    if (absl::Status stored = StoreMeta(to, key, value); !stored.ok()) return stored;
  }
  return absl::OkStatus();
}

absl::Status CopyEvents(const Database& from, const Database& to, Copied& copied) {
  EventInserter inserter(to);
  EventScan scan(from, EventPass::kEverything, 0, copied.last_sequence, EventKindSet::All());
  for (;;) {
    EventRow row;
    const absl::StatusOr<bool> more = scan.Next(row);
    if (!more.ok()) return more.status();
    if (!*more) break;
    copied.last_report = std::max(copied.last_report, row.report_number);
    if (absl::Status inserted = inserter.Insert({*row.event, row.report_number}); !inserted.ok()) return inserted;
    ++copied.events;
  }
  copied.lost = scan.damaged();
  return absl::OkStatus();
}

// Copies the rows of controls whose events are lost: asking again with their request_ids must not change the run a
// second time.
class ControlCopier {
 public:
  ControlCopier(const Database& from, const Database& to)
      : select_(from, absl::StrCat("SELECT ", kColumns, " FROM controls WHERE control_id = ?1")),
        insert_(to, absl::StrCat("INSERT OR IGNORE INTO controls (", kColumns,
                                 ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")),
        to_(to) {}

  // True: there was such a control, and it was not copied yet.
  absl::StatusOr<bool> Copy(uint64_t sequence) {
    select_.Reset();
    select_.BindInteger(1, static_cast<int64_t>(sequence));
    const absl::StatusOr<bool> row = select_.Step();
    if (!row.ok() || !*row) return false;
    for (int column = 0; column < kColumnCount; ++column) insert_.BindColumn(column + 1, select_, column);
    if (absl::Status inserted = insert_.Run(); !inserted.ok()) return inserted;
    return sqlite3_changes(to_.handle()) > 0;
  }

 private:
  static constexpr int kColumnCount = 11;
  static constexpr char kColumns[] =
      "control_id, request_id, kind, name, value, previous_value, applied_batch, at_batch, origin, note, time_us";

  Statement select_;
  Statement insert_;
  const Database& to_;
};

absl::Status CopyControls(const Database& from, const Database& to, Copied& copied) {
  ControlCopier copier(from, to);
  for (const SequenceRange& range : copied.lost) {
    for (uint64_t sequence = range.first; sequence <= range.last; ++sequence) {
      const absl::StatusOr<bool> control = copier.Copy(sequence);
      if (!control.ok()) return control.status();
      if (*control) copied.lost_controls.push_back(sequence);
    }
  }
  return absl::OkStatus();
}

absl::Status CopyAll(const Database& from, const v1::Run& run, Database& to, Copied& copied) {
  if (absl::Status made = CreateSchema(to); !made.ok()) return made;
  if (absl::Status meta = CopyMeta(from, to); !meta.ok()) return meta;
  if (absl::Status events = CopyEvents(from, to, copied); !events.ok()) return events;
  if (absl::Status controls = CopyControls(from, to, copied); !controls.ok()) return controls;
  return StoreRun(to, run, copied.last_sequence, copied.last_report);
}

absl::Status WriteCopy(const Database& from, const std::string& path, Copied& copied) {
  const absl::StatusOr<v1::Run> run = LoadRun(from);
  if (!run.ok()) return run.status();
  const absl::StatusOr<Position> position = LoadPosition(from);
  if (!position.ok()) return position.status();
  copied.last_sequence = position->last_sequence;
  copied.last_report = position->last_report;
  absl::StatusOr<std::unique_ptr<Database>> to = Database::Open(path, Database::Mode::kCreate);
  if (!to.ok()) return to.status();
  absl::Status status = (*to)->Execute("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
  if (status.ok()) status = CopyAll(from, *run, **to, copied);
  if (status.ok()) status = (*to)->Execute("COMMIT; PRAGMA journal_mode = WAL");
  return status;
}

std::string ShownRange(const SequenceRange& range) {
  return range.first == range.last ? absl::StrCat(range.first) : absl::StrCat(range.first, " to ", range.last);
}

std::string LostSentence(const Copied& copied, const std::string& kept) {
  std::string sentence = "Its journal was damaged, and ";
  const uint64_t lost = copied.last_sequence - copied.events;
  if (lost == 0) {
    absl::StrAppend(&sentence, "nothing of it is lost");
  } else {
    std::vector<std::string> places;
    for (const SequenceRange& range : copied.lost) {
      if (places.size() < kMaxNamed) places.push_back(ShownRange(range));
    }
    if (copied.lost.size() > kMaxNamed) places.push_back("…");
    absl::StrAppend(&sentence, lost, " of ", copied.last_sequence, " events are lost (", absl::StrJoin(places, ", "),
                    ")");
  }
  const size_t controls = copied.lost_controls.size();
  if (controls == 1) absl::StrAppend(&sentence, ", among them control ", copied.lost_controls.front());
  if (controls > 1) {
    absl::StrAppend(&sentence, ", among them ", controls, " controls, the first of them ",
                    copied.lost_controls.front());
  }
  return absl::StrCat(sentence, "; the damaged file is kept as ", fs::path(kept).filename().string(), ".");
}

}  // namespace

absl::Status CheckWhole(const Database& database) {
  if (absl::Status structure = CheckStructure(database); !structure.ok()) return structure;
  const absl::StatusOr<v1::Run> run = LoadRun(database);
  if (!run.ok()) return run.status();
  if (absl::Status newest = CheckNewest(database, run->last_sequence()); !newest.ok()) return newest;
  return CheckSums(database);
}

std::optional<uint64_t> CountReadable(const std::string& path) {
  const absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, Database::Mode::kRead);
  if (!database.ok() || !CheckSchema(**database).ok() || !LoadRun(**database).ok()) return std::nullopt;
  const absl::StatusOr<Position> position = LoadPosition(**database);
  if (!position.ok()) return std::nullopt;
  EventScan scan(**database, EventPass::kEverything, 0, position->last_sequence, EventKindSet::All());
  EventRow row;
  for (uint64_t events = 0;; ++events) {
    const absl::StatusOr<bool> more = scan.Next(row);
    if (!more.ok()) return std::nullopt;
    if (!*more) return events;
  }
}

absl::Status FinishSalvage(const std::string& path) {
  const std::string complete = path + kSalvaged;
  std::error_code error;
  if (!fs::exists(complete, error)) return absl::OkStatus();
  // In this order, so that at any moment there is a journal at `path`, and none beside a log that is not its own.
  if (absl::Status done = Keep(path); !done.ok()) return done;
  const std::string kept = KeptName(path);
  if (!fs::exists(kept + "-wal", error) && fs::exists(path + "-wal", error)) {
    fs::rename(path + "-wal", kept + "-wal", error);
    if (error) return CannotSetAside(path, error.message());
  }
  fs::remove(path + "-wal", error);
  fs::remove(path + "-shm", error);
  fs::rename(complete, path, error);
  if (error) return CannotSetAside(path, error.message());
  return SyncDirectoryOf(path);
}

absl::StatusOr<std::string> SalvageJournal(const std::string& path) {
  const std::string copy = path + kSalvaging;
  std::error_code error;
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) fs::remove(copy + suffix, error);
  Copied copied;
  {
    absl::StatusOr<std::unique_ptr<Database>> from = Database::Open(path, Database::Mode::kRead);
    if (!from.ok()) return from.status();
    absl::Status status = CheckSchema(**from);
    if (status.ok()) status = WriteCopy(**from, copy, copied);
    if (!status.ok()) {
      fs::remove(copy, error);
      return status;
    }
  }
  fs::rename(copy, path + kSalvaged, error);
  if (error) return CannotSetAside(path, error.message());
  const std::string sentence = LostSentence(copied, KeptName(path));
  if (absl::Status synced = SyncDirectoryOf(path); !synced.ok()) return synced;
  if (absl::Status finished = FinishSalvage(path); !finished.ok()) return finished;
  return sentence;
}

}  // namespace pilothouse::service
