#include "service/runs/run_keeper.h"

#include <google/protobuf/util/time_util.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/death_notice.h"
#include "service/runs/run_summary.h"
#include "service/runs/welcome.h"

namespace pilothouse::service {

RunKeeper::RunKeeper(KeptRun kept, std::shared_ptr<EventHub> hub)
    : place_(std::move(kept.place)),
      spec_(std::move(kept.spec)),
      beginning_(std::move(kept.beginning)),
      record_(std::move(kept.journal), std::move(hub), std::move(kept.run)),
      process_(place_),
      restarts_(kept.max_restarts),
      data_(place_.data, place_.find_data),
      desk_(place_, record_) {}

RunKeeper::~RunKeeper() { Abandon(); }

bool RunKeeper::ended() const { return refused() || IsTerminal(run().status()); }

void RunKeeper::Launch(StartCallback started, Time now) {
  started_ = std::move(started);
  waiting_since_ = now;
  if (absl::Status child = process_.Start(); !child.ok()) FinishStart(child);
}

void RunKeeper::AwaitReturn(Time now) {
  // Whether it lives, its lock tells.
  waiting_since_ = now;
  record_.mutable_run().set_restarts(0);
  if (record_.damage().has_value()) NoteLoss(*record_.damage());
  DeclareAnew(v1::RUN_STATUS_LOST,
              WithLosses("The service was started anew and waits for the trainer to attach again."));
  OnTick(now);
}

void RunKeeper::OnAttach(std::shared_ptr<TrainerLink> link, const v1::Hello& hello, Time now) {
  if (place_.token.empty() || hello.token() != place_.token || ended()) {
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
  prepared_ = hello.prepared();
  returned_ = hello.prepared();
  restart_at_.reset();
  resume_refusal_ = absl::OkStatus();
  v1::AttachResponse message;
  *message.mutable_welcome() = WelcomeFor(place_, spec_, run(), record_.last_report(), beginning_);
  link_->Send(std::move(message));
  asks_how_it_is_ = false;
  AskHowItIs();
  link_->ReadNext();
}

void RunKeeper::AskHowItIs() {
  // A trainer that was started anew reports of itself when it is where the run was.
  if (run().status() != v1::RUN_STATUS_LOST || !returned_ || asks_how_it_is_) return;
  // Whoever sees the run come back may steer it at once, so first everything it had to say is journaled.
  if (record_.last_report() < backlog_through_) return;
  const absl::StatusOr<uint64_t> id =
      desk_.AddQuery([this](absl::StatusOr<v1::Answer> answer) { OnReturned(std::move(answer)); });
  if (!id.ok()) return;
  asks_how_it_is_ = true;
  v1::AttachResponse message;
  message.mutable_query()->set_query_id(*id);
  message.mutable_query()->mutable_state()->set_include_plugins(true);
  link_->Send(std::move(message));
}

void RunKeeper::OnReturned(absl::StatusOr<v1::Answer> answer) {
  asks_how_it_is_ = false;
  if (!answer.ok() || !answer->has_state() || run().status() != v1::RUN_STATUS_LOST) return;
  // Its connection broke while it was still on its way back to where the run was.
  if (answer->state().batch() < run().batch()) return;
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
      OnSpecRefused(FromError(message.spec_refused()));
      if (link_ != nullptr) link_->Close(absl::OkStatus());
      return;
    case v1::AttachRequest::kReports:
      OnReports(message.reports());
      // Whatever cannot be journaled holds up the trainer's next message, not the trainer.
      if (record_.waiting()) return;
      break;
    case v1::AttachRequest::kControlRefused:
      desk_.OnRefused(message.control_refused().request_id(), FromError(message.control_refused().error()));
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
  const bool is_new = !run().has_facts();
  *record_.mutable_run().mutable_facts() = prepared.facts();
  // Of a run that has trained they are known better.
  v1::Report context;
  if (is_new) *context.mutable_knobs() = prepared.knobs();
  ApplyReportContext(context, record_.mutable_run());
  record_.Save();
  // It may have said how it is while nobody could hear it. One that is still on its way back answers when it is there.
  returned_ = true;
  AskHowItIs();
}

void RunKeeper::OnSpecRefused(const absl::Status& error) {
  if (started_ != nullptr) return FinishStart(error);
  if (ended()) return;
  const v1::ErrorReason reason = ReasonOf(error);
  // They went while it began, or are not yet as they were. Before the next one begins they are looked for.
  if (reason == v1::ERROR_REASON_FILE_NOT_FOUND || reason == v1::ERROR_REASON_DATA_CHANGED) return data_.Refuse(error);
  // Another trainer may hold the lock, which shows when this one is gone, or the disk be out of order for a while.
  if (reason == v1::ERROR_REASON_TRAINER_FAILED || reason == v1::ERROR_REASON_JOURNAL_FAILED) {
    resume_refusal_ = error;
  } else {
    Declare(v1::RUN_STATUS_FAILED, std::string(error.message()));
  }
}

void RunKeeper::OnAnswer(v1::Answer answer) {
  // The newest there is, should nobody be able to ask again.
  if (answer.state().plugins_size() > 0) *record_.mutable_run().mutable_plugins() = answer.state().plugins();
  const uint64_t query_id = answer.query_id();
  if (answer.has_error()) {
    desk_.AnswerQuery(query_id, FromError(answer.error()));
  } else {
    desk_.AnswerQuery(query_id, std::move(answer));
  }
}

void RunKeeper::OnReports(const v1::Reports& reports) {
  if (const std::optional<std::string> missing = record_.Add(reports); missing.has_value()) {
    NoteLoss(*missing);
    ShowLosses();
    // What the journal lacks is in the trainer still: from a checkpoint on, all is known again.
    wants_checkpoint_ = true;
  }
  CommitReports();
  AskHowItIs();
}

void RunKeeper::AskForCheckpoint() {
  if (!wants_checkpoint_) return;
  wants_checkpoint_ = false;
  v1::Control control;
  control.set_request_id(absl::StrCat("after-loss-", record_.last_report()));
  control.set_origin("pilothoused");
  control.set_note("the journal has lost what led to here");
  control.mutable_change()->mutable_checkpoint();
  OnControl(control, [](const absl::StatusOr<ControlOutcome>&) {});
}

void RunKeeper::CommitReports() {
  HideBlocked();
  const RunRecord::Events events = record_.Commit();
  if (record_.waiting()) ShowBlocked();
  // Where nothing could be journaled there is nothing to tell; where nothing had to be, the trainer is told that.
  if (!events.empty() || !record_.waiting()) AfterCommit(events);
}

void RunKeeper::Declare(v1::RunStatus status, const std::string& message) {
  declared_ = message;
  AfterCommit(record_.Declare(status, message));
}

void RunKeeper::DeclareAnew(v1::RunStatus status, const std::string& message) {
  if (!IsNewestEvent(status, message)) return Declare(status, message);
  declared_ = message;
  record_.DeclareAgain(message);
}

void RunKeeper::AfterCommit(const RunRecord::Events& events) {
  for (const auto& event : events) OnCommitted(*event);
  ShowRestarts();
  if (link_ != nullptr) {
    v1::AttachResponse taken;
    taken.mutable_reports_taken()->set_number(record_.last_report());
    link_->Send(std::move(taken));
  }
  CloseIfEnded();
}

void RunKeeper::OnCommitted(const v1::Event& event) {
  desk_.OnEvent(event);
  if (event.control().change().has_rewind() || event.has_status()) {
    goes_back_ = !event.has_status();
    gone_back_to_.reset();
  }
  if (event.control().change().has_rewind()) {
    restarts_.OnTakenBack(static_cast<int64_t>(event.control().value()));
  } else if (!event.has_checkpoint()) {
    restarts_.OnBatch(event.batch());
  }
  const v1::RunStatus status = event.status().status();
  if (event.has_status()) ShowLosses();
  if (event.has_status() && status != v1::RUN_STATUS_LOST) resuming_ = false;
  if (status == v1::RUN_STATUS_TRAINING || status == v1::RUN_STATUS_IDLE) FinishStart(run());
  if (IsTerminal(status)) FinishStart(MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", run().status_message()));
}

void RunKeeper::CloseIfEnded() {
  if (!IsTerminal(run().status())) return;
  desk_.FailAll(RunEnded(run()));
  record_.Close();
}

void RunKeeper::OnHeartbeat(const v1::TrainerHeartbeat& heartbeat) {
  const bool is_back = heartbeat.batch() >= run().batch();
  if (run().status() == v1::RUN_STATUS_LOST && !is_back) {
    // Where the run was stays what is known of it.
    const std::string notice = OnItsWayNotice(heartbeat.batch(), run().batch(), declared_);
    record_.mutable_run().set_status_message(WithLosses(notice));
  } else if (goes_back_) {
    // One that was on its way already says where the run was before.
    if (!is_back) {
      gone_back_to_ = heartbeat.batch();
      record_.mutable_run().set_status_message(WithLosses(GoingBackNotice(*gone_back_to_, run().batch())));
      desk_.FailQueries(GoingBack());
    }
  } else if (run().status() != v1::RUN_STATUS_LOST && is_back) {
    record_.mutable_run().set_batch(heartbeat.batch());
    record_.mutable_run().set_loss(heartbeat.loss());
  }
  record_.Show();
}

absl::Status RunKeeper::Reachable() const {
  if (ended()) return RunEnded(run());
  if (record_.waiting()) {
    return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "run_id",
                     absl::StrCat(record_.status().message(),
                                  " No change is made that cannot be recorded; when it can, "
                                  "ask again with the same request_id."),
                     {{"run_id", run().run_id()}});
  }
  const bool lost = run().status() == v1::RUN_STATUS_LOST;
  if (link_ != nullptr && prepared_ && !lost && record_.last_report() >= backlog_through_) return absl::OkStatus();
  const std::string status = StatusName(run().status());
  const char* advice = waits_for_data() ? "). It waits for its data; until they are there again, it takes only a stop."
                                        : "). Ask again with the same request_id.";
  return MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                   absl::StrCat("The run ", run().run_id(), " has no trainer to ask just now (it is ", status, advice),
                   {{"run_id", run().run_id()}, {"status", status}});
}

absl::Status RunKeeper::GoingBack() const {
  const std::string notice = GoingBackNotice(gone_back_to_.value_or(0), run().batch());
  return MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                   absl::StrCat("The run ", run().run_id(), " cannot answer just now. ", notice),
                   {{"run_id", run().run_id()}, {"status", StatusName(run().status())}});
}

void RunKeeper::OnControl(const v1::Control& control, const ControlCallback& callback) {
  // Nobody knows whether it will ever have a trainer again.
  if (waits_for_data() && control.change().has_stop() && !control.has_at_batch()) {
    return desk_.Ask(control, callback, absl::OkStatus(),
                     [this](const v1::Control& complete) { StopWithoutTrainer(complete); });
  }
  desk_.Ask(control, callback, Reachable(), [this](const v1::Control& complete) {
    v1::AttachResponse message;
    *message.mutable_control() = complete;
    link_->Send(std::move(message));
  });
}

void RunKeeper::OnQuery(const v1::Query& query, const QueryCallback& callback) {
  if (absl::Status reachable = Reachable(); !reachable.ok()) return callback(reachable);
  if (gone_back_to_.has_value()) return callback(GoingBack());
  const absl::StatusOr<uint64_t> id = desk_.AddQuery(callback);
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
  HideBlocked();
  if (!ended()) {
    desk_.FailAll(MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                            absl::StrCat("The connection to the trainer of ", run().run_id(),
                                         " broke; the change may or may not take effect. Ask again with the same "
                                         "request_id."),
                            {{"run_id", run().run_id()}, {"status", StatusName(run().status())}}));
  }
  OnTick(now);
}

std::chrono::milliseconds RunKeeper::interval() const {
  if (record_.waiting()) return kCalmInterval;
  const bool expects_end = ended() || (link_ == nullptr && (run().status() != v1::RUN_STATUS_LOST || resuming_));
  const bool looks_again = link_ == nullptr && process_.seems_gone();
  const bool restarts = restart_at_.has_value() && !data_.waiting();
  const bool busy = restarts || looks_again || (process_.is_child() && expects_end);
  return busy ? kBusyInterval : kCalmInterval;
}

void RunKeeper::OnTick(Time now) {
  if (record_.waiting()) {
    CommitReports();
    if (!record_.waiting() && link_ != nullptr) link_->ReadNext();
  }
  if (link_ == nullptr && !ended()) WatchOverLostTrainer(now);
  if (link_ != nullptr && run().status() == v1::RUN_STATUS_LOST) AskHowItIs();
  if (Reachable().ok()) {
    restarts_.OnWell(now);
    ShowRestarts();
    AskForCheckpoint();
  }
  if (ended() && process_.is_child()) {
    if (now - waiting_since_ > kTrainerPatience) Kill();
    process_.Reap();
  }
}

void RunKeeper::FinishStart(absl::StatusOr<v1::Run> outcome) {
  if (started_ == nullptr || refused()) return;
  if (outcome.ok()) return std::exchange(started_, nullptr)(std::move(outcome));
  refusal_ = outcome.status();
  desk_.FailAll(refusal_);
  record_.Close();
}

absl::AnyInvocable<void()> RunKeeper::TakeRefusal() {
  if (!refused() || started_ == nullptr) return [] {};
  return [started = std::exchange(started_, nullptr), refusal = refusal_] { started(refusal); };
}

void RunKeeper::Kill() { process_.Kill(); }

void RunKeeper::End() {
  ending_ = true;
  if (!restart_at_.has_value()) return Kill();
  Declare(v1::RUN_STATUS_FAILED, "The trainer died, and the service ended before it was started again.");
}

void RunKeeper::Abandon() {
  const absl::Status stopping = MakeError(v1::ERROR_REASON_SERVICE_STOPPING, "", "The service is shutting down.");
  desk_.FailAll(stopping);
  if (link_ != nullptr) link_->Close(absl::OkStatus());
  link_ = nullptr;
  if (started_ != nullptr && !refused()) std::exchange(started_, nullptr)(stopping);
}

}  // namespace pilothouse::service
