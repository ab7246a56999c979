#include "service/runs/run_keeper.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/run_end.h"
#include "service/runs/run_summary.h"
#include "service/runs/saved_run.h"

namespace pilothouse::service {

RunKeeper::RunKeeper(RunPlace place, v1::RunSpec spec, std::unique_ptr<Journal> journal, std::shared_ptr<EventHub> hub,
                     v1::Run run)
    : place_(std::move(place)),
      spec_(std::move(spec)),
      record_(std::move(journal), std::move(hub), std::move(run)),
      process_(place_) {}

RunKeeper::~RunKeeper() { Abandon(); }

bool RunKeeper::ended() const { return refused() || IsTerminal(run().status()); }

void RunKeeper::Launch(StartCallback started, Time now) {
  started_ = std::move(started);
  waiting_since_ = now;
  if (absl::Status child = process_.Start(); !child.ok()) FinishStart(child);
}

void RunKeeper::AwaitReturn(Time now) {
  // What it had prepared and reported is in the journal; whether it lives, its lock tells.
  prepared_ = run().has_facts();
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
  process_.SetId(hello.process_id());
  backlog_through_ = hello.last_report();
  prepared_ = prepared_ || hello.prepared();
  SendWelcome();
  asks_how_it_is_ = false;
  if (run().status() == v1::RUN_STATUS_LOST) AskHowItIs();
  link_->ReadNext();
}

void RunKeeper::AskHowItIs() {
  // Whoever sees the run come back may steer it at once, so first everything it had to say is journaled.
  if (record_.last_report() < backlog_through_) return;
  const absl::StatusOr<uint64_t> id =
      pending_.AddQuery([this](absl::StatusOr<v1::Answer> answer) { OnReturned(std::move(answer)); });
  if (!id.ok()) return;
  asks_how_it_is_ = true;
  v1::AttachResponse message;
  message.mutable_query()->set_query_id(*id);
  message.mutable_query()->mutable_state()->set_include_plugins(true);
  link_->Send(std::move(message));
}

void RunKeeper::SendWelcome() {
  v1::AttachResponse message;
  v1::Welcome& welcome = *message.mutable_welcome();
  *welcome.mutable_spec() = spec_;
  // For a trainer that has trained already this changes nothing.
  welcome.set_target(run().target());
  welcome.set_directory(place_.directory);
  welcome.set_table_path(place_.data.table);
  welcome.set_inputs_path(place_.data.inputs);
  welcome.set_targets_path(place_.data.targets);
  welcome.set_reports_taken(record_.last_report());
  link_->Send(std::move(message));
}

void RunKeeper::OnReturned(absl::StatusOr<v1::Answer> answer) {
  asks_how_it_is_ = false;
  if (!answer.ok() || !answer->has_state() || run().status() != v1::RUN_STATUS_LOST) return;
  ApplyAnswer(answer->state(), record_.mutable_run());
  Declare(answer->state().status(), "The trainer has attached again.");
}

void RunKeeper::OnMessage(const TrainerLink* link, v1::AttachRequest message, Time now) {
  if (link != link_.get()) return;
  waiting_since_ = now;
  // Whatever else a trainer sends may come from threads that live on while the training thread hangs.
  if (message.has_reports() || message.has_heartbeat() || message.answer().has_state()) {
    *record_.mutable_run().mutable_training_thread_seen_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
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
      if (record_.waiting()) return;
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
  *record_.mutable_run().mutable_facts() = prepared.facts();
  v1::Report context;
  *context.mutable_knobs() = prepared.knobs();
  ApplyReportContext(context, record_.mutable_run());
  record_.Save();
}

void RunKeeper::OnAnswer(v1::Answer answer) {
  // The newest there is, should nobody be able to ask again.
  if (answer.state().plugins_size() > 0) *record_.mutable_run().mutable_plugins() = answer.state().plugins();
  const uint64_t query_id = answer.query_id();
  if (answer.has_error()) {
    pending_.ResolveQuery(query_id, FromError(answer.error()));
  } else {
    pending_.ResolveQuery(query_id, std::move(answer));
  }
}

void RunKeeper::OnReports(const v1::Reports& reports) {
  record_.Add(reports);
  CommitReports();
  if (run().status() == v1::RUN_STATUS_LOST && !asks_how_it_is_) AskHowItIs();
}

void RunKeeper::CommitReports() {
  const RunRecord::Events events = record_.Commit();
  // Where nothing could be journaled there is nothing to tell; where nothing had to be, the trainer is told that.
  if (!events.empty() || !record_.waiting()) AfterCommit(events);
}

void RunKeeper::Declare(v1::RunStatus status, const std::string& message) {
  AfterCommit(record_.Declare(status, message));
}

void RunKeeper::AfterCommit(const RunRecord::Events& events) {
  for (const auto& event : events) {
    if (event->has_control()) ResolveControl(*event);
    const v1::RunStatus status = event->status().status();
    if (status == v1::RUN_STATUS_TRAINING || status == v1::RUN_STATUS_IDLE) FinishStart(run());
  }
  if (link_ != nullptr) {
    v1::AttachResponse taken;
    taken.mutable_reports_taken()->set_number(record_.last_report());
    link_->Send(std::move(taken));
  }
  CloseIfEnded();
}

ControlOutcome RunKeeper::OutcomeOf(const v1::Receipt& receipt) const {
  return {.receipt = receipt, .final_batch = run().batch(), .final_loss = run().loss()};
}

void RunKeeper::ResolveControl(const v1::Event& event) {
  const absl::StatusOr<std::optional<RecordedControl>> recorded = record_.FindControl(event.control().request_id());
  if (!recorded.ok() || !recorded->has_value()) return;
  const v1::Receipt& receipt = (*recorded)->receipt;
  if (event.control().change().has_stop()) {
    stops_[event.control().request_id()] = receipt;
  } else {
    pending_.Resolve(event.control().request_id(), OutcomeOf(receipt));
  }
}

void RunKeeper::CloseIfEnded() {
  if (!IsTerminal(run().status())) return;
  for (const auto& [request_id, receipt] : std::exchange(stops_, {})) {
    if (run().status() == v1::RUN_STATUS_FAILED) {
      pending_.Resolve(request_id, MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", run().status_message()));
    } else {
      pending_.Resolve(request_id, OutcomeOf(receipt));
    }
  }
  pending_.FailAll(RunEnded(run()));
  record_.Close();
}

void RunKeeper::OnHeartbeat(const v1::TrainerHeartbeat& heartbeat) {
  record_.mutable_run().set_batch(heartbeat.batch());
  record_.mutable_run().set_loss(heartbeat.loss());
  record_.Show();
}

absl::Status RunKeeper::Reachable() const {
  if (ended()) return RunEnded(run());
  if (record_.waiting()) return record_.status();
  if (link_ != nullptr && prepared_ && record_.last_report() >= backlog_through_) return absl::OkStatus();
  const std::string status = StatusName(run().status());
  return MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                   absl::StrCat("The run ", run().run_id(), " has no trainer to ask just now (it is ", status,
                                "). Ask again with the same request_id."),
                   {{"run_id", run().run_id()}, {"status", status}});
}

void RunKeeper::AnswerKnownControl(const RecordedControl& known, const v1::Control& control,
                                   const ControlCallback& callback) {
  const bool stopping = control.change().has_stop() && !ended();
  if (!stopping) return callback(OutcomeOfKnown(run(), known, control));
  // Journaled, but the run has not stopped yet.
  stops_[control.request_id()] = known.receipt;
  const absl::StatusOr<PendingControls::Added> added = pending_.Add(control, callback);
  if (!added.ok()) callback(added.status());
}

void RunKeeper::OnControl(const v1::Control& control, const ControlCallback& callback) {
  const absl::StatusOr<std::optional<RecordedControl>> known = record_.FindControl(control.request_id());
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
  process_.ForgetProbes();
  // Reports that could not be journaled are not acknowledged either: the trainer sends them again.
  record_.ForgetWaiting();
  if (!ended()) {
    pending_.FailAll(MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                               absl::StrCat("The connection to the trainer of ", run().run_id(),
                                            " broke; the change may or may not take effect. Ask again with the same "
                                            "request_id."),
                               {{"run_id", run().run_id()}, {"status", StatusName(run().status())}}));
  }
  OnTick(now);
}

std::chrono::milliseconds RunKeeper::interval() const {
  const bool waits_for_end =
      process_.is_child() && (ended() || link_ == nullptr) && run().status() != v1::RUN_STATUS_LOST;
  return waits_for_end ? kBusyInterval : kCalmInterval;
}

void RunKeeper::OnTick(Time now) {
  if (record_.waiting()) {
    CommitReports();
    if (!record_.waiting() && link_ != nullptr) link_->ReadNext();
  }
  if (link_ == nullptr && !ended()) WatchOverLostTrainer(now);
  if (link_ != nullptr && run().status() == v1::RUN_STATUS_LOST && !asks_how_it_is_) AskHowItIs();
  if (ended() && process_.is_child()) {
    if (now - waiting_since_ > kTrainerPatience) Kill();
    process_.Reap();
  }
}

void RunKeeper::WatchOverLostTrainer(Time now) {
  if (const std::optional<TrainerProcess::End> end = process_.Ended()) {
    return OnTrainerGone(*end);
  }
  if (run().status() == v1::RUN_STATUS_STARTING) {
    if (now - waiting_since_ > kTrainerPatience) Kill();
  } else if (run().status() != v1::RUN_STATUS_LOST && now - waiting_since_ > kLostAfter) {
    Declare(v1::RUN_STATUS_LOST, "The connection to the trainer broke; its process lives and is expected to return.");
  }
}

void RunKeeper::OnTrainerGone(const TrainerProcess::End& end) {
  const std::optional<RunEnd> told = ReadRunEnd(place_.directory);
  if (!told.has_value() || started_ != nullptr) return Fail(end.how);
  process_.Reap();
  v1::Run& run = record_.mutable_run();
  run.set_batch(std::max(run.batch(), told->batch));
  run.set_loss(told->loss);
  Declare(told->status, told->message);
}

void RunKeeper::Fail(const std::string& how) {
  process_.Reap();
  const std::string log = LastLines(place_.log_path(), kQuotedLogLines);
  const std::string message =
      absl::StrCat("The trainer ended", how.empty() ? " while no service was there to see how" : ": ", how, ".",
                   log.empty() ? "" : " Its log ends with:\n", log);
  if (started_ != nullptr) {
    FinishStart(MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", message, {{"exit", how}, {"log", log}}));
  } else {
    Declare(v1::RUN_STATUS_FAILED, message);
  }
}

void RunKeeper::FinishStart(absl::StatusOr<v1::Run> outcome) {
  if (started_ == nullptr || refused()) return;
  if (outcome.ok()) return std::exchange(started_, nullptr)(std::move(outcome));
  refusal_ = outcome.status();
  pending_.FailAll(refusal_);
  record_.Close();
}

absl::AnyInvocable<void()> RunKeeper::TakeRefusal() {
  if (!refused() || started_ == nullptr) return [] {};
  return [started = std::exchange(started_, nullptr), refusal = refusal_] { started(refusal); };
}

void RunKeeper::Kill() { process_.Kill(); }

void RunKeeper::Abandon() {
  const absl::Status stopping = MakeError(v1::ERROR_REASON_SERVICE_STOPPING, "", "The service is shutting down.");
  pending_.FailAll(stopping);
  if (link_ != nullptr) link_->Close(absl::OkStatus());
  link_ = nullptr;
  if (started_ != nullptr && !refused()) std::exchange(started_, nullptr)(stopping);
}

}  // namespace pilothouse::service
