#include "trainer/loop/training_loop.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::trainer {
namespace {

absl::Status BatchAlreadyPassed(int64_t at_batch, int64_t batch) {
  return MakeError(v1::ERROR_REASON_BATCH_ALREADY_PASSED, "options.at_batch",
                   absl::StrCat("The run is at batch ", batch, " already; nothing can take effect at batch ", at_batch,
                                " any more."),
                   {{"at_batch", absl::StrCat(at_batch)}, {"batch", absl::StrCat(batch)}});
}

std::string DivergenceMessage(int64_t batch, double loss) {
  return absl::StrCat("The loss became ", loss, " at batch ", batch,
                      ", so that batch's update was not made. A lower eta ",
                      "may help; a resume or a new target continues.");
}

std::string NotSaved(const absl::Status& cause) {
  return absl::StrCat("The parameters could not be saved: ", cause.message());
}

absl::Status SaveFailed(const absl::Status& cause) {
  return MakeError(v1::ERROR_REASON_SAVE_FAILED, "",
                   absl::StrCat("The parameters cannot be saved, so the run was not stopped; it goes on. Free room or ",
                                "mend its directory, then stop it again. The cause: ", cause.message()),
                   {{"cause", std::string(cause.message())}});
}

// Two texts, of which either may be empty, as one.
std::string Join(absl::string_view first, absl::string_view second) {
  return absl::StrCat(first, first.empty() || second.empty() ? "" : " ", second);
}

RunStatus StatusFor(IdleReason reason) { return reason == IdleReason::kNone ? RunStatus::kTraining : RunStatus::kIdle; }

}  // namespace

TrainingLoop::TrainingLoop(LoopOptions options, Learner& learner, Mailbox& mailbox, ReportSink& sink, Clock& clock)
    : learner_(learner),
      mailbox_(mailbox),
      sink_(sink),
      clock_(clock),
      checkpoint_directory_(std::move(options.checkpoint_directory)),
      knobs_(std::move(options.knobs)),
      target_(options.target) {}

StatusReport TrainingLoop::Run() {
  now_ = clock_.Now();
  const IdleReason reason = target_.IdleReasonAt(batch_);
  ReportStatus(StatusFor(reason), reason, "");
  while (true) {
    ReportDueLoss();
    HandleControls();
    ReportDueState();
    if (stopping()) break;
    ReportChangedStatus();
    BreakSilence();
    if (status_ == RunStatus::kTraining) {
      Train();
    } else {
      Wait();
    }
  }
  return End();
}

void TrainingLoop::Train() {
  parameters_.reset();
  const int64_t first = batch_;
  const int64_t due = std::min(
      {target_.batch(), schedule_.NextBatch(), ReportPolicy::NextDueBatch(knobs_, batch_), batch_ + pacer_.batches()});
  const double eta = knobs_.eta;
  bool finite = true;
  do {
    loss_ = learner_.Step(++batch_, eta);
    finite = std::isfinite(loss_);
  } while (batch_ < due && finite && mailbox_.empty());
  if (!finite) target_.Diverge();
  const TimePoint before = std::exchange(now_, clock_.Now());
  pacer_.Record(batch_ - first, now_ - before);
}

void TrainingLoop::Wait() {
  mailbox_.WaitUntil(policy_.HeartbeatTime());
  now_ = clock_.Now();
}

StatusReport TrainingLoop::End() {
  ReportLossOnce();
  for (const Control& control : schedule_.TakeAll()) Refuse(control, RunEnded(RunStatus::kStopping));
  for (const Letter& letter : mailbox_.Close(ending_->status)) Handle(letter);
  return ReportStatus(ending_->status, IdleReason::kNone, ending_->message);
}

void TrainingLoop::HandleControls() {
  for (const Control& control : schedule_.TakeDue(batch_)) Apply(control);
  if (mailbox_.empty()) return;
  for (const Letter& letter : mailbox_.Take(kMaxLettersPerBoundary)) Handle(letter);
}

void TrainingLoop::Handle(const Letter& letter) {
  if (const Query* query = std::get_if<Query>(&letter)) {
    Answer(*query);
  } else {
    Accept(std::get<Control>(letter));
  }
}

void TrainingLoop::Accept(const Control& control) {
  if (schedule_.Knows(control.request_id)) return;
  if (stopping()) return Refuse(control, RunEnded(RunStatus::kStopping));
  if (absl::Status status = Check(control.change); !status.ok()) return Refuse(control, std::move(status));
  const int64_t at_batch = control.at_batch.value_or(batch_);
  if (at_batch < batch_) return Refuse(control, BatchAlreadyPassed(at_batch, batch_));
  if (at_batch == batch_) return Apply(control);
  if (absl::Status status = schedule_.Wait(control); !status.ok()) Refuse(control, std::move(status));
}

absl::Status TrainingLoop::Check(const Change& change) const {
  if (const auto* knob = std::get_if<KnobChange>(&change)) {
    return knobs_.Check(knob->name, knob->value, learner_.facts().parameters);
  }
  if (const auto* target = std::get_if<TargetChange>(&change)) return CheckTargetChange(*target);
  return absl::OkStatus();
}

void TrainingLoop::Apply(const Control& control) {
  if (stopping()) return Refuse(control, RunEnded(RunStatus::kStopping));
  absl::Status status = std::visit([&](const auto& change) { return Apply(control, change); }, control.change);
  if (!status.ok()) return Refuse(control, std::move(status));
  schedule_.RememberApplied(control.request_id);
}

absl::Status TrainingLoop::Apply(const Control& control, const KnobChange& change) {
  const double previous = knobs_.Get(change.name);
  knobs_.Set(change.name, change.value);
  Emit(ControlReport{control, knobs_.Get(change.name), previous}, knobs_);
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const TargetChange& change) {
  const auto previous = static_cast<double>(target_.batch());
  if (absl::Status status = target_.Apply(change, batch_); !status.ok()) return status;
  Emit(ControlReport{control, static_cast<double>(target_.batch()), previous});
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const StopChange& change) {
  ReportStatus(RunStatus::kStopping, IdleReason::kNone, "");
  const absl::Status saved = SaveParameters();
  // What saving took is not to be taken for the time of batches.
  now_ = clock_.Now();
  if (!saved.ok() && !change.must_end) {
    ReportChangedStatus(
        absl::StrCat("The run was not stopped, since its parameters cannot be saved: ", saved.message()));
    return SaveFailed(saved);
  }
  ending_ = saved.ok() ? Ending{RunStatus::kStopped, change.message}
                       : Ending{RunStatus::kFailed, Join(change.message, NotSaved(saved))};
  const auto final_batch = static_cast<double>(batch_);
  Emit(ControlReport{control, final_batch, final_batch});
  return absl::OkStatus();
}

void TrainingLoop::Answer(const Query& query) {
  RunSnapshot snapshot{.batch = batch_,
                       .target = target_.batch(),
                       .resume_target = target_.resume_batch(),
                       .loss = loss_,
                       .status = RunStatus::kStopping,
                       .idle_reason = IdleReason::kNone,
                       .knobs = knobs_,
                       .model = nullptr};
  if (!stopping()) {
    // What the controls at this boundary have led to, although it is reported only after all of them.
    snapshot.idle_reason = target_.IdleReasonAt(batch_);
    snapshot.status = StatusFor(snapshot.idle_reason);
  }
  if (query.include_model) {
    snapshot.model = Parameters();
    const bool reportable = learner_.facts().parameters <= kMaxStateEventParameters;
    if (query.report_state && reportable && !policy_.StateReported(batch_)) ReportState(/*asked=*/true);
  }
  query.answer(std::move(snapshot));
}

void TrainingLoop::ReportDueLoss() {
  if (status_ != RunStatus::kTraining || batch_ == 0) return;
  const bool special = batch_ == target_.batch() || !std::isfinite(loss_);
  if (special || policy_.LossDue(knobs_, batch_, loss_, now_)) ReportLossOnce();
}

void TrainingLoop::ReportLossOnce() {
  if (batch_ == 0 || policy_.LossReported(batch_)) return;
  Emit(LossReport{.value = loss_, .at_target = batch_ == target_.batch()});
  policy_.OnLoss(batch_, loss_, now_);
}

void TrainingLoop::ReportDueState() {
  if (policy_.StateDue(knobs_, batch_)) ReportState(/*asked=*/false);
}

void TrainingLoop::ReportState(bool asked) {
  Emit(StateReport{.model = Parameters(), .eta = knobs_.eta, .loss = loss_, .asked = asked});
  policy_.OnState(batch_);
}

void TrainingLoop::ReportChangedStatus(absl::string_view why) {
  const IdleReason reason = target_.IdleReasonAt(batch_);
  const RunStatus status = StatusFor(reason);
  if (status == status_ && reason == idle_reason_) return;
  // Where a run comes to rest, its loss is known.
  if (status == RunStatus::kIdle) ReportLossOnce();
  const std::string message = reason == IdleReason::kDiverged ? DivergenceMessage(batch_, loss_) : "";
  ReportStatus(status, reason, Join(message, why));
}

StatusReport TrainingLoop::ReportStatus(RunStatus status, IdleReason reason, std::string message) {
  status_ = status;
  idle_reason_ = reason;
  StatusReport report{status, reason, std::move(message), target_.batch(), loss_};
  Emit(report);
  return report;
}

void TrainingLoop::BreakSilence() {
  if (now_ < policy_.HeartbeatTime()) return;
  sink_.OnHeartbeat({batch_, loss_, clock_.Wall()});
  policy_.OnSign(now_);
}

void TrainingLoop::Emit(std::variant<LossReport, StatusReport, ControlReport, StateReport> kind,
                        std::optional<Knobs> changed_knobs) {
  sink_.OnReport({batch_, clock_.Wall(), std::move(kind), std::move(changed_knobs), target_.resume_batch()});
  policy_.OnSign(now_);
}

void TrainingLoop::Refuse(const Control& control, absl::Status error) {
  sink_.OnRefusal({control.request_id, std::move(error)});
}

absl::Status TrainingLoop::SaveParameters() {
  std::error_code error;
  std::filesystem::create_directories(checkpoint_directory_, error);
  if (error) return absl::UnavailableError(absl::StrCat(checkpoint_directory_, ": ", error.message(), "."));
  return Parameters()->Save(absl::StrFormat("%s/batch-%012d.safetensors", checkpoint_directory_, batch_), batch_);
}

std::shared_ptr<const Model> TrainingLoop::Parameters() {
  if (parameters_ == nullptr) parameters_ = learner_.Snapshot();
  return parameters_;
}

}  // namespace pilothouse::trainer
