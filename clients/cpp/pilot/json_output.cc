#include "clients/cpp/pilot/json_output.h"

#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_values.h"
#include "clients/cpp/pilot/plugin_json.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

std::string IdleReasonWord(v1::IdleReason reason) {
  return reason == v1::IDLE_REASON_UNSPECIFIED
             ? ""
             : std::string(absl::StripPrefix(v1::IdleReason_Name(reason), "IDLE_REASON_"));
}

Json OfKnob(const v1::Knob& knob) {
  return {{"name", knob.name()},
          {"value", JsonNumber(knob.value())},
          {"minimum", JsonNumber(knob.minimum())},
          {"maximum", JsonNumber(knob.maximum())},
          {"integer", knob.integer()},
          {"description", knob.description()}};
}

Json OfFacts(const v1::RunFacts& facts) {
  Json layers = Json::array();
  for (const v1::LayerSummary& layer : facts.layers()) {
    layers.push_back(
        {{"description", layer.description()}, {"outputs", layer.outputs()}, {"parameters", layer.parameters()}});
  }
  return {{"examples", facts.examples()},     {"validation_examples", facts.validation_examples()},
          {"inputs", facts.inputs()},         {"outputs", facts.outputs()},
          {"parameters", facts.parameters()}, {"batches_per_epoch", facts.batches_per_epoch()},
          {"layers", std::move(layers)}};
}

Json OfRun(const v1::Run& run) {
  Json knobs = Json::array();
  for (const v1::Knob& knob : run.knobs()) knobs.push_back(OfKnob(knob));
  Json json = {{"run_id", run.run_id()},
               {"status", StatusWord(run.status())},
               {"idle_reason", IdleReasonWord(run.idle_reason())},
               {"status_message", run.status_message()},
               {"batch", run.batch()},
               {"target", run.target()},
               {"resume_target", run.resume_target()},
               {"loss", JsonNumber(run.loss())},
               {"eta", JsonNumber(run.eta())},
               {"knobs", std::move(knobs)},
               {"last_sequence", run.last_sequence()},
               {"create_time", JsonTime(run.create_time())},
               {"end_time", run.has_end_time() ? JsonTime(run.end_time()) : Json()},
               {"directory", run.directory()}};
  json["facts"] = run.has_facts() ? OfFacts(run.facts()) : Json();
  return json;
}

Json OfReceipt(const std::string& run_id, const v1::Receipt& receipt) {
  return {{"run_id", run_id},
          {"control_id", receipt.control_id()},
          {"request_id", receipt.request_id()},
          {"applied_batch", receipt.applied_batch()},
          {"value", JsonNumber(receipt.value())},
          {"plugin", receipt.plugin().empty() ? Json() : Json(receipt.plugin())},
          {"applied_time", JsonTime(receipt.applied_time())}};
}

std::string ControlWord(const v1::Change& change) {
  switch (change.kind_case()) {
    case v1::Change::kKnob:
      return "knob";
    case v1::Change::kStop:
      return "stop";
    case v1::Change::kAttachPlugin:
      return "attach_plugin";
    case v1::Change::kDetachPlugin:
      return "detach_plugin";
    case v1::Change::kReschedulePlugin:
      return "reschedule_plugin";
    case v1::Change::kParameters:
      return "parameters";
    default:
      return "target";
  }
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
  AddPluginChange(change, json);
}

Json OfEvent(const v1::Event& event) {
  Json json = {
      {"type", "unknown"}, {"sequence", event.sequence()}, {"batch", event.batch()}, {"time", JsonTime(event.time())}};
  if (event.has_loss()) {
    json["type"] = "loss";
    json["value"] = JsonNumber(event.loss().value());
    json["at_target"] = event.loss().at_target();
  } else if (event.has_status()) {
    json["type"] = "status";
    json["status"] = StatusWord(event.status().status());
    json["idle_reason"] = IdleReasonWord(event.status().idle_reason());
    json["message"] = event.status().message();
    json["target"] = event.status().target();
    json["loss"] = JsonNumber(event.status().loss());
  } else if (event.has_control()) {
    json["type"] = "control";
    AddControl(event.control(), json);
  } else if (event.has_state()) {
    json["type"] = "state";
    json["state"] = JsonNumbers(ToDoubles(event.state().state()));
    json["eta"] = JsonNumber(event.state().eta());
    json["loss"] = JsonNumber(event.state().loss());
    json["asked"] = event.state().asked();
  } else if (event.has_plugin()) {
    json["type"] = "plugin";
    AddReport(event.plugin(), json);
  }
  return json;
}

Json OfHeartbeat(const v1::Heartbeat& heartbeat) {
  return {{"type", "heartbeat"},
          {"status", StatusWord(heartbeat.status())},
          {"batch", heartbeat.batch()},
          {"loss", JsonNumber(heartbeat.loss())},
          {"time", JsonTime(heartbeat.time())},
          {"training_thread_seen_time",
           heartbeat.has_training_thread_seen_time() ? JsonTime(heartbeat.training_thread_seen_time()) : Json()}};
}

}  // namespace

std::string RunJson(const v1::Run& run) { return Dump(OfRun(run)); }

std::string RunsJson(const std::vector<v1::Run>& runs) {
  Json list = Json::array();
  for (const v1::Run& run : runs) list.push_back(OfRun(run));
  return Dump({{"runs", std::move(list)}});
}

std::string StateJson(const v1::GetStateResponse& response) {
  Json json;
  json["run"] = OfRun(response.run());
  json["run"]["plugins"] = Json::array();
  for (const v1::PluginStatus& plugin : response.run().plugins()) {
    json["run"]["plugins"].push_back(PluginAsJson(plugin));
  }
  json["state"] = response.has_state() ? JsonNumbers(ToDoubles(response.state())) : Json();
  return Dump(json);
}

std::string ReceiptJson(const std::string& run_id, const v1::Receipt& receipt) {
  return Dump(OfReceipt(run_id, receipt));
}

std::string StopJson(const std::string& run_id, const v1::StopResponse& response) {
  Json json = OfReceipt(run_id, response.receipt());
  json["final_batch"] = response.final_batch();
  json["final_loss"] = JsonNumber(response.final_loss());
  return Dump(json);
}

std::string ErrorJson(const absl::Status& status, int exit_code) {
  Json json;
  json["message"] = std::string(status.message());
  json["reason"] = Json();
  json["field"] = Json();
  json["metadata"] = Json::object();
  if (ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED) {
    const v1::Error error = ToError(status);
    json["reason"] = ReasonName(error.reason());
    if (!error.field().empty()) json["field"] = error.field();
    for (const auto& [key, value] : error.metadata()) json["metadata"][key] = value;
  }
  json["exit_code"] = exit_code;
  return Dump({{"error", std::move(json)}});
}

std::string WatchLines(const WatchItem& item) {
  if (!item.connection.ok()) {
    return absl::StrCat(Dump({{"type", "connection"},
                              {"lost", true},
                              {"message", std::string(item.connection.message())},
                              {"retry_in_seconds", absl::ToDoubleSeconds(item.retry_in)}}),
                        "\n");
  }
  const v1::WatchTrainingResponse& message = item.message;
  std::string lines;
  const auto add = [&lines](const Json& json) { absl::StrAppend(&lines, Dump(json), "\n"); };
  if (message.has_snapshot()) add({{"type", "snapshot"}, {"run", OfRun(message.snapshot())}});
  for (const v1::Gap& gap : message.gaps()) add({{"type", "gap"}, {"first", gap.first()}, {"last", gap.last()}});
  for (const v1::Event& event : message.events()) add(OfEvent(event));
  if (message.has_heartbeat()) add(OfHeartbeat(message.heartbeat()));
  return lines;
}

std::string PredictionJson(const Prediction& prediction) {
  Json rows = Json::array();
  for (size_t at = 0; prediction.width > 0 && at < prediction.outputs.size(); at += prediction.width) {
    const auto begin = prediction.outputs.begin() + static_cast<std::ptrdiff_t>(at);
    rows.push_back(JsonNumbers(std::vector<double>(begin, begin + prediction.width)));
  }
  Json json = {{"run_id", prediction.run_id},
               {"first_batch", prediction.first_batch},
               {"last_batch", prediction.last_batch},
               {"outputs", std::move(rows)}};
  json["classes"] = prediction.classes.empty() ? Json() : Json(prediction.classes);
  json["probabilities"] = prediction.classes.empty() ? Json() : JsonNumbers(prediction.probabilities);
  return Dump(json);
}

}  // namespace pilothouse::client
