#include "service/rpc/validate.h"

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"
#include "service/rpc/validate_parts.h"
#include "service/rpc/validate_plugin.h"
#include "service/runs/run_id.h"

namespace pilothouse::service {
namespace {

// As long as file systems let a name be.
constexpr size_t kMaxSavedFileNameBytes = 255;

absl::Status CheckTarget(const v1::TargetChange& target) {
  switch (target.goal_case()) {
    case v1::TargetChange::kBatch:
      if (target.batch() < 0 || target.batch() > kMaxTarget) return TargetInvalid("target.batch", target.batch(), "0");
      return absl::OkStatus();
    case v1::TargetChange::kMore:
      if (target.more() < 1 || target.more() > kMaxTarget) return TargetInvalid("target.more", target.more(), "1");
      return absl::OkStatus();
    case v1::TargetChange::kPause:
    case v1::TargetChange::kResume:
      return absl::OkStatus();
    case v1::TargetChange::GOAL_NOT_SET:
      break;
  }
  return MakeError(v1::ERROR_REASON_TARGET_INVALID, "target",
                   "Say how far to train: a batch, how many more, pause or resume.");
}

}  // namespace

absl::StatusOr<v1::Control> ToControl(const v1::SetEtaRequest& request) {
  const bool valid = request.follow_schedule() ? request.eta() == 0 : std::isfinite(request.eta()) && request.eta() > 0;
  if (!valid) {
    return MakeError(
        v1::ERROR_REASON_ETA_INVALID, "eta",
        absl::StrCat("eta must be finite and above 0, or left out where it is to follow its schedule; got ",
                     request.eta(), "."),
        {{"value", absl::StrCat(request.eta())}});
  }
  v1::Change change;
  change.mutable_knob()->set_name("eta");
  change.mutable_knob()->set_value(request.eta());
  change.mutable_knob()->set_follow_schedule(request.follow_schedule());
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::SetKnobRequest& request) {
  v1::Change change;
  change.mutable_knob()->set_name(request.name());
  change.mutable_knob()->set_value(request.value());
  if (absl::Status knob = CheckKnob(change.knob(), ""); !knob.ok()) return knob;
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::BatchToRequest& request) {
  if (absl::Status valid = CheckTarget(request.target()); !valid.ok()) return valid;
  v1::Change change;
  *change.mutable_target() = request.target();
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::StopRequest& request) {
  v1::Change change;
  change.mutable_stop();
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::AttachPluginRequest& request) {
  if (absl::Status valid = CheckPlugin(request.plugin(), "plugin"); !valid.ok()) return valid;
  v1::Change change;
  *change.mutable_attach_plugin()->mutable_plugin() = request.plugin();
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::DetachPluginRequest& request) {
  if (absl::Status name = CheckPluginName(request.name(), "name"); !name.ok()) return name;
  v1::Change change;
  change.mutable_detach_plugin()->set_name(request.name());
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::ReschedulePluginRequest& request) {
  if (absl::Status name = CheckPluginName(request.name(), "name"); !name.ok()) return name;
  if (request.schedule().empty()) {
    return MakeError(v1::ERROR_REASON_SCHEDULE_INVALID, "schedule",
                     "Give the plugin's new schedule: \"each(100)\", say.", {{"schedule", ""}});
  }
  if (absl::Status schedule = CheckSchedule(request.schedule(), request.timeline()); !schedule.ok()) return schedule;
  v1::Change change;
  v1::ReschedulePluginChange& reschedule = *change.mutable_reschedule_plugin();
  reschedule.set_name(request.name());
  reschedule.set_schedule(request.schedule());
  reschedule.set_timeline(request.timeline());
  return WithOptions(std::move(change), request.options());
}

absl::Status CheckStartRun(const v1::StartRunRequest& request) {
  if (!request.run_id().empty()) {
    if (absl::Status id = CheckRunId(request.run_id()); !id.ok()) return id;
  }
  if (absl::Status id = CheckRequestId(request.request_id(), "request_id"); !id.ok()) return id;
  if (request.has_target() && (request.target() < 0 || request.target() > kMaxTarget)) {
    return TargetInvalid("target", request.target(), "0");
  }
  const v1::Tensor& state = request.spec().network().initial_state();
  if (request.spec().network().has_initial_state()) {
    if (absl::Status valid = CheckTensor(state, "spec.network.initial_state"); !valid.ok()) return valid;
    if (ElementCount(state) > kMaxStateParameters) {
      return MakeError(
          v1::ERROR_REASON_STATE_TOO_LARGE, "spec.network.initial_state",
          absl::StrCat("An initial state has at most ", kMaxStateParameters, " parameters."),
          {{"parameters", absl::StrCat(ElementCount(state))}, {"limit", absl::StrCat(kMaxStateParameters)}});
    }
  }
  if (request.spec().ByteSizeLong() - state.ByteSizeLong() > kMaxSpecBytes) {
    return MakeError(v1::ERROR_REASON_REQUEST_TOO_LARGE, "spec",
                     absl::StrCat("The description of a run has at most ", kMaxSpecBytes, " bytes."),
                     {{"limit_bytes", absl::StrCat(kMaxSpecBytes)}});
  }
  if (request.spec().has_parent()) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "spec.parent",
                     "A run that is started anew has no parent; use Fork to begin where another run was.");
  }
  if (absl::Status valid = CheckCheckpoints(request.spec().checkpoints(), "spec.checkpoints"); !valid.ok())
    return valid;
  return CheckPlugins(request.spec().plugins(), "spec.plugins");
}

absl::Status CheckPredict(const v1::PredictRequest& request) {
  if (static_cast<int64_t>(request.inputs().data().size()) > kMaxPredictBytes) {
    return MakeError(
        v1::ERROR_REASON_REQUEST_TOO_LARGE, "inputs",
        absl::StrCat("A Predict takes at most ", kMaxPredictBytes, " bytes of inputs; send the rows in parts."),
        {{"limit_bytes", absl::StrCat(kMaxPredictBytes)}});
  }
  if (absl::Status choice = CheckModelChoice(request.model()); !choice.ok()) return choice;
  return CheckTensor(request.inputs(), "inputs");
}

absl::Status CheckModelChoice(const v1::ModelChoice& choice) {
  if (!v1::Model_IsValid(choice.model())) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "model",
                     "The service knows no such model; it knows the last and the best.");
  }
  const std::string& file = choice.saved_file();
  if (file.empty()) return absl::OkStatus();
  const bool plain = file.size() <= kMaxSavedFileNameBytes && file[0] != '.' && file.find('/') == std::string::npos &&
                     file.find('\0') == std::string::npos;
  if (plain) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "model.saved_file",
                   absl::StrCat("A saved file is named as it is called in the run's folder saved, in at most ",
                                kMaxSavedFileNameBytes, " bytes, without a folder."));
}

absl::Status CheckEvaluate(const v1::EvaluateRequest& request) {
  if (!v1::DataPart_IsValid(request.part())) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "part",
                     "The service knows no such part of the data; it knows test and validation.");
  }
  return CheckModelChoice(request.model());
}

}  // namespace pilothouse::service
