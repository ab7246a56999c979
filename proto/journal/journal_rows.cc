#include "proto/journal/journal_rows.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "proto/journal/checksum.h"
#include "proto/journal/event_scan.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse {
namespace {

using google::protobuf::util::TimeUtil;

// For the column `value`; NaN becomes NULL.
double ShownValue(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kLoss:
      return event.loss().value();
    case v1::Event::kStatus:
      return event.status().loss();
    case v1::Event::kControl:
      return event.control().value();
    case v1::Event::kState:
      return event.state().loss();
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

absl::string_view ChangeName(const v1::Change& change) {
  switch (change.kind_case()) {
    case v1::Change::kKnob:
      return "knob";
    case v1::Change::kTarget:
      return "target";
    case v1::Change::kStop:
      return "stop";
    case v1::Change::kAttachPlugin:
      return "attach_plugin";
    case v1::Change::kDetachPlugin:
      return "detach_plugin";
    case v1::Change::kReschedulePlugin:
      return "reschedule_plugin";
    case v1::Change::kParameters:
      return "parameters";
    case v1::Change::kCheckpoint:
      return "checkpoint";
    case v1::Change::kRewind:
      return "rewind";
    case v1::Change::KIND_NOT_SET:
      break;
  }
  return "";
}

void BindTime(Statement& statement, int parameter, const google::protobuf::Timestamp& time) {
  statement.BindInteger(parameter, TimeUtil::TimestampToMicroseconds(time));
}

const char* SumColumn(const Database& database) { return database.has_sums() ? "sum" : "NULL"; }

int64_t MetaSum(absl::string_view key, absl::string_view value) { return Checksum({key.size()}, {key, value}); }

// The control itself, if it can be read; else what the columns show of it.
RewindMark ReadRewind(const Database& database, const Statement& row) {
  RewindMark mark;
  mark.sequence = static_cast<uint64_t>(row.Integer(0));
  double batch = row.Real(1);
  mark.branch = std::string(row.Bytes(2));
  const absl::StatusOr<std::optional<EventRow>> found = EventLookup(database).Find(mark.sequence);
  if (found.ok() && found->has_value()) {
    batch = (*found)->event->control().value();
    mark.branch = (*found)->event->control().branch();
  }
  mark.batch = batch >= 0 && batch <= static_cast<double>(kMaxTarget) ? static_cast<int64_t>(batch) : 0;
  return mark;
}

struct RunRow {
  Position position;
  std::string summary;
};

absl::StatusOr<RunRow> LoadRunRow(const Database& database) {
  Statement select(database,
                   absl::StrCat("SELECT last_sequence, last_report, summary, ", SumColumn(database), " FROM run"));
  const absl::StatusOr<bool> found = select.Step();
  if (!found.ok()) return found.status();
  if (!*found) return Damaged(database, "the row of the run");
  const RunRow row{{static_cast<uint64_t>(select.Integer(0)), static_cast<uint64_t>(select.Integer(1))},
                   std::string(select.Bytes(2))};
  const bool whole =
      !database.has_sums() ||
      select.Integer(3) == Checksum({row.position.last_sequence, row.position.last_report}, {row.summary});
  if (!whole) return Damaged(database, "the row of the run");
  return row;
}

}  // namespace

absl::Status Damaged(const Database& database, absl::string_view part) {
  const std::string cause = absl::StrCat(part, " cannot be read");
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The journal ", database.path(), " is damaged: ", cause, "."),
                   {{"cause", cause}, {"file", database.path()}, {kDamagedKey, "true"}});
}

EventInserter::EventInserter(const Database& database)
    : event_(database,
             "INSERT INTO events (sequence, batch, time_us, kind, value, report_number, payload, sum)"
             " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"),
      control_(database,
               "INSERT INTO controls (control_id, request_id, kind, name, value, previous_value, applied_batch,"
               " at_batch, origin, note, time_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"),
      checkpoint_(database,
                  "INSERT INTO checkpoints (sequence, batch, file, bytes, sha256, state_sha256, line, pinned, error,"
                  " time_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)") {}

absl::Status EventInserter::Insert(const JournalEntry& entry) {
  const v1::Event& event = entry.event;
  event_.BindInteger(1, static_cast<int64_t>(event.sequence()));
  event_.BindInteger(2, event.batch());
  BindTime(event_, 3, event.time());
  event_.BindText(4, KindName(KindOf(event)));
  event_.BindReal(5, ShownValue(event));
  event_.BindInteger(6, static_cast<int64_t>(entry.report_number));
  const std::string payload = event.SerializeAsString();
  event_.BindBytes(7, payload);
  event_.BindInteger(8, EventSum({.sequence = event.sequence(),
                                  .batch = event.batch(),
                                  .time_us = TimeUtil::TimestampToMicroseconds(event.time()),
                                  .report_number = entry.report_number,
                                  .value = ShownValue(event),
                                  .kind = KindName(KindOf(event)),
                                  .payload = payload}));
  if (absl::Status status = event_.Run(); !status.ok()) return status;
  if (event.has_checkpoint()) return InsertCheckpoint(event);
  return event.has_control() ? InsertControl(event) : absl::OkStatus();
}

absl::Status EventInserter::InsertCheckpoint(const v1::Event& event) {
  const v1::CheckpointReport& report = event.checkpoint();
  checkpoint_.BindInteger(1, static_cast<int64_t>(event.sequence()));
  checkpoint_.BindInteger(2, report.batch());
  if (report.error().empty()) {
    checkpoint_.BindText(3, report.file());
    checkpoint_.BindInteger(4, report.bytes());
    checkpoint_.BindText(5, report.sha256());
    checkpoint_.BindText(6, report.state_sha256());
  } else {
    checkpoint_.BindText(9, report.error());
  }
  checkpoint_.BindInteger(7, report.line());
  checkpoint_.BindInteger(8, report.pinned() ? 1 : 0);
  BindTime(checkpoint_, 10, event.time());
  return checkpoint_.Run();
}

absl::Status EventInserter::InsertControl(const v1::Event& event) {
  const v1::ControlReport& report = event.control();
  control_.BindInteger(1, static_cast<int64_t>(event.sequence()));
  // Unset rather than empty: the column is unique.
  if (!report.request_id().empty()) control_.BindText(2, report.request_id());
  control_.BindText(3, ChangeName(report.change()));
  if (report.change().has_knob()) control_.BindText(4, report.change().knob().name());
  if (!report.plugin().empty()) control_.BindText(4, report.plugin());
  if (!report.branch().empty()) control_.BindText(4, report.branch());
  control_.BindReal(5, report.value());
  control_.BindReal(6, report.previous_value());
  control_.BindInteger(7, event.batch());
  if (report.has_at_batch()) control_.BindInteger(8, report.at_batch());
  control_.BindText(9, report.origin());
  control_.BindText(10, report.note());
  BindTime(control_, 11, event.time());
  return control_.Run();
}

absl::Status StoreRun(const Database& database, const v1::Run& run, uint64_t last_sequence, uint64_t last_report) {
  v1::Run summary = run;
  summary.clear_spec();
  summary.clear_directory();
  Statement statement(
      database,
      "INSERT OR REPLACE INTO run (id, run_id, create_time_us, end_time_us, status, batch, target, loss,"
      " eta, last_sequence, last_report, summary, sum) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
  statement.BindText(1, run.run_id());
  BindTime(statement, 2, run.create_time());
  if (run.has_end_time()) BindTime(statement, 3, run.end_time());
  statement.BindText(4, absl::StripPrefix(v1::RunStatus_Name(run.status()), "RUN_STATUS_"));
  statement.BindInteger(5, run.batch());
  statement.BindInteger(6, run.target());
  statement.BindReal(7, run.loss());
  statement.BindReal(8, run.eta());
  statement.BindInteger(9, static_cast<int64_t>(last_sequence));
  statement.BindInteger(10, static_cast<int64_t>(last_report));
  const std::string serialized = summary.SerializeAsString();
  statement.BindBytes(11, serialized);
  statement.BindInteger(12, Checksum({last_sequence, last_report}, {serialized}));
  return statement.Run();
}

absl::Status StorePosition(const Database& database, uint64_t last_sequence, uint64_t last_report) {
  const absl::StatusOr<RunRow> row = LoadRunRow(database);
  if (!row.ok()) return row.status();
  Statement statement(database, "UPDATE run SET last_sequence = ?1, last_report = ?2, sum = ?3");
  statement.BindInteger(1, static_cast<int64_t>(last_sequence));
  statement.BindInteger(2, static_cast<int64_t>(last_report));
  statement.BindInteger(3, Checksum({last_sequence, last_report}, {row->summary}));
  return statement.Run();
}

absl::StatusOr<Position> LoadPosition(const Database& database) {
  const absl::StatusOr<RunRow> row = LoadRunRow(database);
  if (!row.ok()) return row.status();
  return row->position;
}

absl::StatusOr<v1::Run> LoadRun(const Database& database) {
  const absl::StatusOr<RunRow> row = LoadRunRow(database);
  if (!row.ok()) return row.status();
  const absl::StatusOr<std::optional<std::string>> spec = LoadMeta(database, kMetaSpec);
  if (!spec.ok()) return spec.status();
  v1::Run run;
  if (!run.ParseFromString(row->summary)) return Damaged(database, "the row of the run");
  if (!spec->has_value() || !run.mutable_spec()->ParseFromString(**spec)) return Damaged(database, "the run's spec");
  run.set_last_sequence(row->position.last_sequence);
  return run;
}

absl::StatusOr<std::optional<RecordedControl>> FindControl(const Database& database, absl::string_view request_id) {
  Statement select(database, "SELECT control_id FROM controls WHERE request_id = ?1");
  select.BindText(1, request_id);
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  const auto sequence = static_cast<uint64_t>(select.Integer(0));
  const absl::StatusOr<std::optional<EventRow>> found = EventLookup(database).Find(sequence);
  if (!found.ok()) return found.status();
  if (!found->has_value() || (*found)->event->control().request_id() != request_id) {
    return Damaged(database, absl::StrCat("event ", sequence, ", the control with request_id ", request_id, ","));
  }
  const v1::Event& event = *(*found)->event;
  RecordedControl control;
  control.receipt.set_control_id(event.sequence());
  control.receipt.set_request_id(event.control().request_id());
  control.receipt.set_applied_batch(event.batch());
  control.receipt.set_value(event.control().value());
  *control.receipt.mutable_applied_time() = event.time();
  control.receipt.set_plugin(event.control().plugin());
  control.receipt.set_branch(event.control().branch());
  control.report = event.control();
  return control;
}

absl::StatusOr<std::optional<std::string>> LoadMeta(const Database& database, absl::string_view key) {
  Statement select(database, absl::StrCat("SELECT value, ", SumColumn(database), " FROM meta WHERE key = ?1"));
  select.BindText(1, key);
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  std::string value(select.Bytes(0));
  if (database.has_sums() && select.Integer(1) != MetaSum(key, value)) {
    return Damaged(database, key == kMetaSpec ? "the run's spec" : absl::StrCat("its ", key));
  }
  return value;
}

absl::StatusOr<std::map<std::string, std::string>> LoadAllMeta(const Database& database) {
  std::map<std::string, std::string> all;
  Statement keys(database, "SELECT key FROM meta");
  for (;;) {
    const absl::StatusOr<bool> row = keys.Step();
    if (!row.ok() && !database.SawDamage()) return row.status();
    if (!row.ok() || !*row) return all;
    const std::string key(keys.Bytes(0));
    const absl::StatusOr<std::optional<std::string>> value = LoadMeta(database, key);
    if (value.ok() && value->has_value()) all[key] = **value;
  }
}

absl::Status StoreMeta(const Database& database, absl::string_view key, absl::string_view value) {
  Statement statement(database, "INSERT OR REPLACE INTO meta (key, value, sum) VALUES (?1, ?2, ?3)");
  statement.BindText(1, key);
  statement.BindBytes(2, value);
  statement.BindInteger(3, MetaSum(key, value));
  return statement.Run();
}

absl::StatusOr<std::vector<RewindMark>> LoadRewinds(const Database& database) {
  std::vector<RewindMark> rewinds;
  // Older journals know no rewinds, nor the index that finds them.
  if (!database.has_sums()) return rewinds;
  Statement select(database, "SELECT control_id, value, name FROM controls WHERE kind = 'rewind' ORDER BY control_id");
  for (;;) {
    const absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return rewinds;
    rewinds.push_back(ReadRewind(database, select));
  }
}

}  // namespace pilothouse
