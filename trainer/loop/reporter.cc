#include "trainer/loop/reporter.h"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace pilothouse::trainer {
namespace {

bool ChangesKnobs(const ControlReport& report) { return std::holds_alternative<KnobChange>(report.control.change); }

std::string DivergenceMessage(int64_t batch, double loss) {
  return absl::StrCat(
      "The loss became ", loss, " at batch ", batch, ", so that batch's update was not made. A lower eta ",
      "may help; a resume or a new target continues. If it diverges again at once, updates before it have ",
      "spoilt the parameters: rewind to a batch before these, or to the best.");
}

}  // namespace

RunStatus StatusFor(IdleReason reason) { return reason == IdleReason::kNone ? RunStatus::kTraining : RunStatus::kIdle; }

std::string JoinSentences(absl::string_view first, absl::string_view second) {
  return absl::StrCat(first, first.empty() || second.empty() ? "" : " ", second);
}

void Reporter::LossOnce() {
  if (run_.batch == 0 || policy_.LossReported(run_.batch)) return;
  Emit(LossReport{.value = run_.loss, .at_target = run_.batch == run_.target.batch(), .eta = run_.knobs.update.eta});
  // Not the boundary's time: what was reported so much later is stamped so much later, too, and a watcher that leaves
  // out what comes too soon would leave out the next.
  policy_.OnLoss(run_.batch, run_.loss, clock_.Now());
}

void Reporter::State(std::shared_ptr<const Model> model, bool asked) {
  Emit(StateReport{.model = std::move(model), .eta = run_.knobs.update.eta, .loss = run_.loss, .asked = asked});
  policy_.OnState(run_.batch);
}

StatusReport Reporter::Status(RunStatus status, IdleReason reason, std::string message,
                              std::optional<std::vector<PluginStatus>> plugins) {
  status_ = status;
  idle_reason_ = reason;
  StatusReport report{status, reason, std::move(message), run_.target.batch(), run_.loss};
  Emit(report, std::move(plugins));
  return report;
}

void Reporter::ChangedStatus(absl::string_view why) {
  const IdleReason reason = run_.target.IdleReasonAt(run_.batch);
  const RunStatus status = StatusFor(reason);
  if (status == status_ && reason == idle_reason_) return;
  // Where a run comes to rest, its loss is known.
  if (status == RunStatus::kIdle) LossOnce();
  const std::string message = reason == IdleReason::kDiverged ? DivergenceMessage(run_.batch, run_.loss) : "";
  Status(status, reason, JoinSentences(message, why));
}

void Reporter::Applied(ControlReport report, std::optional<std::vector<PluginStatus>> plugins) {
  if (controls_known_) return;
  ++controls_;
  Emit(std::move(report), std::move(plugins));
}

void Reporter::FromPlugin(const PluginSpec& plugin, std::variant<PluginOutput, PluginFailure> what) {
  Emit(PluginReport{plugin.name, plugin.kind, std::move(what)});
}

void Reporter::SignOfLife() {
  policy_.OnSign(run_.now);
  if (muted_) return;
  sink_.OnHeartbeat({run_.batch, run_.loss, clock_.Wall()});
}

void Reporter::SignOfProgress() {
  if (!progress_time_.has_value()) progress_time_ = run_.now;
  if (run_.now - *progress_time_ < kMaxSilence) return;
  progress_time_ = run_.now;
  sink_.OnHeartbeat({run_.batch, run_.loss, clock_.Wall()});
}

void Reporter::Refused(const Control& control, absl::Status error) {
  sink_.OnRefusal({control.request_id, std::move(error)});
}

void Reporter::Emit(decltype(Report::kind) kind, std::optional<std::vector<PluginStatus>> plugins) {
  policy_.OnSign(run_.now);
  if (muted_) return;
  std::optional<Knobs> changed_knobs;
  const auto* control = std::get_if<ControlReport>(&kind);
  // The first status of a run that has a past tells them, too.
  const bool is_first = std::holds_alternative<StatusReport>(kind) && plugins.has_value();
  if (is_first || (control != nullptr && ChangesKnobs(*control))) changed_knobs = run_.knobs;
  sink_.OnReport({.batch = run_.batch,
                  .time = clock_.Wall(),
                  .kind = std::move(kind),
                  .knobs = std::move(changed_knobs),
                  .resume_target = run_.target.resume_batch(),
                  .plugins = std::move(plugins)});
}

}  // namespace pilothouse::trainer
