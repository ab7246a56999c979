#include "proto/journal/journal_rows.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "proto/support/error.h"

namespace pilothouse {
namespace {

using google::protobuf::util::TimeUtil;

absl::Status Damaged(const Database& database, absl::string_view what) {
  const std::string cause = absl::StrCat(what, " cannot be read");
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The journal ", database.path(), " is damaged: ", cause, "."),
                   {{"cause", cause}, {"file", database.path()}});
}

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

}  // namespace

EventInserter::EventInserter(const Database& database)
    : event_(database,
             "INSERT INTO events (sequence, batch, time_us, kind, value, report_number, payload)"
             " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      control_(database,
               "INSERT INTO controls (control_id, request_id, kind, name, value, previous_value, applied_batch,"
               " at_batch, origin, note, time_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)") {}

absl::Status EventInserter::Insert(const JournalEntry& entry) {
  const v1::Event& event = entry.event;
  event_.BindInteger(1, static_cast<int64_t>(event.sequence()));
  event_.BindInteger(2, event.batch());
  BindTime(event_, 3, event.time());
  event_.BindText(4, KindName(KindOf(event)));
  event_.BindReal(5, ShownValue(event));
  event_.BindInteger(6, static_cast<int64_t>(entry.report_number));
  event_.BindBytes(7, event.SerializeAsString());
  if (absl::Status status = event_.Run(); !status.ok()) return status;
  return event.has_control() ? InsertControl(event) : absl::OkStatus();
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
      " eta, last_sequence, last_report, summary) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
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
  statement.BindBytes(11, summary.SerializeAsString());
  return statement.Run();
}

absl::Status StorePosition(const Database& database, uint64_t last_sequence, uint64_t last_report) {
  Statement statement(database, "UPDATE run SET last_sequence = ?1, last_report = ?2");
  statement.BindInteger(1, static_cast<int64_t>(last_sequence));
  statement.BindInteger(2, static_cast<int64_t>(last_report));
  return statement.Run();
}

absl::StatusOr<Position> LoadPosition(const Database& database) {
  Statement select(database, "SELECT last_sequence, last_report FROM run");
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(database, "the run");
  return Position{static_cast<uint64_t>(select.Integer(0)), static_cast<uint64_t>(select.Integer(1))};
}

absl::StatusOr<v1::Run> LoadRun(const Database& database) {
  Statement select(database, "SELECT summary, last_sequence, (SELECT value FROM meta WHERE key = ?1) FROM run");
  select.BindText(1, kMetaSpec);
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  v1::Run run;
  if (!*row || !run.ParseFromString(std::string(select.Bytes(0))) ||
      !run.mutable_spec()->ParseFromString(std::string(select.Bytes(2)))) {
    return Damaged(database, "the run");
  }
  run.set_last_sequence(static_cast<uint64_t>(select.Integer(1)));
  return run;
}

absl::StatusOr<std::optional<RecordedControl>> FindControl(const Database& database, absl::string_view request_id) {
  Statement select(database,
                   "SELECT events.payload FROM controls JOIN events ON events.sequence = controls.control_id"
                   " WHERE controls.request_id = ?1");
  select.BindText(1, request_id);
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  v1::Event event;
  if (absl::Status status = ParseEvent(database, select.Bytes(0), event); !status.ok()) return status;
  RecordedControl control;
  control.receipt.set_control_id(event.sequence());
  control.receipt.set_request_id(event.control().request_id());
  control.receipt.set_applied_batch(event.batch());
  control.receipt.set_value(event.control().value());
  *control.receipt.mutable_applied_time() = event.time();
  control.receipt.set_plugin(event.control().plugin());
  control.receipt.set_branch(event.control().branch());
  control.report = std::move(*event.mutable_control());
  return control;
}

absl::StatusOr<std::optional<std::string>> LoadMeta(const Database& database, absl::string_view key) {
  Statement select(database, "SELECT value FROM meta WHERE key = ?1");
  select.BindText(1, key);
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return std::string(select.Bytes(0));
}

absl::Status StoreMeta(const Database& database, absl::string_view key, absl::string_view value) {
  Statement statement(database, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)");
  statement.BindText(1, key);
  statement.BindBytes(2, value);
  return statement.Run();
}

absl::Status ParseEvent(const Database& database, absl::string_view payload, v1::Event& event) {
  if (event.ParseFromArray(payload.data(), static_cast<int>(payload.size())) &&
      KindOf(event) != v1::EVENT_KIND_UNSPECIFIED) {
    return absl::OkStatus();
  }
  return Damaged(database, "an event");
}

}  // namespace pilothouse
