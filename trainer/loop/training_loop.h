// The training loop: trains towards the target, and between two batches runs plugins, takes controls and answers
// queries.
#ifndef PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_
#define PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/catch_up.h"
#include "trainer/loop/checkpointer.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/clock_pacer.h"
#include "trainer/loop/control.h"
#include "trainer/loop/control_schedule.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/learner_view.h"
#include "trainer/loop/loop_options.h"
#include "trainer/loop/mailbox.h"
#include "trainer/loop/report.h"
#include "trainer/loop/reporter.h"
#include "trainer/loop/run_state.h"
#include "trainer/loop/wish_names.h"
#include "trainer/plugin/plugin_host.h"

namespace pilothouse::trainer {

// Letters taken from the mailbox between two batches. The rest waits for the next boundary, so that no flood of
// controls keeps a run from training.
inline constexpr size_t kMaxLettersPerBoundary = 64;

// Run() and everything it calls out to happen on one thread, the training thread. Nothing else may be called meanwhile:
// whoever wants something writes to the mailbox.
class TrainingLoop final : private PluginSink {
 public:
  // Everything referred to outlives the loop.
  TrainingLoop(LoopOptions options, Learner& learner, Mailbox& mailbox, ReportSink& sink, Clock& clock);

  // Returns the last status after a stop, when it is reported and the mailbox closed: STOPPED or, if a plugin ended the
  // run, COMPLETED, or FAILED if it cannot come back to where it was. Controls that still wait then are refused
  // with RUN_ENDED. Call once.
  //
  // A stop that cannot save the parameters is refused with SAVE_FAILED, and the run goes on; STOPPING was reported
  // meanwhile. Where a plugin asked for it, the run pauses.
  //
  // At a boundary things happen, and are reported, in this order: plugins after the batch, the report of its loss
  // first; controls whose batch this is; letters from the mailbox; plugins before the next batch, a scheduled state
  // last; the change of status that all this led to. What a plugin wants is applied when it returns, as a control is.
  //
  // While the sink is congested, which is while the service is away for long, the run trains on, past what plugins
  // might have decided: it must not depend on the service. Plugins stay due and run once the congestion is over; those
  // after a batch also where the run has come to its target by then. A run that ends first gives them their last call.
  //
  // A run with a past (options.resume) first comes back to where it was: it trains there without reporting anything,
  // applying what the journal holds, while plugins run and remember what they should, and ask for nothing. Then it says
  // how it stands, and all is as if nothing had happened.
  //
  // A run that was taken back returns, too, without having ended: taken_back() says so. Once the service has recorded
  // what was reported, another loop goes on, by the journal, with the same learner and mailbox.
  // So does one that was to be left (Mailbox::Suspend): at the end of a boundary, after a checkpoint, or, on its way
  // back to where it was, at once. suspended() says so. Nothing tells of it but that checkpoint.
  StatusReport Run();

  bool taken_back() const { return taken_back_; }
  bool suspended() const { return suspended_; }

  // Comes to where options.resume leads, applying all controls of that batch, and returns what the run remembers there.
  // Reports nothing. `learner` is then there, too.
  static absl::StatusOr<SavedState> Visit(LoopOptions options, Learner& learner, Clock& clock);

 private:
  // Attaches the plugins and reports the first status. They were checked before; one that cannot be attached any more,
  // since a file has gone, say, is reported as a failure, and pauses the run if it is required.
  void Begin();
  using NotAttached = std::vector<std::pair<PluginSpec, absl::Status>>;
  NotAttached AttachFirst();
  void OnNotAttached(PluginSpec spec, const absl::Status& why);

  // The run goes on from its past, or begins as a fork. An error leaves it as it is: it cannot.
  absl::Status ComeBack();
  // Where the past begins for it: at a checkpoint, or at the beginning of the run.
  absl::Status RestoreOrReset();
  // Trains up to where the run was, all muted.
  void CatchUpWithPast();
  // It is there: what was not reported of that batch is, and how the run stands.
  void FinishCatchUp();
  absl::Status BeginFork();
  // Runs plugins and applies controls once more. Not `whole`: the batch after it was perhaps not begun.
  void PassBoundaryAgain(bool whole);
  void ApplyPast(bool of_plugins);
  absl::Status ApplyAgain(const Control& control);
  // The run cannot go on.
  void Fail(const std::string& message);
  // Trains until something is due, a letter comes or the loss is no longer finite; one batch at least.
  void Train();
  // The batch that Train is to stop at, whatever plugins say.
  int64_t Limit() const;
  // Sleeps until a letter comes or a heartbeat is due.
  void Wait();
  // Time has passed until now, of which `trained` was spent on batches.
  void PassUntil(TimePoint now, Duration trained);
  void Pass(Duration trained) { PassUntil(clock_.Now(), trained); }
  StatusReport End();
  // Where another trainer goes on.
  void Suspend();

  void RunPlugins(PluginPoint point);
  void OnOutput(const PluginSpec& plugin, PluginOutput output) override;
  void OnFailure(const PluginSpec& plugin, PluginFailure failure) override;
  absl::Status OnWish(const PluginSpec& plugin, Wish wish) override;

  void HandleControls();
  void Handle(const Letter& letter);
  // Applies a control, or keeps it until its batch. An error has changed nothing.
  absl::Status Accept(const Control& control);
  absl::Status Check(const Change& change) const;
  absl::Status CheckRewind(int64_t batch) const;
  absl::Status Apply(const Control& control);
  // Make the change and report it; an error has changed nothing.
  absl::Status Apply(const Control& control, const KnobChange& change);
  absl::Status Apply(const Control& control, const TargetChange& change);
  absl::Status Apply(const Control& control, const StopChange& change);
  absl::Status Apply(const Control& control, const AttachPluginChange& change);
  absl::Status Apply(const Control& control, const DetachPluginChange& change);
  absl::Status Apply(const Control& control, const ReschedulePluginChange& change);
  absl::Status Apply(const Control& control, const ParametersChange& change);
  absl::Status Apply(const Control& control, const CheckpointChange& change);
  absl::Status Apply(const Control& control, const RewindChange& change);
  absl::Status ReportPluginChange(const Control& control, int64_t before, const absl::StatusOr<std::string>& name);
  void Answer(const Query& query);
  // What comes after the run was taken back is for the loop that goes on.
  void LeaveForNext(std::vector<Letter> letters);

  bool ended() const { return ending_.has_value(); }
  // No batch follows as things stand.
  bool idle() const { return state_.target.IdleReasonAt(state_.batch) != IdleReason::kNone; }

  const LoopOptions options_;
  Learner& learner_;
  Mailbox& mailbox_;
  Clock& clock_;

  RunState state_;
  Reporter reporter_;
  LearnerView view_;
  PluginHost plugins_;
  WishNames wishes_;
  Checkpointer checkpoints_;
  ControlSchedule schedule_;
  ClockPacer pacer_;
  // Set while the run comes back to where it was.
  std::optional<CatchUp> catch_up_;
  // Also for some time after that: the end of a run is at one batch, too.
  std::optional<KnownReports> known_reports_;
  // Nothing is to be reported when it is there.
  bool visits_ = false;
  bool taken_back_ = false;
  bool suspended_ = false;

  // A batch was trained since the boundary at which plugins ran last, or could have.
  bool trained_ = false;
  // A stop is being applied: it is not to be begun again by what runs before it.
  bool stopping_ = false;
  // Set once a stop was applied: STOPPED, COMPLETED or FAILED, and what the last status says about it.
  struct Ending {
    RunStatus status = RunStatus::kStopped;
    std::string message;
  };
  std::optional<Ending> ending_;
  // What was said about pausing, for the status that follows.
  std::string pause_note_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_
