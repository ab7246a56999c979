// How a run comes back to where it was: from a checkpoint, by what its journal holds.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/support/log.h"
#include "trainer/loop/training_loop.h"

namespace pilothouse::trainer {
namespace {

constexpr char kForkOrigin[] = "fork";

// For a run that is only visited.
class NoSink final : public ReportSink {
 public:
  void OnReport(Report) override {}
  void OnHeartbeat(const Heartbeat&) override {}
  void OnRefusal(Refusal) override {}
};

}  // namespace

absl::StatusOr<SavedState> TrainingLoop::Visit(LoopOptions options, Learner& learner, Clock& clock) {
  Mailbox mailbox(clock);
  NoSink sink;
  TrainingLoop loop(std::move(options), learner, mailbox, sink, clock);
  loop.visits_ = true;
  if (absl::Status back = loop.ComeBack(); !back.ok()) return back;
  loop.state_.saved_time = clock.Wall();
  return RunParts{loop.learner_, loop.state_, loop.view_, loop.plugins_, loop.wishes_}.Save();
}

absl::Status TrainingLoop::ComeBack() {
  reporter_.Mute(true);
  const bool whole = !visits_ && options_.fork == nullptr;
  if (whole) known_reports_.emplace(options_.resume->through_batch, options_.resume->plugin_reports);
  if (absl::Status begun = RestoreOrReset(); !begun.ok()) return begun;
  CatchUpWithPast();
  if (visits_ || suspended_) return absl::OkStatus();
  if (options_.fork != nullptr) return BeginFork();
  FinishCatchUp();
  return absl::OkStatus();
}

absl::Status TrainingLoop::RestoreOrReset() {
  const std::shared_ptr<const ResumePlan>& plan = options_.resume;
  if (plan->checkpoint == nullptr) {
    learner_.Reset();
    catch_up_.emplace(plan, std::nullopt, state_.now);
    for (const auto& [spec, why] : AttachFirst()) OnNotAttached(spec, why);
    Pass(Duration::zero());
    return absl::OkStatus();
  }
  const absl::Status restored = RunParts{learner_, state_, view_, plugins_, wishes_}.Restore(*plan->checkpoint);
  if (restored.ok()) catch_up_.emplace(plan, state_.saved_time, state_.now);
  return restored;
}

void TrainingLoop::CatchUpWithPast() {
  const int64_t begin = state_.batch;
  reporter_.Status(RunStatus::kTraining, IdleReason::kNone, "");
  while (state_.batch < catch_up_->through_batch()) {
    PassBoundaryAgain(/*whole=*/true);
    if (ended()) return;
    Train();
    if (state_.batch < catch_up_->through_batch()) reporter_.SignOfProgress();
    suspended_ = mailbox_.suspending();
    if (suspended_) return;
  }
  if (state_.batch > begin) Log(absl::StrCat("trained again from batch ", begin, " to ", state_.batch));
  if (visits_) PassBoundaryAgain(/*whole=*/false);
}

void TrainingLoop::PassBoundaryAgain(bool whole) {
  RunPlugins(PluginPoint::kAfterBatch);
  ApplyPast(/*of_plugins=*/false);
  // Of the last boundary they ran only if something of theirs is in the journal.
  if (whole || catch_up_->NextControlBatch() <= state_.batch) RunPlugins(PluginPoint::kBeforeBatch);
  ApplyPast(/*of_plugins=*/true);
}

void TrainingLoop::FinishCatchUp() {
  const ResumePlan& plan = catch_up_->plan();
  if (plan.loss_reported) reporter_.KnowLoss(state_.batch);
  if (plan.state_reported) reporter_.KnowState(state_.batch);
  reporter_.set_controls(plan.controls_recorded);
  reporter_.Mute(false);
  PassBoundaryAgain(/*whole=*/false);
  const bool pause = plan.pause;
  const std::string message = plan.message;
  catch_up_.reset();
  state_.timelines.ContinueAt(clock_.Now());
  if (ended()) return;
  if (pause) state_.target.Apply({TargetChange::Kind::kPause, 0}, state_.batch).IgnoreError();
  const IdleReason reason = state_.target.IdleReasonAt(state_.batch);
  // Where a run comes to rest, its loss is known.
  if (reason != IdleReason::kNone) reporter_.LossOnce();
  reporter_.Status(StatusFor(reason), reason, message, plugins_.List());
}

absl::Status TrainingLoop::BeginFork() {
  catch_up_.reset();
  state_.timelines.ContinueAt(clock_.Now());
  state_.target = Target(options_.target);
  reporter_.KnowLoss(state_.batch);
  reporter_.KnowState(state_.batch);
  reporter_.set_controls(0);
  reporter_.Mute(false);
  CheckpointOutcome base = checkpoints_.WriteNow(/*pin=*/true);
  if (!base.status.ok()) return base.status;
  // Whoever goes on from this checkpoint must find them all in the journal.
  reporter_.Hold(true);
  checkpoints_.Report(std::move(base));
  int64_t count = 0;
  absl::Status applied;
  for (const Change& change : options_.fork->changes) {
    const Control control{absl::StrCat("trainer-fork-", ++count), change, std::nullopt, kForkOrigin, ""};
    if (applied.ok()) applied = Accept(control);
  }
  reporter_.Hold(false);
  if (!applied.ok()) return applied;
  const IdleReason reason = state_.target.IdleReasonAt(state_.batch);
  reporter_.Status(StatusFor(reason), reason, options_.resume->message, plugins_.List());
  return absl::OkStatus();
}

void TrainingLoop::ApplyPast(bool of_plugins) {
  while (const std::optional<Control> control = catch_up_->TakeControl(state_.batch, of_plugins)) {
    const absl::Status again = ApplyAgain(*control);
    // Without them the run would be another one.
    if (!again.ok() && std::holds_alternative<ParametersChange>(control->change)) {
      return Fail(absl::StrCat("The run cannot come back to where it was: ", again.message()));
    }
    // By its clock the plugin was not due, as time passes otherwise now. It has run all the same.
    absl::string_view plugin = control->origin;
    if (absl::ConsumePrefix(&plugin, kPluginOrigin)) plugins_.HasRun(std::string(plugin));
  }
  Pass(Duration::zero());
}

absl::Status TrainingLoop::ApplyAgain(const Control& control) {
  reporter_.MuteControls(true);
  absl::Status status = Apply(control);
  reporter_.MuteControls(false);
  // What could be applied then can be again, unless a file has gone.
  if (!status.ok()) {
    Log(absl::StrCat("control ", control.request_id, " could not be applied again: ", status.message()));
  }
  return status;
}

void TrainingLoop::Fail(const std::string& message) {
  reporter_.Mute(false);
  // Nothing is known of a loss that was not told of before.
  reporter_.KnowLoss(state_.batch);
  ending_ = Ending{RunStatus::kFailed, message};
}

}  // namespace pilothouse::trainer
