#include "service/journal/journal.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "proto/journal/journal_rows.h"
#include "proto/journal/schema.h"
#include "proto/journal/sqlite.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

absl::Status CallerFault(absl::string_view what) {
  return MakeError(v1::ERROR_REASON_INTERNAL, "", absl::StrCat("The journal was asked to record ", what, "."));
}

// Runs `write` in a transaction with the durability asked for.
absl::Status Transact(Database& database, Durability durability, const std::function<absl::Status()>& write) {
  absl::Status status =
      database.Execute(durability == Durability::kSynced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  if (status.ok()) status = database.Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = write();
  if (status.ok()) status = database.Execute("COMMIT");
  if (!status.ok()) database.Rollback();
  return status;
}

v1::Run FirstRun(const NewRun& run) {
  v1::Run first;
  first.set_run_id(run.run_id);
  first.set_status(v1::RUN_STATUS_STARTING);
  first.set_loss(-1);
  *first.mutable_create_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(run.create_time));
  return first;
}

absl::Status CheckEntries(absl::Span<const JournalEntry> entries, uint64_t last_sequence) {
  for (const JournalEntry& entry : entries) {
    if (KindOf(entry.event) == v1::EVENT_KIND_UNSPECIFIED) return CallerFault("an event without content");
    if (entry.event.sequence() != ++last_sequence) {
      return CallerFault(absl::StrCat("sequence ", entry.event.sequence(), " where ", last_sequence, " is due"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Journal::Journal(std::unique_ptr<Database> database) : database_(std::move(database)) {}

Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Create(const std::string& path, const NewRun& run) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, Database::Mode::kCreate);
  if (!database.ok()) return database.status();
  // Cannot be changed within a transaction; kept in the file from here on.
  absl::Status status = (*database)->Execute("PRAGMA journal_mode = WAL");
  if (!status.ok()) return status;
  status = Transact(**database, Durability::kSynced, [&] {
    absl::Status step = CreateSchema(**database);
    if (step.ok()) step = StoreMeta(**database, kMetaSpec, run.spec.SerializeAsString());
    if (step.ok()) step = StoreMeta(**database, kMetaStartRequestId, run.start_request_id);
    if (step.ok()) step = StoreRun(**database, FirstRun(run), 0, 0);
    return step;
  });
  if (!status.ok()) return status;
  return std::unique_ptr<Journal>(new Journal(*std::move(database)));
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, Database::Mode::kWrite);
  if (!database.ok()) return database.status();
  if (absl::Status status = CheckSchema(**database); !status.ok()) return status;
  if ((*database)->schema_version() != kSchemaVersion) {
    absl::Status migrated = Transact(**database, Durability::kSynced, [&] { return MigrateSchema(**database); });
    if (!migrated.ok()) return migrated;
  }
  const absl::StatusOr<Position> position = LoadPosition(**database);
  if (!position.ok()) return position.status();
  std::unique_ptr<Journal> journal(new Journal(*std::move(database)));
  journal->last_sequence_ = position->last_sequence;
  journal->last_report_ = position->last_report;
  return journal;
}

absl::Status Journal::Append(absl::Span<const JournalEntry> entries, Durability durability, const v1::Run* now) {
  if (absl::Status status = CheckEntries(entries, last_sequence_); !status.ok()) return status;
  uint64_t last_report = last_report_;
  for (const JournalEntry& entry : entries) last_report = std::max(last_report, entry.report_number);
  const absl::Status status = Transact(*database_, durability, [&] { return Insert(entries, now, last_report); });
  if (!status.ok()) return status;
  last_sequence_ += entries.size();
  last_report_ = last_report;
  return absl::OkStatus();
}

absl::Status Journal::Insert(absl::Span<const JournalEntry> entries, const v1::Run* now, uint64_t last_report) {
  EventInserter inserter(*database_);
  for (const JournalEntry& entry : entries) {
    const absl::Status status = inserter.Insert(entry);
    if (!status.ok() && sqlite3_extended_errcode(database_->handle()) == SQLITE_CONSTRAINT_UNIQUE) {
      return CallerFault(absl::StrCat("request_id ", entry.event.control().request_id(), " a second time"));
    }
    if (!status.ok()) return status;
  }
  const uint64_t last_sequence = last_sequence_ + entries.size();
  return now != nullptr ? StoreRun(*database_, *now, last_sequence, last_report)
                        : StorePosition(*database_, last_sequence, last_report);
}

absl::Status Journal::SetRun(const v1::Run& now, Durability durability) { return Append({}, durability, &now); }

absl::StatusOr<v1::Run> Journal::LoadRun() const { return pilothouse::LoadRun(*database_); }

absl::StatusOr<std::optional<RecordedControl>> Journal::FindControl(absl::string_view request_id) const {
  return pilothouse::FindControl(*database_, request_id);
}

absl::StatusOr<std::optional<std::string>> Journal::Meta(absl::string_view key) const {
  return LoadMeta(*database_, key);
}

absl::Status Journal::SetMeta(absl::string_view key, absl::string_view value) {
  return Transact(*database_, Durability::kSynced, [&] { return StoreMeta(*database_, key, value); });
}

}  // namespace pilothouse::service
