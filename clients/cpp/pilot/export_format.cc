#include "clients/cpp/pilot/export_format.h"

#include <cmath>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "clients/cpp/pilot/event_json.h"
#include "clients/cpp/pilot/json_values.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

constexpr char kCsvHeader[] = "sequence,batch,time,kind,name,value,previous_value,eta,origin,details\n";

// RFC 4180.
std::string Quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

// Takes a field out of `json`. Empty: it has none, or null.
std::string Take(Json& json, const char* field) {
  const auto found = json.find(field);
  if (found == json.end()) return "";
  const Json value = std::move(*found);
  json.erase(field);
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : Dump(value);
}

// The columns name and value, and previous_value; what they are taken from is not repeated among the details.
struct Columns {
  std::string name;
  std::string value;
  std::string previous_value;
};

Columns TakeColumns(const v1::Event& event, const std::string& eta, Json& json) {
  switch (event.kind_case()) {
    case v1::Event::kStatus:
      return {Take(json, "status"), "", ""};
    case v1::Event::kControl: {
      const std::string name = Take(json, "name");
      return {name.empty() ? json["control"].get<std::string>() : name, Take(json, "value"),
              Take(json, "previous_value")};
    }
    case v1::Event::kState:
      return {"", eta, ""};
    case v1::Event::kPlugin: {
      // All values stay among the details: they have names there.
      const auto& values = event.plugin().output().values();
      const Json first = values.empty() ? Json("") : JsonNumber(values[0].value());
      return {Take(json, "plugin"), first.is_string() ? first.get<std::string>() : Dump(first), ""};
    }
    case v1::Event::kCheckpoint:
      return {Take(json, "file"), Take(json, "checkpoint_batch"), ""};
    default:
      return {"", Take(json, "value"), ""};
  }
}

// Not there, or as is usual.
bool SaysNothing(const Json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  return value.is_string() ? value.get_ref<const std::string&>().empty() : value.empty();
}

void DropWhatSaysNothing(Json& json) {
  for (auto field = json.begin(); field != json.end();) {
    field = SaysNothing(*field) ? json.erase(field) : std::next(field);
  }
}

std::string CsvLine(const v1::Event& event) {
  Json json = EventAsJson(event);
  const std::string kind = Take(json, "type");
  const std::string sequence = Take(json, "sequence");
  const std::string batch = Take(json, "batch");
  const std::string time = Take(json, "time");
  const std::string eta = Take(json, "eta");
  const Columns columns = TakeColumns(event, eta, json);
  const std::string origin = Take(json, "origin");
  DropWhatSaysNothing(json);
  const std::vector<std::string> cells = {sequence,
                                          batch,
                                          time,
                                          kind,
                                          columns.name,
                                          columns.value,
                                          columns.previous_value,
                                          eta,
                                          origin,
                                          json.empty() ? "" : Dump(json)};
  return absl::StrCat(
      absl::StrJoin(cells, ",", [](std::string* out, const std::string& cell) { *out += Quoted(cell); }), "\n");
}

// The observatory writes numbers only, so that what JSON has no number for is null.
Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json Pair(int64_t batch, Json value) { return Json::array({batch, std::move(value)}); }

// What eta is from the event on, as far as the event says so.
std::optional<double> EtaOf(const v1::Event& event) {
  if (event.has_state()) return event.state().eta();
  if (event.loss().has_eta()) return event.loss().eta();
  if (event.control().change().knob().name() == "eta") return event.control().value();
  return std::nullopt;
}

}  // namespace

std::string ExportLines::JsonsLine(const v1::Event& event) {
  const std::optional<double> eta = EtaOf(event);
  Json json = Json::object();
  if (event.has_state()) {
    Json state = Json::array();
    for (const double value : ToDoubles(event.state().state())) state.push_back(NumberOrNull(value));
    json["eta"] = Pair(event.batch(), NumberOrNull(*eta));
    json["sv"] = Pair(event.batch(), std::move(state));
    // Before any training there is no report of the loss, which the observatory's first line has.
    if (event.batch() == 0) json["loss"] = Pair(0, NumberOrNull(event.state().loss()));
  } else if (event.has_loss()) {
    json["loss"] = Pair(event.batch(), NumberOrNull(event.loss().value()));
    // No control tells what a schedule makes of eta.
    if (eta.has_value() && eta != eta_) json["eta"] = Pair(event.batch(), NumberOrNull(*eta));
  } else if (eta.has_value()) {
    json["eta"] = Pair(event.batch(), NumberOrNull(*eta));
  } else {
    return "";
  }
  if (eta.has_value()) eta_ = eta;
  return absl::StrCat(Dump(json), "\n");
}

std::vector<v1::EventKind> KindsOf(ExportFormat format) {
  if (format == ExportFormat::kJsons) return {v1::EVENT_KIND_LOSS, v1::EVENT_KIND_STATE, v1::EVENT_KIND_CONTROL};
  return {v1::EVENT_KIND_LOSS,  v1::EVENT_KIND_STATUS, v1::EVENT_KIND_CONTROL,
          v1::EVENT_KIND_STATE, v1::EVENT_KIND_PLUGIN, v1::EVENT_KIND_CHECKPOINT};
}

std::string ExportLines::Header() const { return format_ == ExportFormat::kCsv ? kCsvHeader : ""; }

std::string ExportLines::Next(const v1::Event& event) {
  if (format_ == ExportFormat::kCsv) return CsvLine(event);
  if (format_ == ExportFormat::kJsons) return JsonsLine(event);
  return absl::StrCat(Dump(EventAsJson(event)), "\n");
}

}  // namespace pilothouse::client
