// The training loop: trains towards the target, and between two batches takes controls, answers queries and reports.
#ifndef PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_
#define PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/clock_pacer.h"
#include "trainer/loop/control.h"
#include "trainer/loop/control_schedule.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/mailbox.h"
#include "trainer/loop/report.h"
#include "trainer/loop/report_policy.h"
#include "trainer/loop/target.h"

namespace pilothouse::trainer {

// Letters taken from the mailbox between two batches. The rest waits for the next boundary, so that no flood of
// controls keeps a run from training.
inline constexpr size_t kMaxLettersPerBoundary = 64;

struct LoopOptions {
  int64_t target = 0;  // to begin with, 0 to kMaxTarget
  Knobs knobs;         // valid for the learner
  // Where a stop saves the parameters, as batch-000000000050.safetensors. Made if missing.
  std::string checkpoint_directory;
};

// Run() and everything it calls out to happen on one thread, the training thread. Nothing else may be called meanwhile:
// whoever wants something writes to the mailbox.
class TrainingLoop {
 public:
  // Everything referred to outlives the loop.
  TrainingLoop(LoopOptions options, Learner& learner, Mailbox& mailbox, ReportSink& sink, Clock& clock);

  // Returns the last status after a stop, when it is reported and the mailbox closed: STOPPED if the parameters are
  // saved, FAILED if they could not be. Controls that still wait then are refused with RUN_ENDED. Call once.
  //
  // Only a stop that must end the run ends it without saving. Any other is refused with SAVE_FAILED then, and the run
  // goes on; STOPPING was reported meanwhile.
  //
  // At a boundary things happen, and are reported, in this order: the loss of the batch just trained; controls whose
  // batch this is; letters from the mailbox; a scheduled state; the change of status that all this led to.
  StatusReport Run();

 private:
  // Trains until something is due, a letter comes or the loss is no longer finite; one batch at least.
  void Train();
  // Sleeps until a letter comes or a heartbeat is due.
  void Wait();
  StatusReport End();

  void HandleControls();
  void Handle(const Letter& letter);
  void Accept(const Control& control);
  void Apply(const Control& control);
  // Make the change and report it; an error has changed nothing.
  absl::Status Apply(const Control& control, const KnobChange& change);
  absl::Status Apply(const Control& control, const TargetChange& change);
  absl::Status Apply(const Control& control, const StopChange& change);
  absl::Status Check(const Change& change) const;
  void Answer(const Query& query);

  void ReportDueLoss();
  // The loss of this batch, unless it was reported or there is none yet.
  void ReportLossOnce();
  void ReportDueState();
  void ReportState(bool asked);
  // Adds `why` to what the status itself has to say.
  void ReportChangedStatus(absl::string_view why = "");
  StatusReport ReportStatus(RunStatus status, IdleReason reason, std::string message);
  void BreakSilence();
  void Emit(std::variant<LossReport, StatusReport, ControlReport, StateReport> kind,
            std::optional<Knobs> changed_knobs = std::nullopt);
  void Refuse(const Control& control, absl::Status error);

  bool stopping() const { return ending_.has_value(); }
  absl::Status SaveParameters();
  // A copy of the parameters after this batch, made once per batch.
  std::shared_ptr<const Model> Parameters();

  Learner& learner_;
  Mailbox& mailbox_;
  ReportSink& sink_;
  Clock& clock_;
  const std::string checkpoint_directory_;

  Knobs knobs_;
  Target target_;
  ControlSchedule schedule_;
  ReportPolicy policy_;
  ClockPacer pacer_;

  int64_t batch_ = 0;
  double loss_ = -1;
  // As last reported.
  RunStatus status_ = RunStatus::kIdle;
  IdleReason idle_reason_ = IdleReason::kNone;
  // Set once a stop was applied: STOPPED or FAILED, and what the last status says about it.
  struct Ending {
    RunStatus status = RunStatus::kStopped;
    std::string message;
  };
  std::optional<Ending> ending_;
  // The time at this boundary.
  TimePoint now_;
  // Parameters() of this batch. Null: nobody has asked yet.
  std::shared_ptr<const Model> parameters_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_TRAINING_LOOP_H_
