#include "service/runs/run_record.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "proto/support/text.h"
#include "service/runs/run_summary.h"

namespace pilothouse::service {
namespace {

using google::protobuf::util::TimeUtil;

// Whatever somebody may act on; losses, periodic states and outputs of plugins come again. Once a checkpoint is
// recorded its trainer removes older ones, so the record has to last.
bool NeedsSync(const JournalEntry& entry) {
  const v1::Event& event = entry.event;
  return event.has_control() || event.has_status() || event.has_checkpoint() || event.plugin().has_failure();
}

void LogStatus(const v1::Run& run) {
  Log(absl::StrCat("run ", run.run_id(), ": ", StatusName(run.status()), ". ", run.status_message()));
}

}  // namespace

RunRecord::RunRecord(std::unique_ptr<Journal> journal, std::shared_ptr<EventHub> hub, v1::Run run)
    : journal_(std::move(journal)),
      hub_(std::move(hub)),
      run_(std::move(run)),
      newest_report_(journal_->last_report()) {
  Show();
}

void RunRecord::Save() {
  journal_status_ = journal_->SetRun(run_, Durability::kUnsynced);
  Show();
}

std::optional<std::string> RunRecord::Add(const v1::Reports& reports) {
  std::optional<std::string> missing;
  for (const v1::Report& report : reports.reports()) {
    // What was taken before a connection broke comes again.
    if (report.number() <= newest_report_) continue;
    if (report.number() > newest_report_ + 1) {
      missing = absl::StrCat("The journal has lost what the trainer had reported before batch ", report.event().batch(),
                             " (reports ", newest_report_ + 1, " to ", report.number() - 1,
                             "). The run trains on as it is; what led to there cannot be replayed.");
    }
    newest_report_ = report.number();
    unjournaled_.push_back(report);
  }
  return missing;
}

RunRecord::Events RunRecord::Commit() {
  Events published;
  CommitTogether(published);
  return published;
}

void RunRecord::CommitTogether(Events& published) {
  if (unjournaled_.empty()) return;
  v1::Run now = run_;
  std::vector<JournalEntry> entries;
  uint64_t sequence = journal_->last_sequence();
  for (const v1::Report& report : unjournaled_) {
    JournalEntry entry{report.event(), report.number()};
    entry.event.set_sequence(++sequence);
    ApplyReportContext(report, now);
    ApplyEvent(entry.event, now);
    entries.push_back(std::move(entry));
  }
  const bool sync = std::any_of(entries.begin(), entries.end(), NeedsSync);
  const absl::Status appended = journal_->Append(entries, sync ? Durability::kSynced : Durability::kUnsynced, &now);
  if (!appended.ok() && journal_status_.ok()) Log(absl::StrCat("run ", run_.run_id(), ": ", appended.message()));
  journal_status_ = appended;
  if (ReasonOf(appended) == v1::ERROR_REASON_INTERNAL) return CommitOneByOne(published);
  if (!appended.ok()) return;
  unjournaled_.clear();
  run_ = std::move(now);
  Publish(entries, published);
}

void RunRecord::CommitOneByOne(Events& published) {
  // A report that the journal cannot take for what it is, not for lack of room, would be in the way for ever.
  std::vector<v1::Report> reports = std::exchange(unjournaled_, {});
  if (reports.size() == 1) {
    Log(absl::StrCat("run ", run_.run_id(), ": report ", reports[0].number(),
                     " is left out: ", journal_status_.message()));
    journal_status_ = absl::OkStatus();
    return;
  }
  for (v1::Report& report : reports) {
    unjournaled_.push_back(std::move(report));
    CommitTogether(published);
  }
}

void RunRecord::Publish(const std::vector<JournalEntry>& entries, Events& published) {
  Events events;
  events.reserve(entries.size());
  for (const JournalEntry& entry : entries) events.push_back(std::make_shared<const v1::Event>(entry.event));
  hub_->Publish(events, run_);
  published.insert(published.end(), events.begin(), events.end());
}

v1::Event RunRecord::NewEvent() const {
  v1::Event event;
  event.set_sequence(journal_->last_sequence() + 1);
  event.set_batch(run_.batch());
  *event.mutable_time() = TimeUtil::GetCurrentTime();
  return event;
}

v1::Event RunRecord::StatusEvent(v1::RunStatus status, const std::string& message) const {
  v1::Event event = NewEvent();
  v1::StatusReport& report = *event.mutable_status();
  report.set_status(status);
  report.set_message(ValidUtf8(message));
  report.set_idle_reason(status == v1::RUN_STATUS_IDLE ? run_.idle_reason() : v1::IDLE_REASON_UNSPECIFIED);
  report.set_target(run_.target());
  report.set_loss(run_.loss());
  return event;
}

RunRecord::Events RunRecord::Stop(const v1::Control& control) {
  std::vector<JournalEntry> entries(2);
  v1::Event& applied = entries[0].event;
  applied = NewEvent();
  v1::ControlReport& report = *applied.mutable_control();
  *report.mutable_change() = control.change();
  report.set_request_id(control.request_id());
  report.set_origin(control.origin());
  report.set_note(control.note());
  report.set_value(static_cast<double>(run_.batch()));
  report.set_previous_value(report.value());
  v1::Event& stopped = entries[1].event;
  stopped = StatusEvent(v1::RUN_STATUS_STOPPED, "");
  stopped.set_sequence(applied.sequence() + 1);
  v1::Run now = run_;
  for (const JournalEntry& entry : entries) ApplyEvent(entry.event, now);
  journal_status_ = journal_->Append(entries, Durability::kSynced, &now);
  Events published;
  if (!journal_status_.ok()) return published;
  run_ = std::move(now);
  Publish(entries, published);
  return published;
}

void RunRecord::DeclareAgain(const std::string& message) {
  run_.set_status_message(message);
  LogStatus(run_);
  Show();
}

RunRecord::Events RunRecord::Declare(v1::RunStatus status, const std::string& message) {
  JournalEntry entry;
  entry.event = StatusEvent(status, message);
  v1::Run now = run_;
  ApplyEvent(entry.event, now);
  journal_status_ = journal_->Append({entry}, Durability::kSynced, &now);
  LogStatus(now);
  Events published;
  if (!journal_status_.ok()) {
    Log(absl::StrCat("run ", run_.run_id(), ": ", journal_status_.message()));
    // What is not journaled is not published as an event, but whoever asks is told the truth.
    now.set_last_sequence(run_.last_sequence());
    run_ = std::move(now);
    Show();
    return published;
  }
  run_ = std::move(now);
  Publish({entry}, published);
  return published;
}

}  // namespace pilothouse::service
