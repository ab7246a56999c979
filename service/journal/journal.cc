#include "service/journal/journal.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/time_util.h"
#include "proto/journal/journal_rows.h"
#include "proto/journal/schema.h"
#include "proto/journal/sqlite.h"
#include "proto/journal/wal.h"
#include "proto/support/error.h"
#include "service/journal/log_mending.h"
#include "service/journal/salvage.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

absl::Status CallerFault(absl::string_view what) {
  return MakeError(v1::ERROR_REASON_INTERNAL, "", absl::StrCat("The journal was asked to record ", what, "."));
}

// Beside a journal in which damage was met: the next to open it reads it through.
std::string SuspectMark(const std::string& path) { return path + ".suspect"; }

// Its last writer was killed, or met damage.
bool IsSuspect(const std::string& path) {
  std::error_code error;
  const auto log_bytes = fs::file_size(WalPathOf(path), error);
  return (!error && log_bytes > 0) || fs::exists(SuspectMark(path), error);
}

// Events are left without sums: there may be millions of them.
absl::Status Migrate(Database& database) {
  const absl::StatusOr<v1::Run> run = LoadRun(database);
  if (!run.ok()) return run.status();
  const absl::StatusOr<Position> position = LoadPosition(database);
  if (!position.ok()) return position.status();
  const absl::StatusOr<std::map<std::string, std::string>> meta = LoadAllMeta(database);
  if (!meta.ok()) return meta.status();
  if (absl::Status status = MigrateSchema(database); !status.ok()) return status;
  for (const auto& [key, value] : *meta) {
    if (absl::Status status = StoreMeta(database, key, value); !status.ok()) return status;
  }
  return StoreRun(database, *run, position->last_sequence, position->last_report);
}

bool HasEnded(v1::RunStatus status) {
  return status == v1::RUN_STATUS_STOPPED || status == v1::RUN_STATUS_COMPLETED || status == v1::RUN_STATUS_FAILED;
}

absl::Status WithSentences(const absl::Status& status, const std::vector<std::string>& sentences) {
  if (sentences.empty()) return status;
  v1::Error error = ToError(status);
  error.set_message(absl::StrCat(error.message(), " ", absl::StrJoin(sentences, " ")));
  return FromError(error);
}

v1::Run FirstRun(const NewRun& run) {
  v1::Run first;
  first.set_run_id(run.run_id);
  first.set_status(v1::RUN_STATUS_STARTING);
  first.set_loss(-1);
  first.set_target(run.target);
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

Journal::Journal(std::unique_ptr<Database> database, JournalSync sync) : database_(std::move(database)), sync_(sync) {}

Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Create(const std::string& path, const NewRun& run, JournalSync sync) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, Database::Mode::kCreate);
  if (!database.ok()) return database.status();
  // Cannot be changed within a transaction; kept in the file from here on.
  absl::Status status = (*database)->Execute("PRAGMA journal_mode = WAL");
  if (!status.ok()) return status;
  std::unique_ptr<Journal> journal(new Journal(*std::move(database), sync));
  Database& own = *journal->database_;
  status = journal->Transact(Durability::kSynced, [&] {
    absl::Status step = CreateSchema(own);
    if (step.ok()) step = StoreMeta(own, kMetaSpec, run.spec.SerializeAsString());
    if (step.ok()) step = StoreMeta(own, kMetaStartRequestId, run.start_request_id);
    for (const auto& [key, value] : run.meta) {
      if (step.ok()) step = StoreMeta(own, key, value);
    }
    if (step.ok()) step = StoreRun(own, FirstRun(run), 0, 0);
    return step;
  });
  if (!status.ok()) return status;
  return journal;
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path, JournalSync sync) {
  if (absl::Status finished = FinishSalvage(path); !finished.ok()) return finished;
  absl::StatusOr<std::optional<MendedLog>> mended = MendLog(path);
  if (!mended.ok()) return mended.status();
  std::vector<std::string> damage;
  absl::StatusOr<std::unique_ptr<Journal>> journal = mended->has_value() && IsDoubtful(**mended)
                                                         ? OpenDoubtful(path, sync, **mended, damage)
                                                         : OpenSalvaged(path, sync, damage);
  if (mended->has_value()) damage.insert(damage.begin(), MendedSentence(**mended));
  if (!journal.ok()) return WithSentences(journal.status(), damage);
  if (!damage.empty()) (*journal)->damage_ = absl::StrJoin(damage, " ");
  (*journal)->database_->FoldLogWhenClosed();
  std::error_code ignored;
  fs::remove(SuspectMark(path), ignored);
  return journal;
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::OpenDoubtful(const std::string& path, JournalSync sync,
                                                               MendedLog& mended, std::vector<std::string>& damage) {
  absl::StatusOr<std::unique_ptr<Journal>> journal = OpenChecked(path, sync, /*doubtful=*/true);
  if (journal.ok()) return journal;
  const std::optional<uint64_t> readable = CountReadable(path);
  absl::Status changed = ShortenLog(path, mended);
  if (!changed.ok()) return changed;
  journal = OpenChecked(path, sync, /*doubtful=*/true);
  // The page that is wrong may be one that the run, or many of its events, cannot be read without; or be in the last
  // transaction, which nobody was told of if the machine lost its power while it was written.
  if (journal.ok() && (!readable.has_value() || *readable < (*journal)->last_sequence())) return journal;
  journal = absl::CancelledError();  // closes it
  changed = UndoShortening(path, mended);
  if (!changed.ok()) return changed;
  return OpenSalvaged(path, sync, damage);
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::OpenSalvaged(const std::string& path, JournalSync sync,
                                                               std::vector<std::string>& damage) {
  absl::StatusOr<std::unique_ptr<Journal>> journal = OpenChecked(path, sync, /*doubtful=*/false);
  if (journal.ok() || !IsDamage(journal.status())) return journal;
  absl::StatusOr<std::string> salvaged = SalvageJournal(path);
  if (!salvaged.ok()) return salvaged.status();
  damage.push_back(*std::move(salvaged));
  return OpenWhole(path, sync, /*doubtful=*/false);
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::OpenChecked(const std::string& path, JournalSync sync,
                                                              bool doubtful) {
  const bool suspect = IsSuspect(path);
  absl::StatusOr<std::unique_ptr<Journal>> journal = OpenWhole(path, sync, doubtful);
  if (!journal.ok()) return journal;
  absl::Status whole = (*journal)->Check(suspect);
  if (!whole.ok()) return whole;
  return journal;
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::OpenWhole(const std::string& path, JournalSync sync, bool doubtful) {
  absl::StatusOr<std::unique_ptr<Database>> database =
      Database::Open(path, doubtful ? Database::Mode::kTryWrite : Database::Mode::kWrite);
  if (!database.ok()) return database.status();
  if (absl::Status status = CheckSchema(**database); !status.ok()) return status;
  std::unique_ptr<Journal> journal(new Journal(*std::move(database), sync));
  Database& own = *journal->database_;
  const absl::StatusOr<Position> position = LoadPosition(own);
  if (!position.ok()) return position.status();
  journal->last_sequence_ = position->last_sequence;
  journal->last_report_ = position->last_report;
  if (own.schema_version() == kSchemaVersion) return journal;
  absl::Status migrated = journal->Transact(Durability::kSynced, [&] { return Migrate(own); });
  if (!migrated.ok()) return migrated;
  return journal;
}

absl::Status Journal::Check(bool suspect) const {
  const absl::StatusOr<v1::Run> run = LoadRun();
  if (!run.ok()) return run.status();
  std::error_code error;
  const auto bytes = fs::file_size(database_->path(), error);
  const bool small = !error && bytes <= static_cast<uintmax_t>(kMaxBytesAlwaysChecked);
  return suspect || (small && !HasEnded(run->status())) ? CheckWhole(*database_) : absl::OkStatus();
}

absl::Status Journal::Transact(Durability durability, const std::function<absl::Status()>& write) {
  const bool sync = durability == Durability::kSynced && sync_ == JournalSync::kFull;
  absl::Status status = database_->Execute(sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  if (status.ok()) status = database_->Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = write();
  if (status.ok()) status = database_->Execute("COMMIT");
  if (status.ok()) return status;
  database_->Rollback();
  if (IsDamage(status)) std::ofstream(SuspectMark(database_->path()));
  return status;
}

absl::Status Journal::Append(absl::Span<const JournalEntry> entries, Durability durability, const v1::Run* now) {
  if (absl::Status status = CheckEntries(entries, last_sequence_); !status.ok()) return status;
  uint64_t last_report = last_report_;
  for (const JournalEntry& entry : entries) last_report = std::max(last_report, entry.report_number);
  const absl::Status status = Transact(durability, [&] { return Insert(entries, now, last_report); });
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
  return Transact(Durability::kSynced, [&] { return StoreMeta(*database_, key, value); });
}

}  // namespace pilothouse::service
