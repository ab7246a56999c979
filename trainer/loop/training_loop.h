// The training loop: trains towards the target, and between two batches runs plugins, takes controls and answers
// queries.
#ifndef PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_
#define PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
  // run, COMPLETED if the parameters are saved, FAILED if they could not be. Controls that still wait then are refused
  // with RUN_ENDED. Call once.
  //
  // Only a stop that must end the run ends it without saving. Any other is refused with SAVE_FAILED then, and the run
  // goes on; STOPPING was reported meanwhile. Where a plugin asked for it, the run pauses.
  //
  // At a boundary things happen, and are reported, in this order: plugins after the batch, the report of its loss
  // first; controls whose batch this is; letters from the mailbox; plugins before the next batch, a scheduled state
  // last; the change of status that all this led to. What a plugin wants is applied when it returns, as a control is.
  //
  // While the sink is congested, which is while the service is away for long, the run trains on, past what plugins
  // might have decided: it must not depend on the service. Plugins stay due and run once the congestion is over; those
  // after a batch also where the run has come to its target by then. A run that ends first gives them their last call.
  StatusReport Run();

 private:
  // Attaches the plugins and reports the first status. They were checked before; one that cannot be attached any more,
  // since a file has gone, say, is reported as a failure, and pauses the run if it is required.
  void Begin();
  void OnNotAttached(PluginSpec spec, const absl::Status& why);
  // Trains until something is due, a letter comes or the loss is no longer finite; one batch at least.
  void Train();
  // Sleeps until a letter comes or a heartbeat is due.
  void Wait();
  StatusReport End();

  void RunPlugins(PluginPoint point);
  void OnOutput(const PluginSpec& plugin, PluginOutput output) override;
  void OnFailure(const PluginSpec& plugin, PluginFailure failure) override;
  absl::Status OnWish(const PluginSpec& plugin, Wish wish) override;

  void HandleControls();
  void Handle(const Letter& letter);
  // Applies a control, or keeps it until its batch. An error has changed nothing.
  absl::Status Accept(const Control& control);
  absl::Status Check(const Change& change) const;
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

  absl::Status SaveParameters();

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
  ControlSchedule schedule_;
  ClockPacer pacer_;

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
  // Of what plugins ask for, to tell one from another.
  int64_t wishes_ = 0;
  // What was said about pausing, for the status that follows.
  std::string pause_note_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_
