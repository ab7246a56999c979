// What comes out of the training loop.
#ifndef PILOTHOUSE_TRAINER_LOOP_REPORT_H_
#define PILOTHOUSE_TRAINER_LOOP_REPORT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/control.h"
#include "trainer/plugin/plugin_host.h"

namespace pilothouse::trainer {

// The loss of the report's batch: of the parameters before that batch's update. May be NaN or infinite.
struct LossReport {
  double value = 0;
  bool at_target = false;
  // What the next batch is trained with, as things stood when it was reported.
  double eta = 0;
};

struct StatusReport {
  RunStatus status = RunStatus::kIdle;
  IdleReason idle_reason = IdleReason::kNone;
  std::string message;
  int64_t target = 0;
  double loss = -1;
};

// A control was applied after the report's batch.
struct ControlReport {
  Control control;
  // What the knob or the target now is, and what it was. For a stop, both: the final batch. For a change of plugins:
  // how many are attached. For new parameters: the batch they come from, and this one. For a checkpoint: its batch. For
  // a rewind: where it leads, and this batch.
  double value = 0;
  double previous_value = 0;
  // The plugin that was attached, detached or rescheduled.
  std::string plugin;
};

// A checkpoint was written, or could not be.
struct CheckpointReport {
  CheckpointOutcome outcome;
  // The same was reported to somebody else who asked for it.
  bool repeated = false;
};

// The parameters after the report's batch.
struct StateReport {
  std::shared_ptr<const Model> model;
  double eta = 0;
  double loss = -1;
  bool asked = false;  // by a query, as opposed to state_every
};

struct PluginReport {
  std::string plugin;
  std::string kind;
  std::variant<PluginOutput, PluginFailure> what;
};

struct Report {
  int64_t batch = 0;
  WallTime time;
  std::variant<LossReport, StatusReport, ControlReport, StateReport, PluginReport, CheckpointReport> kind;
  // The knobs after this report, where it changed them.
  std::optional<Knobs> knobs;
  // After this report.
  int64_t resume_target = 0;
  // The run's plugins, where this report changed them, and with the first and the last status.
  std::optional<std::vector<PluginStatus>> plugins;
};

// The training thread is alive and has nothing to report.
struct Heartbeat {
  int64_t batch = 0;
  double loss = -1;
  WallTime time;
};

struct Refusal {
  std::string request_id;
  absl::Status error;
};

// Takes what the loop emits. Called on the training thread, which waits for the return: implementations must not block.
class ReportSink {
 public:
  virtual ~ReportSink() = default;

  virtual void OnReport(Report report) = 0;
  virtual void OnHeartbeat(const Heartbeat& heartbeat) = 0;
  // A control was not applied and the run is as it was.
  virtual void OnRefusal(Refusal refusal) = 0;

  // So many reports wait that may not be left out that nothing which leads to more of them is to be begun.
  virtual bool Congested() const { return false; }
  // While held, reports are kept together: the service records all of them or none.
  virtual void Hold(bool) {}
  // How many reports of checkpoints that were written well have been recorded by the service since the beginning of
  // this process.
  virtual int64_t CheckpointsRecorded() const { return 0; }
  // The same with those besides whose reports, and all before, are kept in the run's directory for a service that
  // comes.
  virtual int64_t CheckpointsAnnounced() const { return CheckpointsRecorded(); }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_REPORT_H_
