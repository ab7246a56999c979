#include "clients/cpp/pilot/json_output.h"

#include <google/protobuf/util/time_util.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/text.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) {
  if (std::isfinite(value)) return value;
  return FormatNumber(value);
}

Json Numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(Number(value));
  return list;
}

Json Time(const google::protobuf::Timestamp& time) { return google::protobuf::util::TimeUtil::ToString(time); }

// Text from elsewhere may not be UTF-8, which nlohmann would refuse with an exception.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string IdleReasonWord(v1::IdleReason reason) {
  return reason == v1::IDLE_REASON_UNSPECIFIED
             ? ""
             : std::string(absl::StripPrefix(v1::IdleReason_Name(reason), "IDLE_REASON_"));
}

Json OfKnob(const v1::Knob& knob) {
  return {{"name", knob.name()},
          {"value", Number(knob.value())},
          {"minimum", Number(knob.minimum())},
          {"maximum", Number(knob.maximum())},
          {"integer", knob.integer()},
          {"description", knob.description()}};
}

Json OfFacts(const v1::RunFacts& facts) {
  Json layers = Json::array();
  for (const v1::LayerSummary& layer : facts.layers()) {
    layers.push_back(
        {{"description", layer.description()}, {"outputs", layer.outputs()}, {"parameters", layer.parameters()}});
  }
  return {{"examples", facts.examples()},
          {"inputs", facts.inputs()},
          {"outputs", facts.outputs()},
          {"parameters", facts.parameters()},
          {"batches_per_epoch", facts.batches_per_epoch()},
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
               {"loss", Number(run.loss())},
               {"eta", Number(run.eta())},
               {"knobs", std::move(knobs)},
               {"last_sequence", run.last_sequence()},
               {"create_time", Time(run.create_time())},
               {"end_time", run.has_end_time() ? Time(run.end_time()) : Json()},
               {"directory", run.directory()}};
  json["facts"] = run.has_facts() ? OfFacts(run.facts()) : Json();
  return json;
}

Json OfReceipt(const std::string& run_id, const v1::Receipt& receipt) {
  return {{"run_id", run_id},
          {"control_id", receipt.control_id()},
          {"request_id", receipt.request_id()},
          {"applied_batch", receipt.applied_batch()},
          {"value", Number(receipt.value())},
          {"applied_time", Time(receipt.applied_time())}};
}

void AddControl(const v1::ControlReport& control, Json& json) {
  const v1::Change& change = control.change();
  json["control"] = change.has_knob() ? "knob" : change.has_stop() ? "stop" : "target";
  json["name"] = change.has_knob() ? Json(change.knob().name()) : Json();
  json["value"] = Number(control.value());
  json["previous_value"] = Number(control.previous_value());
  json["origin"] = control.origin();
  json["note"] = control.note();
  json["request_id"] = control.request_id();
  json["at_batch"] = control.has_at_batch() ? Json(control.at_batch()) : Json();
}

Json OfEvent(const v1::Event& event) {
  Json json = {
      {"type", "unknown"}, {"sequence", event.sequence()}, {"batch", event.batch()}, {"time", Time(event.time())}};
  if (event.has_loss()) {
    json["type"] = "loss";
    json["value"] = Number(event.loss().value());
    json["at_target"] = event.loss().at_target();
  } else if (event.has_status()) {
    json["type"] = "status";
    json["status"] = StatusWord(event.status().status());
    json["idle_reason"] = IdleReasonWord(event.status().idle_reason());
    json["message"] = event.status().message();
    json["target"] = event.status().target();
    json["loss"] = Number(event.status().loss());
  } else if (event.has_control()) {
    json["type"] = "control";
    AddControl(event.control(), json);
  } else if (event.has_state()) {
    json["type"] = "state";
    json["state"] = Numbers(ToDoubles(event.state().state()));
    json["eta"] = Number(event.state().eta());
    json["loss"] = Number(event.state().loss());
    json["asked"] = event.state().asked();
  }
  return json;
}

Json OfHeartbeat(const v1::Heartbeat& heartbeat) {
  return {{"type", "heartbeat"},
          {"status", StatusWord(heartbeat.status())},
          {"batch", heartbeat.batch()},
          {"loss", Number(heartbeat.loss())},
          {"time", Time(heartbeat.time())},
          {"training_thread_seen_time",
           heartbeat.has_training_thread_seen_time() ? Time(heartbeat.training_thread_seen_time()) : Json()}};
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
  json["state"] = response.has_state() ? Numbers(ToDoubles(response.state())) : Json();
  return Dump(json);
}

std::string ReceiptJson(const std::string& run_id, const v1::Receipt& receipt) {
  return Dump(OfReceipt(run_id, receipt));
}

std::string StopJson(const std::string& run_id, const v1::StopResponse& response) {
  Json json = OfReceipt(run_id, response.receipt());
  json["final_batch"] = response.final_batch();
  json["final_loss"] = Number(response.final_loss());
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
    rows.push_back(Numbers(std::vector<double>(begin, begin + prediction.width)));
  }
  Json json = {{"run_id", prediction.run_id},
               {"first_batch", prediction.first_batch},
               {"last_batch", prediction.last_batch},
               {"outputs", std::move(rows)}};
  json["classes"] = prediction.classes.empty() ? Json() : Json(prediction.classes);
  json["probabilities"] = prediction.classes.empty() ? Json() : Numbers(prediction.probabilities);
  return Dump(json);
}

}  // namespace pilothouse::client
