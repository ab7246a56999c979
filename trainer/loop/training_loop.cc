#include "trainer/loop/training_loop.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/loop/loop_options.h"
#include "trainer/loop/report_plugins.h"
#include "trainer/loop/run_end.h"

namespace pilothouse::trainer {
namespace {

RunState BeginningOf(const LoopOptions& options, const LearnerFacts& facts, TimePoint now) {
  return {.batch = 0,
          .loss = -1,
          .knobs = options.knobs,
          .target = Target(options.target),
          .timelines = RunTimelines({facts.examples, facts.batch_size}, now),
          .now = now};
}

}  // namespace

TrainingLoop::TrainingLoop(LoopOptions options, Learner& learner, Mailbox& mailbox, ReportSink& sink, Clock& clock)
    : options_(std::move(options)),
      learner_(learner),
      mailbox_(mailbox),
      clock_(clock),
      state_(BeginningOf(options_, learner.facts(), clock.Now())),
      reporter_(state_, sink, clock),
      view_(options_.run_id, options_.directory, state_, learner),
      plugins_(KindsOf(options_), SurroundingsOf(options_, learner.facts()), state_.timelines,
               [&clock] { return clock.Now(); }) {
  AddReportPlugins(state_, reporter_, plugins_);
}

StatusReport TrainingLoop::Run() {
  Begin();
  while (true) {
    RunPlugins(PluginPoint::kAfterBatch);
    HandleControls();
    RunPlugins(PluginPoint::kBeforeBatch);
    if (ended()) break;
    reporter_.ChangedStatus(std::exchange(pause_note_, ""));
    if (reporter_.status() == RunStatus::kTraining) {
      Train();
    } else {
      Wait();
    }
  }
  return End();
}

void TrainingLoop::Begin() {
  // While no time has passed on any timeline: time 0 is still to come.
  std::vector<std::pair<PluginSpec, absl::Status>> refused;
  for (const PluginSpec& spec : options_.plugins) {
    absl::StatusOr<std::string> attached = plugins_.Attach(spec);
    if (!attached.ok()) refused.emplace_back(spec, attached.status());
  }
  state_.Advance(clock_.Now(), Duration::zero());
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

void TrainingLoop::Train() {
  view_.Forget();
  const int64_t first = state_.batch;
  const int64_t due = std::min(
      {state_.target.batch(), schedule_.NextBatch(), plugins_.next_due_batch(), state_.batch + pacer_.batches()});
  const double eta = state_.knobs.eta;
  bool finite = true;
  do {
    state_.loss = learner_.Step(++state_.batch, eta);
    finite = std::isfinite(state_.loss);
  } while (state_.batch < due && finite && mailbox_.empty());
  if (!finite) state_.target.Diverge();
  trained_ = true;
  const TimePoint now = clock_.Now();
  const Duration elapsed = now - state_.now;
  pacer_.Record(state_.batch - first, elapsed);
  state_.Advance(now, elapsed);
}

void TrainingLoop::Wait() {
  mailbox_.WaitUntil(plugins_.next_due_moment());
  state_.Advance(clock_.Now(), Duration::zero());
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
  if (ran) state_.Advance(clock_.Now(), Duration::zero());
}

StatusReport TrainingLoop::End() {
  reporter_.LossOnce();
  plugins_.RunLast(view_, *this);
  for (const Control& control : schedule_.TakeAll()) reporter_.Refused(control, RunEnded(RunStatus::kStopping));
  for (const Letter& letter : mailbox_.Close(ending_->status)) Handle(letter);
  WriteRunEnd(options_.directory, {ending_->status, ending_->message, state_.batch, state_.loss});
  return reporter_.Status(ending_->status, IdleReason::kNone, ending_->message, plugins_.List());
}

void TrainingLoop::OnOutput(const PluginSpec& plugin, PluginOutput output) {
  reporter_.FromPlugin(plugin, std::move(output));
}

void TrainingLoop::OnFailure(const PluginSpec& plugin, PluginFailure failure) {
  reporter_.FromPlugin(plugin, std::move(failure));
}

absl::Status TrainingLoop::OnWish(const PluginSpec& plugin, Wish wish) {
  auto* stop = std::get_if<StopChange>(&wish.change);
  // The run has ended, or is about to: whoever asks for something now is not to blame that another was first.
  if (ended() || (stopping_ && stop != nullptr)) return absl::OkStatus();
  // How the run ended is told without who asked for it.
  if (stop != nullptr) stop->message = absl::StrCat(plugin.name, ": ", stop->message);
  return Accept({absl::StrCat("plugin-", plugin.name, "-", state_.batch, "-", ++wishes_), std::move(wish.change),
                 std::nullopt, absl::StrCat("plugin ", plugin.name), std::move(wish.note)});
}

}  // namespace pilothouse::trainer
