#include "trainer/loop/training_loop.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/loop/loop_options.h"
#include "trainer/loop/report_plugins.h"
#include "trainer/loop/run_end.h"

namespace pilothouse::trainer {
namespace {

int64_t FirstTarget(const LoopOptions& options) {
  return options.resume == nullptr ? options.target : options.resume->initial_target;
}

absl::Status OnlyPeopleRewind() {
  return MakeError(v1::ERROR_REASON_PLUGIN_INVALID, "",
                   "A plugin cannot take its run back; a person or a program can.");
}

}  // namespace

TrainingLoop::TrainingLoop(LoopOptions options, Learner& learner, Mailbox& mailbox, ReportSink& sink, Clock& clock)
    : options_(std::move(options)),
      learner_(learner),
      mailbox_(mailbox),
      clock_(clock),
      state_(options_.knobs, ScheduledEtaOf(options_, learner.facts()), FirstTarget(options_),
             {learner.facts().examples, learner.facts().batch_size}, clock.Now()),
      reporter_(state_, sink, clock),
      view_(options_.run_id, options_.directory, state_, learner),
      plugins_(KindsOf(options_), SurroundingsOf(options_, learner.facts()), state_.timelines,
               [&clock] { return clock.Now(); }),
      checkpoints_(options_, RunParts{learner_, state_, view_, plugins_, wishes_}, reporter_, mailbox, clock) {
  AddReportPlugins(state_, reporter_, plugins_);
}

StatusReport TrainingLoop::Run() {
  if (options_.resume == nullptr) {
    Begin();
  } else if (absl::Status back = ComeBack(); !back.ok()) {
    Fail(std::string(back.message()));
  }
  while (!ended() && !suspended_) {
    RunPlugins(PluginPoint::kAfterBatch);
    HandleControls();
    if (taken_back_) return StatusReport{};
    RunPlugins(PluginPoint::kBeforeBatch);
    if (ended()) break;
    reporter_.ChangedStatus(std::exchange(pause_note_, ""));
    checkpoints_.AtBoundary();
    if (mailbox_.suspending()) {
      Suspend();
      break;
    }
    if (reporter_.status() == RunStatus::kTraining) {
      Train();
    } else {
      Wait();
    }
  }
  return suspended_ ? StatusReport{} : End();
}

void TrainingLoop::Suspend() {
  // If it cannot be written, the run goes on from an earlier one.
  checkpoints_.Report(checkpoints_.WriteNow(/*pin=*/false));
  suspended_ = true;
}

TrainingLoop::NotAttached TrainingLoop::AttachFirst() {
  // While no time has passed on any timeline: time 0 is still to come.
  NotAttached refused;
  for (const PluginSpec& spec : options_.plugins) {
    absl::StatusOr<std::string> attached = plugins_.Attach(spec);
    if (!attached.ok()) refused.emplace_back(spec, attached.status());
  }
  return refused;
}

void TrainingLoop::Begin() {
  const NotAttached refused = AttachFirst();
  Pass(Duration::zero());
  const IdleReason reason = state_.target.IdleReasonAt(state_.batch);
  reporter_.Status(StatusFor(reason), reason, "", plugins_.List());
  for (const auto& [spec, why] : refused) OnNotAttached(spec, why);
}

void TrainingLoop::OnNotAttached(PluginSpec spec, const absl::Status& why) {
  if (spec.name.empty()) spec.name = spec.kind;
  const auto kind = KindsOf(options_).Find(spec.kind);
  const bool required = spec.required.value_or(kind.ok() && (*kind)->required);
  OnFailure(spec,
            {.message = std::string(why.message()), .failures_in_a_row = 1, .detached = true, .paused = required});
  if (!required) return;
  OnWish(spec, {TargetChange{TargetChange::Kind::kPause, 0}, "a required plugin could not be attached"}).IgnoreError();
}

int64_t TrainingLoop::Limit() const {
  if (catch_up_.has_value()) return std::min(catch_up_->through_batch(), catch_up_->NextControlBatch());
  return std::min({state_.target.batch(), schedule_.NextBatch(), checkpoints_.NextBatch()});
}

void TrainingLoop::Train() {
  view_.Forget();
  const int64_t first = state_.batch;
  const int64_t due = std::min({Limit(), plugins_.next_due_batch(), state_.batch + pacer_.batches()});
  UpdateSettings settings = state_.knobs.update;
  // Whoever writes while the run comes back to where it was is answered when it is there.
  const bool deaf = catch_up_.has_value();
  bool finite = true;
  do {
    state_.loss = learner_.Step(++state_.batch, settings);
    finite = std::isfinite(state_.loss);
    if (state_.batch >= state_.scheduled_eta.through()) settings.eta = state_.FollowSchedule();
  } while (state_.batch < due && finite && (deaf || mailbox_.empty()));
  if (!finite) state_.target.Diverge();
  trained_ = true;
  const TimePoint now = clock_.Now();
  const Duration elapsed = now - state_.now;
  pacer_.Record(state_.batch - first, elapsed);
  PassUntil(now, elapsed);
}

void TrainingLoop::Wait() {
  mailbox_.WaitUntil(std::min(plugins_.next_due_moment(), checkpoints_.NextMoment()));
  Pass(Duration::zero());
}

void TrainingLoop::PassUntil(TimePoint now, Duration trained) {
  state_.now = now;
  const TimePoint time = catch_up_.has_value() ? catch_up_->TimeAt(state_.batch) : state_.now;
  state_.timelines.Advance(state_.batch, time, trained);
}

void TrainingLoop::RunPlugins(PluginPoint point) {
  const bool after_batch = point == PluginPoint::kAfterBatch;
  // What plugins do while nobody takes the record of it would have to wait somewhere. They stay due meanwhile.
  const bool congested = reporter_.congested();
  const bool only_own = congested || !(after_batch ? trained_ : !idle() && !ended());
  if (after_batch && !congested) trained_ = false;
  bool ran = point == PluginPoint::kBeforeBatch && !only_own && plugins_.RunStart(view_, *this);
  if (plugins_.Due(point)) {
    plugins_.Run(point, view_, *this, only_own);
    ran = true;
  }
  // What plugins take is not to be taken for the time of batches.
  if (ran) Pass(Duration::zero());
}

StatusReport TrainingLoop::End() {
  reporter_.LossOnce();
  checkpoints_.RefuseAsked(RunEnded(RunStatus::kStopping));
  plugins_.RunLast(view_, *this);
  for (const Control& control : schedule_.TakeAll()) reporter_.Refused(control, RunEnded(RunStatus::kStopping));
  for (const Letter& letter : mailbox_.Close(ending_->status)) Handle(letter);
  WriteRunEnd(options_.directory, {ending_->status, ending_->message, state_.batch, state_.loss});
  return reporter_.Status(ending_->status, IdleReason::kNone, ending_->message, plugins_.List());
}

void TrainingLoop::OnOutput(const PluginSpec& plugin, PluginOutput output) {
  if (known_reports_.has_value() && known_reports_->Take(state_.batch, plugin.name)) return;
  reporter_.FromPlugin(plugin, std::move(output));
}

void TrainingLoop::OnFailure(const PluginSpec& plugin, PluginFailure failure) {
  if (known_reports_.has_value() && known_reports_->Take(state_.batch, plugin.name)) return;
  reporter_.FromPlugin(plugin, std::move(failure));
}

absl::Status TrainingLoop::OnWish(const PluginSpec& plugin, Wish wish) {
  auto* stop = std::get_if<StopChange>(&wish.change);
  // The run has ended, or is about to: whoever asks for something now is not to blame that another was first.
  if (ended() || (stopping_ && stop != nullptr)) return absl::OkStatus();
  // How the run ended is told without who asked for it.
  if (stop != nullptr) stop->message = absl::StrCat(plugin.name, ": ", stop->message);
  if (std::holds_alternative<RewindChange>(wish.change)) return OnlyPeopleRewind();
  const std::string name = wishes_.Next(plugin.name, state_.batch);
  if (catch_up_.has_value()) {
    // What it came to then is in the journal; of the batch that the run comes back to, some of it may be missing.
    if (const std::optional<Control> then = catch_up_->TakeControl(state_.batch, name)) return ApplyAgain(*then);
    if (visits_ || state_.batch < catch_up_->through_batch()) return absl::OkStatus();
  }
  // What is asked for again after the run was taken back is another control.
  const std::string request_id = WishNames::OnLine(name, options_.line());
  return Accept({request_id, std::move(wish.change), std::nullopt, absl::StrCat(kPluginOrigin, plugin.name),
                 std::move(wish.note)});
}

}  // namespace pilothouse::trainer
