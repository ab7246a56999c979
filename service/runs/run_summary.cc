#include "service/runs/run_summary.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

constexpr char kEta[] = "eta";

void SetKnobs(const google::protobuf::RepeatedPtrField<v1::Knob>& knobs, v1::Run& run) {
  *run.mutable_knobs() = knobs;
  for (const v1::Knob& knob : knobs) {
    if (knob.name() != kEta) continue;
    run.set_eta(knob.value());
    run.set_eta_follows_schedule(knob.follows_schedule());
  }
}

// Where eta follows a schedule, nothing else tells of it for long.
void SetEta(double eta, v1::Run& run) {
  run.set_eta(eta);
  for (v1::Knob& knob : *run.mutable_knobs()) {
    if (knob.name() == kEta) knob.set_value(eta);
  }
}

void ApplyStatus(const v1::Event& event, v1::Run& run) {
  const v1::StatusReport& report = event.status();
  run.set_status(report.status());
  run.set_idle_reason(report.idle_reason());
  run.set_status_message(report.message());
  run.set_target(report.target());
  run.set_loss(report.loss());
  if (IsTerminal(report.status())) *run.mutable_end_time() = event.time();
}

// The event's batch is where the run was before it was taken back.
void ApplyRewind(const v1::Event& event, v1::Run& run) {
  const auto batch = static_cast<int64_t>(event.control().value());
  v1::Branch& branch = *run.add_branches();
  branch.set_name(event.control().branch());
  branch.set_from_batch(batch);
  branch.set_through_batch(static_cast<int64_t>(event.control().previous_value()));
  *branch.mutable_time() = event.time();
  run.set_batch(batch);
  run.set_target(batch);
}

void ApplyControl(const v1::Event& event, v1::Run& run) {
  const v1::Change& change = event.control().change();
  if (change.has_target()) run.set_target(static_cast<int64_t>(event.control().value()));
  if (change.has_rewind()) ApplyRewind(event, run);
}

}  // namespace

bool IsTerminal(v1::RunStatus status) {
  return status == v1::RUN_STATUS_STOPPED || status == v1::RUN_STATUS_COMPLETED || status == v1::RUN_STATUS_FAILED;
}

std::string StatusName(v1::RunStatus status) {
  return std::string(absl::StripPrefix(v1::RunStatus_Name(status), "RUN_STATUS_"));
}

void ApplyEvent(const v1::Event& event, v1::Run& run) {
  run.set_last_sequence(event.sequence());
  // A checkpoint is written beside training and may be told of late, when the run was taken back already.
  const bool moves =
      !event.has_checkpoint() || (event.checkpoint().line() == run.branches_size() && event.batch() > run.batch());
  if (moves) run.set_batch(event.batch());
  switch (event.kind_case()) {
    case v1::Event::kLoss:
      run.set_loss(event.loss().value());
      if (event.loss().has_eta()) SetEta(event.loss().eta(), run);
      break;
    case v1::Event::kStatus:
      ApplyStatus(event, run);
      break;
    case v1::Event::kControl:
      ApplyControl(event, run);
      break;
    case v1::Event::kCheckpoint:
      if (event.checkpoint().error().empty()) {
        run.set_checkpoint_batch(event.checkpoint().batch());
        *run.mutable_checkpoint_time() = event.time();
      }
      break;
    case v1::Event::kState:
    case v1::Event::kPlugin:
    case v1::Event::KIND_NOT_SET:
      break;
  }
}

void ApplyReportContext(const v1::Report& report, v1::Run& run) {
  if (report.knobs_size() > 0) SetKnobs(report.knobs(), run);
  if (report.event().has_control()) run.set_resume_target(report.resume_target());
  if (report.has_plugins()) *run.mutable_plugins() = report.plugins();
}

void ApplyAnswer(const v1::StateAnswer& answer, v1::Run& run) {
  run.set_batch(answer.batch());
  run.set_target(answer.target());
  run.set_resume_target(answer.resume_target());
  run.set_loss(answer.loss());
  run.set_status(answer.status());
  run.set_idle_reason(answer.idle_reason());
  SetKnobs(answer.knobs(), run);
  *run.mutable_plugins() = answer.plugins();
}

absl::Status RunEnded(const v1::Run& run, absl::string_view instead) {
  const std::string status = StatusName(run.status());
  return MakeError(v1::ERROR_REASON_RUN_ENDED, "run_id",
                   absl::StrCat("The run ", run.run_id(), " has ended (", status, " at batch ", run.batch(),
                                ") and takes no more controls.", instead.empty() ? "" : " ", instead),
                   {{"run_id", run.run_id()}, {"status", status}});
}

absl::Status RunEnded(const v1::Run& run, const v1::Change& change) {
  if (!change.has_rewind()) return RunEnded(run);
  const int64_t batch = change.rewind().batch();
  return RunEnded(run, absl::StrCat("To go on from batch ", batch,
                                    " of it, make a new run there: Fork with that batch (`pilot fork ", run.run_id(),
                                    " --at ", batch, "`, in Python run.fork(at=", batch, "))."));
}

void DropLargeValues(v1::RunSpec& spec) {
  if (spec.network().has_initial_state()) spec.mutable_network()->mutable_initial_state()->clear_data();
}

}  // namespace pilothouse::service
