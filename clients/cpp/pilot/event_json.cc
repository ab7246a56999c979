#include "clients/cpp/pilot/event_json.h"

#include "absl/strings/strip.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/lineage_json.h"
#include "clients/cpp/pilot/plugin_json.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

// The name of the change's field: "knob", "attach_plugin".
std::string ControlWord(const v1::Change& change) {
  const google::protobuf::FieldDescriptor* const field =
      v1::Change::descriptor()->FindFieldByNumber(change.kind_case());
  return field == nullptr ? "unknown" : std::string(field->name());
}

void AddControl(const v1::ControlReport& control, Json& json) {
  const v1::Change& change = control.change();
  json["control"] = ControlWord(change);
  json["name"] = change.has_knob()          ? Json(change.knob().name())
                 : control.plugin().empty() ? Json()
                                            : Json(control.plugin());
  json["value"] = JsonNumber(control.value());
  json["previous_value"] = JsonNumber(control.previous_value());
  json["origin"] = control.origin();
  json["note"] = control.note();
  json["request_id"] = control.request_id();
  json["at_batch"] = control.has_at_batch() ? Json(control.at_batch()) : Json();
  if (change.has_knob()) json["follow_schedule"] = change.knob().follow_schedule();
  if (change.has_checkpoint()) json["pin"] = change.checkpoint().pin();
  if (change.has_rewind()) json["branch"] = control.branch();
  AddPluginChange(change, json);
}

}  // namespace

Json EventAsJson(const v1::Event& event) {
  Json json = {
      {"type", "unknown"}, {"sequence", event.sequence()}, {"batch", event.batch()}, {"time", JsonTime(event.time())}};
  if (event.has_loss()) {
    json["type"] = "loss";
    json["value"] = JsonNumber(event.loss().value());
    json["at_target"] = event.loss().at_target();
    json["eta"] = event.loss().has_eta() ? JsonNumber(event.loss().eta()) : Json();
  } else if (event.has_status()) {
    json["type"] = "status";
    json["status"] = StatusWord(event.status().status());
    json["idle_reason"] = IdleReasonWord(event.status().idle_reason());
    json["message"] = event.status().message();
    json["target"] = event.status().target();
    json["loss"] = JsonLoss(event.status().loss());
  } else if (event.has_control()) {
    json["type"] = "control";
    AddControl(event.control(), json);
  } else if (event.has_state()) {
    json["type"] = "state";
    json["state"] = JsonNumbers(ToDoubles(event.state().state()));
    json["eta"] = JsonNumber(event.state().eta());
    json["loss"] = JsonLoss(event.state().loss());
    json["asked"] = event.state().asked();
  } else if (event.has_plugin()) {
    json["type"] = "plugin";
    AddReport(event.plugin(), json);
  } else if (event.has_checkpoint()) {
    json["type"] = "checkpoint";
    AddCheckpointReport(event.checkpoint(), json);
  }
  return json;
}

std::string IdleReasonWord(v1::IdleReason reason) {
  return reason == v1::IDLE_REASON_UNSPECIFIED
             ? ""
             : std::string(absl::StripPrefix(v1::IdleReason_Name(reason), "IDLE_REASON_"));
}

}  // namespace pilothouse::client
