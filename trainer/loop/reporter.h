// Puts what happens in a run into words for the sink, and keeps in mind what was said last.
#ifndef PILOTHOUSE_TRAINER_LOOP_REPORTER_H_
#define PILOTHOUSE_TRAINER_LOOP_REPORTER_H_

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/report.h"
#include "trainer/loop/report_policy.h"
#include "trainer/loop/run_state.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_host.h"

namespace pilothouse::trainer {

// Used on the training thread.
class Reporter {
 public:
  // What is referred to outlives the reporter.
  Reporter(const RunState& run, ReportSink& sink, Clock& clock) : run_(run), sink_(sink), clock_(clock) {}

  // As last reported.
  RunStatus status() const { return status_; }
  IdleReason idle_reason() const { return idle_reason_; }
  const ReportPolicy& policy() const { return policy_; }
  // So much waits to be recorded that nothing which makes more of it is to be begun.
  bool congested() const { return sink_.Congested(); }
  // Reports of checkpoints that the service has recorded, as ReportSink says.
  int64_t checkpoints_recorded() const { return sink_.CheckpointsRecorded(); }
  int64_t checkpoints_announced() const { return sink_.CheckpointsAnnounced(); }

  // As ReportSink says.
  void Hold(bool held) { sink_.Hold(held); }
  // While muted, everything is done and remembered as if it were reported, and nothing is.
  void Mute(bool muted) { muted_ = muted; }
  // While known, controls that are applied were reported before: they are not again.
  void MuteControls(bool known) { controls_known_ = known; }
  // How many controls of the run were applied, those that were not reported again included.
  int64_t controls() const { return controls_; }
  void set_controls(int64_t count) { controls_ = count; }
  // The loss of `batch`, or the state after it, was reported.
  void KnowLoss(int64_t batch) { policy_.OnLoss(batch, run_.loss, clock_.Now()); }
  void KnowState(int64_t batch) { policy_.OnState(batch); }

  // The loss of this batch, unless it was reported or there is none yet.
  void LossOnce();
  // `model` is the run's after this batch.
  void State(std::shared_ptr<const Model> model, bool asked);
  // Returns what was reported. With `plugins` where they are news.
  StatusReport Status(RunStatus status, IdleReason reason, std::string message,
                      std::optional<std::vector<PluginStatus>> plugins = std::nullopt);
  // The status as the run stands, if it is another than the one last reported. Adds `why` to what it has to say itself.
  void ChangedStatus(absl::string_view why = "");
  // A control was applied; `plugins` as above.
  void Applied(ControlReport report, std::optional<std::vector<PluginStatus>> plugins = std::nullopt);
  void Checkpoint(CheckpointReport report) { Emit(std::move(report)); }
  void FromPlugin(const PluginSpec& plugin, std::variant<PluginOutput, PluginFailure> what);
  void SignOfLife();
  // Of a run on its way back to where it was, though muted: a heartbeat, kMaxSilence after the one before or the first
  // call.
  void SignOfProgress();
  void Refused(const Control& control, absl::Status error);

 private:
  void Emit(decltype(Report::kind) kind, std::optional<std::vector<PluginStatus>> plugins = std::nullopt);

  const RunState& run_;
  ReportSink& sink_;
  Clock& clock_;
  ReportPolicy policy_;
  RunStatus status_ = RunStatus::kIdle;
  IdleReason idle_reason_ = IdleReason::kNone;
  bool muted_ = false;
  bool controls_known_ = false;
  int64_t controls_ = 0;
  std::optional<TimePoint> progress_time_;
};

// The status of a run that waits for this reason, or does not wait.
RunStatus StatusFor(IdleReason reason);
// Two sentences, of which either may be empty, as one text.
std::string JoinSentences(absl::string_view first, absl::string_view second);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_REPORTER_H_
