#include "trainer/plugin/saved_plugins.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {
namespace {

using Json = nlohmann::json;

constexpr char kText[] = "plugins";

std::string TensorName(const std::string& plugin) { return absl::StrCat("plugins.", plugin, ".state"); }

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

Json SpecToJson(const PluginSpec& spec) {
  Json json = {{"name", spec.name},
               {"kind", spec.kind},
               {"schedule", spec.schedule},
               {"settings", spec.settings},
               {"priority", OrNull(spec.priority)},
               {"required", OrNull(spec.required)},
               {"max_failures", spec.max_failures}};
  json["timeline"] = spec.timeline.has_value() ? Json(std::string(TimelineName(*spec.timeline))) : Json(nullptr);
  json["point"] = spec.point.has_value() ? Json(std::string(PointName(*spec.point))) : Json(nullptr);
  json["allowance_ns"] = spec.allowance.has_value() ? Json(spec.allowance->count()) : Json(nullptr);
  return json;
}

Json ToJson(const SavedPlugin& plugin) {
  const PluginStatus& status = plugin.status;
  return {{"spec", SpecToJson(status.spec)},
          {"runs", status.runs},
          {"failures", status.failures},
          {"last_batch", OrNull(status.last_batch)},
          {"total_time_ns", status.total_time.count()},
          {"last_time_ns", status.last_time.count()},
          {"built_in", status.built_in},
          {"last_failure", status.last_failure},
          {"attached_batch", status.attached_batch},
          {"asked_through", plugin.asked_through},
          {"failures_in_a_row", plugin.failures_in_a_row},
          {"owed", plugin.owed},
          {"retry_at", plugin.retry_at},
          {"state_bytes", plugin.state.size()}};
}

template <typename T>
std::optional<T> Optional(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional<T>(json.get<T>());
}

// These three throw Json::exception where something is missing or of another type.
PluginSpec SpecOf(const Json& json) {
  PluginSpec spec;
  spec.name = json.at("name").get<std::string>();
  spec.kind = json.at("kind").get<std::string>();
  spec.schedule = json.at("schedule").get<std::string>();
  spec.settings = json.at("settings").get<std::map<std::string, std::string>>();
  spec.priority = Optional<int>(json.at("priority"));
  spec.required = Optional<bool>(json.at("required"));
  spec.max_failures = json.at("max_failures").get<int>();
  if (const auto name = Optional<std::string>(json.at("timeline"))) spec.timeline = TimelineOf(*name);
  if (const auto name = Optional<std::string>(json.at("point"))) {
    const absl::StatusOr<PluginPoint> point = PointOf(*name);
    if (point.ok()) spec.point = *point;
  }
  if (const auto allowance = Optional<int64_t>(json.at("allowance_ns"))) {
    spec.allowance = std::chrono::nanoseconds(*allowance);
  }
  return spec;
}

SavedPlugin PluginOf(const Json& json) {
  SavedPlugin plugin;
  PluginStatus& status = plugin.status;
  status.spec = SpecOf(json.at("spec"));
  status.runs = json.at("runs").get<int64_t>();
  status.failures = json.at("failures").get<int64_t>();
  status.last_batch = Optional<int64_t>(json.at("last_batch"));
  status.total_time = std::chrono::nanoseconds(json.at("total_time_ns").get<int64_t>());
  status.last_time = std::chrono::nanoseconds(json.at("last_time_ns").get<int64_t>());
  status.built_in = json.at("built_in").get<bool>();
  status.last_failure = json.at("last_failure").get<std::string>();
  status.attached_batch = json.at("attached_batch").get<int64_t>();
  plugin.asked_through = json.at("asked_through").get<Ticks>();
  plugin.failures_in_a_row = json.at("failures_in_a_row").get<int>();
  plugin.owed = json.at("owed").get<bool>();
  plugin.retry_at = json.at("retry_at").get<Ticks>();
  return plugin;
}

SavedPlugin PluginOf(const Json& json, const SavedState& state) {
  SavedPlugin plugin = PluginOf(json);
  const int64_t bytes = json.at("state_bytes").get<int64_t>();
  if (bytes == 0) return plugin;
  const SavedTensor* tensor = FindTensor(state, TensorName(plugin.status.spec.name), TensorType::kBytes, {bytes});
  if (tensor == nullptr) throw Json::other_error::create(0, "what a plugin remembered is missing", &json);
  plugin.state = std::string(tensor->bytes);
  return plugin;
}

}  // namespace

void SavePlugins(std::vector<SavedPlugin> plugins, SavedState& state) {
  Json list = Json::array();
  for (SavedPlugin& plugin : plugins) {
    list.push_back(ToJson(plugin));
    if (plugin.state.empty()) continue;
    state.tensors[TensorName(plugin.status.spec.name)] = TensorOf(std::move(plugin.state));
  }
  // Text that is not UTF-8 would make dump() throw by default.
  state.texts[kText] = list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<std::vector<SavedPlugin>> ReadSavedPlugins(const SavedState& state) {
  const auto refuse = [](absl::string_view why) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                     absl::StrCat("The checkpoint does not tell the plugins of the run: ", why, "."));
  };
  const auto text = state.texts.find(kText);
  if (text == state.texts.end()) return refuse("it has no text \"plugins\"");
  const Json list = Json::parse(text->second, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return refuse("its text \"plugins\" is no list");
  std::vector<SavedPlugin> plugins;
  try {
    for (const Json& json : list) plugins.push_back(PluginOf(json, state));
  } catch (const Json::exception& error) {
    return refuse(error.what());
  }
  return plugins;
}

}  // namespace pilothouse::trainer
