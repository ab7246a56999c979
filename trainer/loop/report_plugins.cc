#include "trainer/loop/report_plugins.h"

#include <cmath>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {
namespace {

// A loss that a watcher waits for: where the run comes to rest.
bool IsLast(const RunState& run) { return run.batch == run.target.batch() || !std::isfinite(run.loss); }

class LossPlugin final : public Stateless<BuiltInPlugin> {
 public:
  LossPlugin(const RunState& run, Reporter& reporter) : run_(run), reporter_(reporter) {}

  int64_t NextDueBatch(int64_t batch) const override {
    if (HasLoss() && (IsLast(run_) || reporter_.policy().LossDueAt(run_.knobs, batch))) return batch;
    return ReportPolicy::NextLossBatch(run_.knobs, batch);
  }
  std::optional<TimePoint> NextDueMoment() const override {
    if (!HasLoss()) return std::nullopt;
    return reporter_.policy().LossTime(run_.knobs, run_.loss);
  }
  absl::Status Run(PluginContext&) override {
    reporter_.LossOnce();
    return absl::OkStatus();
  }

 private:
  // There is one that was not reported.
  bool HasLoss() const {
    return reporter_.status() == RunStatus::kTraining && run_.batch > 0 && !reporter_.policy().LossReported(run_.batch);
  }

  const RunState& run_;
  Reporter& reporter_;
};

class StatePlugin final : public Stateless<BuiltInPlugin> {
 public:
  StatePlugin(const RunState& run, Reporter& reporter) : run_(run), reporter_(reporter) {}

  int64_t NextDueBatch(int64_t batch) const override {
    if (reporter_.policy().StateDue(run_.knobs, batch)) return batch;
    return ReportPolicy::NextStateBatch(run_.knobs, batch);
  }
  std::optional<TimePoint> NextDueMoment() const override { return std::nullopt; }
  absl::Status Run(PluginContext& context) override {
    reporter_.State(context.run().Parameters(), /*asked=*/false);
    return absl::OkStatus();
  }

 private:
  const RunState& run_;
  Reporter& reporter_;
};

class HeartbeatPlugin final : public Stateless<BuiltInPlugin> {
 public:
  explicit HeartbeatPlugin(Reporter& reporter) : reporter_(reporter) {}

  int64_t NextDueBatch(int64_t) const override { return kNever; }
  std::optional<TimePoint> NextDueMoment() const override { return reporter_.policy().HeartbeatTime(); }
  absl::Status Run(PluginContext&) override {
    reporter_.SignOfLife();
    return absl::OkStatus();
  }

 private:
  Reporter& reporter_;
};

PluginSpec Spec(const char* name, PluginPoint point, int priority) {
  PluginSpec spec;
  spec.name = name;
  spec.kind = name;
  spec.point = point;
  spec.priority = priority;
  spec.required = false;
  spec.timeline = Timeline::kBatches;
  spec.allowance = kUsualAllowance;
  spec.max_failures = kUsualMaxFailures;
  return spec;
}

}  // namespace

void AddReportPlugins(const RunState& run, Reporter& reporter, PluginHost& host) {
  host.AddBuiltIn(Spec("report-loss", PluginPoint::kAfterBatch, -kMaxPriority),
                  std::make_unique<LossPlugin>(run, reporter));
  // After the controls of a boundary, so that whoever asks for states gets this one.
  host.AddBuiltIn(Spec("report-state", PluginPoint::kBeforeBatch, kMaxPriority),
                  std::make_unique<StatePlugin>(run, reporter));
  // Last: whatever else was said makes it unnecessary.
  host.AddBuiltIn(Spec("heartbeat", PluginPoint::kBeforeBatch, kMaxPriority),
                  std::make_unique<HeartbeatPlugin>(reporter));
}

}  // namespace pilothouse::trainer
