#include "clients/cpp/pilot/json_output.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/answer_json.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/event_json.h"
#include "clients/cpp/pilot/json_values.h"
#include "clients/cpp/pilot/plugin_json.h"
#include "clients/cpp/pilot/run_json.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

Json OfHeartbeat(const v1::Heartbeat& heartbeat) {
  return {{"type", "heartbeat"},
          {"status", StatusWord(heartbeat.status())},
          {"batch", heartbeat.batch()},
          {"loss", JsonLoss(heartbeat.loss())},
          {"time", JsonTime(heartbeat.time())},
          {"training_thread_seen_time",
           heartbeat.has_training_thread_seen_time() ? JsonTime(heartbeat.training_thread_seen_time()) : Json()}};
}

}  // namespace

std::string RunJson(const v1::Run& run) { return Dump(RunAsJson(run)); }

std::string RunsJson(const std::vector<v1::Run>& runs) {
  Json list = Json::array();
  for (const v1::Run& run : runs) list.push_back(RunAsJson(run));
  return Dump({{"runs", std::move(list)}});
}

std::string StateJson(const v1::GetStateResponse& response) {
  Json json;
  json["run"] = RunAsJson(response.run());
  json["run"]["plugins"] = Json::array();
  for (const v1::PluginStatus& plugin : response.run().plugins()) {
    json["run"]["plugins"].push_back(PluginAsJson(plugin));
  }
  json["model"] = response.has_model() ? ModelAsJson(response.model()) : Json();
  json["state"] = response.has_state() ? JsonNumbers(ToDoubles(response.state())) : Json();
  return Dump(json);
}

std::string ReceiptJson(const std::string& run_id, const v1::Receipt& receipt) {
  return Dump(ReceiptAsJson(run_id, receipt));
}

std::string StopJson(const std::string& run_id, const v1::StopResponse& response) {
  Json json = ReceiptAsJson(run_id, response.receipt());
  json["final_batch"] = response.final_batch();
  json["final_loss"] = JsonLoss(response.final_loss());
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
  if (message.has_snapshot()) add({{"type", "snapshot"}, {"run", RunAsJson(message.snapshot())}});
  for (const v1::Gap& gap : message.gaps()) add({{"type", "gap"}, {"first", gap.first()}, {"last", gap.last()}});
  for (const v1::Event& event : message.events()) add(EventAsJson(event));
  if (message.has_heartbeat()) add(OfHeartbeat(message.heartbeat()));
  return lines;
}

std::string HistoryLines(const v1::ReadHistoryResponse& page) {
  std::string lines;
  for (const v1::Gap& damage : page.damaged()) {
    absl::StrAppend(&lines, Dump({{"type", "damaged"}, {"first", damage.first()}, {"last", damage.last()}}), "\n");
  }
  for (const v1::Event& event : page.events()) absl::StrAppend(&lines, Dump(EventAsJson(event)), "\n");
  return lines;
}

std::string ExportJson(const std::string& run_id, const std::string& file, int64_t events) {
  return Dump({{"run_id", run_id}, {"file", file}, {"events", events}});
}

std::string PredictionJson(const Prediction& prediction) {
  Json rows = Json::array();
  for (size_t at = 0; prediction.width > 0 && at < prediction.outputs.size(); at += prediction.width) {
    const auto begin = prediction.outputs.begin() + static_cast<std::ptrdiff_t>(at);
    rows.push_back(JsonNumbers(std::vector<double>(begin, begin + prediction.width)));
  }
  Json json = {{"run_id", prediction.run_id},
               {"model", ModelAsJson(prediction.model)},
               {"first_batch", prediction.first_batch},
               {"last_batch", prediction.last_batch},
               {"outputs", std::move(rows)}};
  json["classes"] = prediction.classes.empty() ? Json() : Json(prediction.classes);
  json["probabilities"] = prediction.classes.empty() ? Json() : JsonNumbers(prediction.probabilities);
  return Dump(json);
}

}  // namespace pilothouse::client
