#include "service/rpc/validate.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"
#include "proto/support/text.h"
#include "service/rpc/validate_plugin.h"
#include "service/runs/run_id.h"

namespace pilothouse::service {
namespace {

constexpr size_t kMaxKnobNameBytes = 64;
// Of a spec without initial_state, which has its own bound. Names of columns are what could be long.
constexpr size_t kMaxSpecBytes = 1 << 20;

absl::Status CheckRequestId(const std::string& request_id, absl::string_view field) {
  const bool printable =
      std::all_of(request_id.begin(), request_id.end(), [](char c) { return absl::ascii_isprint(c); });
  // These name the controls that services, trainers and plugins make themselves.
  const bool reserved = absl::StartsWith(request_id, "service-") || absl::StartsWith(request_id, "trainer-") ||
                        absl::StartsWith(request_id, "plugin-");
  if (printable && !reserved && request_id.size() <= kMaxRequestIdBytes) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_REQUEST_ID_INVALID, field,
      absl::StrCat(
          "A request_id has at most ", kMaxRequestIdBytes,
          " printable ASCII characters, and begins neither with \"service-\" nor with \"trainer-\" or \"plugin-\"."));
}

absl::Status CheckText(const std::string& text, size_t limit, absl::string_view field) {
  const bool clean = std::none_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(c); });
  if (clean && text.size() <= limit) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field,
                   absl::StrCat(field, " has at most ", limit, " bytes and no control characters."));
}

absl::Status TargetInvalid(absl::string_view field, int64_t value, absl::string_view least) {
  return MakeError(v1::ERROR_REASON_TARGET_INVALID, field,
                   absl::StrCat("The target must be a whole number from ", least, " to 2^53; got ", value, "."),
                   {{"value", absl::StrCat(value)}});
}

absl::Status CheckOptions(const v1::ControlOptions& options) {
  if (absl::Status id = CheckRequestId(options.request_id(), "options.request_id"); !id.ok()) return id;
  if (absl::Status origin = CheckText(options.origin(), kMaxOriginBytes, "options.origin"); !origin.ok()) return origin;
  if (absl::Status note = CheckText(options.note(), kMaxNoteBytes, "options.note"); !note.ok()) return note;
  if (options.has_at_batch() && (options.at_batch() < 0 || options.at_batch() > kMaxTarget)) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "options.at_batch",
                     absl::StrCat("at_batch must lie between 0 and 2^53; got ", options.at_batch(), "."));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Control> WithOptions(v1::Change change, const v1::ControlOptions& options) {
  if (absl::Status valid = CheckOptions(options); !valid.ok()) return valid;
  v1::Control control;
  *control.mutable_change() = std::move(change);
  control.set_request_id(options.request_id());
  if (options.has_at_batch()) control.set_at_batch(options.at_batch());
  control.set_origin(options.origin());
  control.set_note(options.note());
  return control;
}

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
  if (!std::isfinite(request.eta()) || request.eta() <= 0) {
    return MakeError(v1::ERROR_REASON_ETA_INVALID, "eta",
                     absl::StrCat("eta must be finite and above 0; got ", request.eta(), "."),
                     {{"value", absl::StrCat(request.eta())}});
  }
  v1::Change change;
  change.mutable_knob()->set_name("eta");
  change.mutable_knob()->set_value(request.eta());
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::SetKnobRequest& request) {
  if (request.name().empty() || request.name().size() > kMaxKnobNameBytes) {
    return MakeError(v1::ERROR_REASON_KNOB_UNKNOWN, "name", "Name the knob to set; the run's state lists its knobs.",
                     {{"name", Shortened(request.name(), kMaxKnobNameBytes)}});
  }
  if (!std::isfinite(request.value())) {
    return MakeError(v1::ERROR_REASON_KNOB_OUT_OF_RANGE, "value",
                     absl::StrCat("The value of ", request.name(), " must be finite; got ", request.value(), "."),
                     {{"name", request.name()}, {"value", absl::StrCat(request.value())}});
  }
  v1::Change change;
  change.mutable_knob()->set_name(request.name());
  change.mutable_knob()->set_value(request.value());
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
  return CheckPlugins(request.spec().plugins(), "spec.plugins");
}

absl::Status CheckPredict(const v1::PredictRequest& request) {
  if (static_cast<int64_t>(request.inputs().data().size()) > kMaxPredictBytes) {
    return MakeError(
        v1::ERROR_REASON_REQUEST_TOO_LARGE, "inputs",
        absl::StrCat("A Predict takes at most ", kMaxPredictBytes, " bytes of inputs; send the rows in parts."),
        {{"limit_bytes", absl::StrCat(kMaxPredictBytes)}});
  }
  return CheckTensor(request.inputs(), "inputs");
}

}  // namespace pilothouse::service
