#include "service/runs/run_keeper.h"

#include <google/protobuf/util/time_util.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "proto/support/text.h"
#include "service/runs/run_summary.h"
#include "service/runs/saved_run.h"

namespace pilothouse::service {
namespace {

using google::protobuf::util::TimeUtil;

constexpr char kTokenVariable[] = "PILOTHOUSE_TRAINER_TOKEN";

bool NeedsSync(const JournalEntry& entry) { return entry.event.has_control() || entry.event.has_status(); }

}  // namespace

RunKeeper::RunKeeper(RunPlace place, v1::RunSpec spec, std::unique_ptr<Journal> journal, std::shared_ptr<EventHub> hub,
                     v1::Run run)
    : place_(std::move(place)),
      spec_(std::move(spec)),
      journal_(std::move(journal)),
      hub_(std::move(hub)),
      run_(std::move(run)) {
  hub_->SetRun(run_);
}

RunKeeper::~RunKeeper() { Abandon(); }

bool RunKeeper::ended() const { return refused() || IsTerminal(run_.status()); }

void RunKeeper::Launch(StartCallback started, Time now) {
  started_ = std::move(started);
  waiting_since_ = now;
  absl::StatusOr<ChildProcess> child =
      ChildProcess::Start(place_.trainer_command, {absl::StrCat(kTokenVariable, "=", place_.token)}, place_.log_path());
  if (child.ok()) {
    child_ = *std::move(child);
  } else {
    FinishStart(child.status());
  }
}

void RunKeeper::AwaitReturn(Time now) {
  // What it had prepared and reported is in the journal; whether it lives, its lock tells.
  prepared_ = run_.has_facts();
  waiting_since_ = now;
  Declare(v1::RUN_STATUS_LOST, "The service was started anew and waits for the trainer to attach again.");
}

void RunKeeper::OnAttach(std::shared_ptr<TrainerLink> link, const v1::Hello& hello, Time now) {
  if (hello.token() != place_.token || ended()) {
    link->Close(absl::PermissionDeniedError("This run expects no such trainer."));
    return;
  }
  if (link_ != nullptr) {
    link_->Close(absl::AbortedError("The trainer has attached anew."));
    OnDetach(link_.get(), now);
  }
  link_ = std::move(link);
  trainer_pid_ = hello.process_id();
  backlog_through_ = hello.last_report();
  prepared_ = prepared_ || hello.prepared();
  SendWelcome();
  asks_how_it_is_ = false;
  if (run_.status() == v1::RUN_STATUS_LOST) AskHowItIs();
  link_->ReadNext();
}

void RunKeeper::AskHowItIs() {
  // Whoever sees the run come back may steer it at once, so first everything it had to say is journaled.
  if (journal_->last_report() < backlog_through_) return;
  const absl::StatusOr<uint64_t> id =
      pending_.AddQuery([this](absl::StatusOr<v1::Answer> answer) { OnReturned(std::move(answer)); });
  if (!id.ok()) return;
  asks_how_it_is_ = true;
  v1::AttachResponse message;
  message.mutable_query()->set_query_id(*id);
  message.mutable_query()->mutable_state();
  link_->Send(std::move(message));
}

void RunKeeper::SendWelcome() {
  v1::AttachResponse message;
  v1::Welcome& welcome = *message.mutable_welcome();
  *welcome.mutable_spec() = spec_;
  // For a trainer that has trained already this changes nothing.
  welcome.set_target(run_.target());
  welcome.set_directory(place_.directory);
  welcome.set_table_path(place_.data.table);
  welcome.set_inputs_path(place_.data.inputs);
  welcome.set_targets_path(place_.data.targets);
  welcome.set_reports_taken(journal_->last_report());
  link_->Send(std::move(message));
}

void RunKeeper::OnReturned(absl::StatusOr<v1::Answer> answer) {
  asks_how_it_is_ = false;
  if (!answer.ok() || !answer->has_state() || run_.status() != v1::RUN_STATUS_LOST) return;
  ApplyAnswer(answer->state(), run_);
  Declare(answer->state().status(), "The trainer has attached again.");
}

void RunKeeper::OnMessage(const TrainerLink* link, v1::AttachRequest message, Time now) {
  if (link != link_.get()) return;
  waiting_since_ = now;
  // Whatever else a trainer sends may come from threads that live on while the training thread hangs.
  if (message.has_reports() || message.has_heartbeat() || message.answer().has_state()) {
    *run_.mutable_training_thread_seen_time() = TimeUtil::GetCurrentTime();
  }
  switch (message.content_case()) {
    case v1::AttachRequest::kPrepared:
      OnPrepared(message.prepared());
      break;
    case v1::AttachRequest::kSpecRefused:
      FinishStart(FromError(message.spec_refused()));
      link_->Close(absl::OkStatus());
      return;
    case v1::AttachRequest::kReports:
      OnReports(message.reports());
      // Whatever cannot be journaled holds up the trainer's next message, not the trainer.
      if (!unjournaled_.empty()) return;
      break;
    case v1::AttachRequest::kControlRefused:
      pending_.Resolve(message.control_refused().request_id(), FromError(message.control_refused().error()));
      break;
    case v1::AttachRequest::kAnswer:
      OnAnswer(std::move(*message.mutable_answer()));
      break;
    case v1::AttachRequest::kHeartbeat:
      OnHeartbeat(message.heartbeat());
      break;
    case v1::AttachRequest::kHello:
    case v1::AttachRequest::CONTENT_NOT_SET:
      break;
  }
  link_->ReadNext();
}

void RunKeeper::OnPrepared(const v1::Prepared& prepared) {
  prepared_ = true;
  *run_.mutable_facts() = prepared.facts();
  v1::Report context;
  *context.mutable_knobs() = prepared.knobs();
  ApplyReportContext(context, run_);
  journal_status_ = journal_->SetRun(run_, Durability::kUnsynced);
  hub_->SetRun(run_);
}

void RunKeeper::OnAnswer(v1::Answer answer) {
  const uint64_t query_id = answer.query_id();
  if (answer.has_error()) {
    pending_.ResolveQuery(query_id, FromError(answer.error()));
  } else {
    pending_.ResolveQuery(query_id, std::move(answer));
  }
}

void RunKeeper::OnReports(const v1::Reports& reports) {
  for (const v1::Report& report : reports.reports()) {
    // What was taken before a connection broke comes again.
    if (report.number() > journal_->last_report()) unjournaled_.push_back(report);
  }
  CommitReports();
  if (run_.status() == v1::RUN_STATUS_LOST && !asks_how_it_is_) AskHowItIs();
}

void RunKeeper::CommitReports() {
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
  if (!entries.empty()) {
    const absl::Status appended = journal_->Append(entries, sync ? Durability::kSynced : Durability::kUnsynced, &now);
    if (!appended.ok() && journal_status_.ok()) Log(absl::StrCat("run ", run_.run_id(), ": ", appended.message()));
    journal_status_ = appended;
    if (ReasonOf(appended) == v1::ERROR_REASON_INTERNAL) return CommitOneByOne();
    if (!appended.ok()) return;
  }
  unjournaled_.clear();
  run_ = std::move(now);
  AfterCommit(entries);
}

void RunKeeper::CommitOneByOne() {
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
    CommitReports();
  }
}

void RunKeeper::AfterCommit(const std::vector<JournalEntry>& entries) {
  std::vector<std::shared_ptr<const v1::Event>> events;
  events.reserve(entries.size());
  for (const JournalEntry& entry : entries) events.push_back(std::make_shared<const v1::Event>(entry.event));
  hub_->Publish(events, run_);
  for (const JournalEntry& entry : entries) {
    if (entry.event.has_control()) ResolveControl(entry.event);
    const v1::RunStatus status = entry.event.status().status();
    if (status == v1::RUN_STATUS_TRAINING || status == v1::RUN_STATUS_IDLE) FinishStart(run_);
  }
  if (link_ != nullptr) {
    v1::AttachResponse taken;
    taken.mutable_reports_taken()->set_number(journal_->last_report());
    link_->Send(std::move(taken));
  }
  CloseIfEnded();
}

ControlOutcome RunKeeper::OutcomeOf(const v1::Receipt& receipt) const {
  return {.receipt = receipt, .final_batch = run_.batch(), .final_loss = run_.loss()};
}

void RunKeeper::ResolveControl(const v1::Event& event) {
  const absl::StatusOr<std::optional<RecordedControl>> recorded = journal_->FindControl(event.control().request_id());
  if (!recorded.ok() || !recorded->has_value()) return;
  const v1::Receipt& receipt = (*recorded)->receipt;
  if (event.control().change().has_stop()) {
    stops_[event.control().request_id()] = receipt;
  } else {
    pending_.Resolve(event.control().request_id(), OutcomeOf(receipt));
  }
}

void RunKeeper::CloseIfEnded() {
  if (!IsTerminal(run_.status())) return;
  for (const auto& [request_id, receipt] : std::exchange(stops_, {})) {
    if (run_.status() == v1::RUN_STATUS_FAILED) {
      pending_.Resolve(request_id, MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", run_.status_message()));
    } else {
      pending_.Resolve(request_id, OutcomeOf(receipt));
    }
  }
  pending_.FailAll(RunEnded(run_));
  hub_->Close();
}

void RunKeeper::OnHeartbeat(const v1::TrainerHeartbeat& heartbeat) {
  run_.set_batch(heartbeat.batch());
  run_.set_loss(heartbeat.loss());
  hub_->SetRun(run_);
}

absl::Status RunKeeper::Reachable() const {
  if (ended()) return RunEnded(run_);
  if (!unjournaled_.empty()) return journal_status_;
  if (link_ != nullptr && prepared_ && journal_->last_report() >= backlog_through_) return absl::OkStatus();
  const std::string status = StatusName(run_.status());
  return MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                   absl::StrCat("The run ", run_.run_id(), " has no trainer to ask just now (it is ", status,
                                "). Ask again with the same request_id."),
                   {{"run_id", run_.run_id()}, {"status", status}});
}

void RunKeeper::AnswerKnownControl(const RecordedControl& known, const v1::Control& control,
                                   const ControlCallback& callback) {
  const bool stopping = control.change().has_stop() && !ended();
  if (!stopping) return callback(OutcomeOfKnown(run_, known, control));
  // Journaled, but the run has not stopped yet.
  stops_[control.request_id()] = known.receipt;
  const absl::StatusOr<PendingControls::Added> added = pending_.Add(control, callback);
  if (!added.ok()) callback(added.status());
}

void RunKeeper::OnControl(const v1::Control& control, const ControlCallback& callback) {
  const absl::StatusOr<std::optional<RecordedControl>> known = journal_->FindControl(control.request_id());
  if (!known.ok()) return callback(known.status());
  if (known->has_value()) return AnswerKnownControl(**known, control, callback);
  if (absl::Status reachable = Reachable(); !reachable.ok()) return callback(reachable);
  const absl::StatusOr<PendingControls::Added> added = pending_.Add(control, callback);
  if (!added.ok()) return callback(added.status());
  if (*added == PendingControls::Added::kJoined) return;
  v1::AttachResponse message;
  *message.mutable_control() = control;
  link_->Send(std::move(message));
}

void RunKeeper::OnQuery(const v1::Query& query, const QueryCallback& callback) {
  if (absl::Status reachable = Reachable(); !reachable.ok()) return callback(reachable);
  const absl::StatusOr<uint64_t> id = pending_.AddQuery(callback);
  if (!id.ok()) return callback(id.status());
  v1::AttachResponse message;
  *message.mutable_query() = query;
  message.mutable_query()->set_query_id(*id);
  link_->Send(std::move(message));
}

void RunKeeper::OnDetach(const TrainerLink* link, Time now) {
  if (link != link_.get()) return;
  link_ = nullptr;
  waiting_since_ = now;
  unlocked_probes_ = 0;
  // Reports that could not be journaled are not acknowledged either: the trainer sends them again.
  unjournaled_.clear();
  if (!ended()) {
    pending_.FailAll(MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                               absl::StrCat("The connection to the trainer of ", run_.run_id(),
                                            " broke; the change may or may not take effect. Ask again with the same "
                                            "request_id."),
                               {{"run_id", run_.run_id()}, {"status", StatusName(run_.status())}}));
  }
  OnTick(now);
}

std::chrono::milliseconds RunKeeper::interval() const {
  const bool waits_for_end =
      child_.has_value() && (ended() || link_ == nullptr) && run_.status() != v1::RUN_STATUS_LOST;
  return waits_for_end ? kBusyInterval : kCalmInterval;
}

void RunKeeper::OnTick(Time now) {
  if (!unjournaled_.empty()) {
    CommitReports();
    if (unjournaled_.empty() && link_ != nullptr) link_->ReadNext();
  }
  if (link_ == nullptr && !ended()) WatchOverLostTrainer(now);
  if (link_ != nullptr && run_.status() == v1::RUN_STATUS_LOST && !asks_how_it_is_) AskHowItIs();
  if (ended() && child_.has_value()) {
    if (now - waiting_since_ > kTrainerPatience) child_->Signal(SIGKILL);
    if (child_->Ended().has_value()) child_.reset();
  }
}

void RunKeeper::WatchOverLostTrainer(Time now) {
  if (child_.has_value()) {
    if (const std::optional<std::string> how = child_->Ended()) return Fail(*how);
  } else {
    // Not this service's child. Twice, so that a trainer that is just taking its lock is not mistaken for dead.
    unlocked_probes_ = IsLocked(place_.lock_path()) ? 0 : unlocked_probes_ + 1;
    if (unlocked_probes_ >= 2) return EndUnseen();
  }
  if (run_.status() == v1::RUN_STATUS_STARTING) {
    if (now - waiting_since_ > kTrainerPatience) Kill();
  } else if (run_.status() != v1::RUN_STATUS_LOST && now - waiting_since_ > kLostAfter) {
    Declare(v1::RUN_STATUS_LOST, "The connection to the trainer broke; its process lives and is expected to return.");
  }
}

void RunKeeper::EndUnseen() {
  const std::optional<SavedParameters> saved = NewestCheckpoint(place_.directory);
  if (!saved.has_value()) return Fail("ended while no service was there to see how");
  // Parameters are saved by a stop, and by a trainer that no service came back for.
  run_.set_batch(std::max(run_.batch(), saved->batch));
  Declare(v1::RUN_STATUS_STOPPED, "The trainer saved its parameters and ended while no service was there.");
}

void RunKeeper::Fail(const std::string& how) {
  child_.reset();
  const std::string log = LastLines(place_.log_path(), kQuotedLogLines);
  const std::string message =
      absl::StrCat("The trainer ended: ", how, ".", log.empty() ? "" : " Its log ends with:\n", log);
  if (started_ != nullptr) {
    FinishStart(MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", message, {{"exit", how}, {"log", log}}));
  } else {
    Declare(v1::RUN_STATUS_FAILED, message);
  }
}

void RunKeeper::Declare(v1::RunStatus status, const std::string& message) {
  JournalEntry entry;
  v1::Event& event = entry.event;
  event.set_sequence(journal_->last_sequence() + 1);
  event.set_batch(run_.batch());
  *event.mutable_time() = TimeUtil::GetCurrentTime();
  v1::StatusReport& report = *event.mutable_status();
  report.set_status(status);
  report.set_message(ValidUtf8(message));
  report.set_idle_reason(status == v1::RUN_STATUS_IDLE ? run_.idle_reason() : v1::IDLE_REASON_UNSPECIFIED);
  report.set_target(run_.target());
  report.set_loss(run_.loss());
  v1::Run now = run_;
  ApplyEvent(event, now);
  journal_status_ = journal_->Append({entry}, Durability::kSynced, &now);
  Log(absl::StrCat("run ", run_.run_id(), ": ", StatusName(status), ". ", message));
  if (!journal_status_.ok()) {
    Log(absl::StrCat("run ", run_.run_id(), ": ", journal_status_.message()));
    // What is not journaled is not published as an event, but whoever asks is told the truth.
    now.set_last_sequence(run_.last_sequence());
    run_ = std::move(now);
    hub_->SetRun(run_);
    return CloseIfEnded();
  }
  run_ = std::move(now);
  AfterCommit({entry});
}

void RunKeeper::FinishStart(absl::StatusOr<v1::Run> outcome) {
  if (started_ == nullptr || refused()) return;
  if (outcome.ok()) return std::exchange(started_, nullptr)(std::move(outcome));
  refusal_ = outcome.status();
  pending_.FailAll(refusal_);
  hub_->Close();
}

absl::AnyInvocable<void()> RunKeeper::TakeRefusal() {
  if (!refused() || started_ == nullptr) return [] {};
  return [started = std::exchange(started_, nullptr), refusal = refusal_] { started(refusal); };
}

void RunKeeper::Kill() {
  if (child_.has_value()) {
    child_->Signal(SIGKILL);
  } else if (trainer_pid_ > 0 && IsLocked(place_.lock_path())) {
    // A former service's child. While it holds its lock, the process id is still its own.
    kill(static_cast<pid_t>(trainer_pid_), SIGKILL);
  }
}

void RunKeeper::Abandon() {
  const absl::Status stopping = MakeError(v1::ERROR_REASON_SERVICE_STOPPING, "", "The service is shutting down.");
  pending_.FailAll(stopping);
  if (link_ != nullptr) link_->Close(absl::OkStatus());
  link_ = nullptr;
  if (started_ != nullptr && !refused()) std::exchange(started_, nullptr)(stopping);
}

}  // namespace pilothouse::service
