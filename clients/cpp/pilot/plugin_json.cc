#include "clients/cpp/pilot/plugin_json.h"

#include <map>
#include <utility>

#include "clients/cpp/pilot/plugin_output.h"

namespace pilothouse::client {
namespace {

Json OfSpec(const v1::PluginSpec& spec) {
  // In order of their names; a map of protobuf has none.
  const std::map<std::string, std::string> settings(spec.settings().begin(), spec.settings().end());
  return {{"name", spec.name()},
          {"kind", spec.kind()},
          {"schedule", spec.schedule()},
          {"timeline", TimelineWord(spec.timeline())},
          {"point", PointWord(spec.point())},
          {"settings", settings},
          {"priority", spec.has_priority() ? Json(spec.priority()) : Json()},
          {"required", spec.has_required() ? Json(spec.required()) : Json()},
          {"allowance_seconds", spec.has_allowance() ? JsonSpan(spec.allowance()) : Json()},
          {"max_failures", spec.max_failures() > 0 ? Json(spec.max_failures()) : Json()}};
}

Json OfKind(const v1::PluginKind& kind) {
  Json settings = Json::array();
  for (const v1::PluginSetting& setting : kind.settings()) {
    settings.push_back({{"name", setting.name()},
                        {"description", setting.description()},
                        {"usual", setting.usual()},
                        {"required", setting.required()}});
  }
  return {{"name", kind.name()},
          {"description", kind.description()},
          {"settings", std::move(settings)},
          {"usual_schedule", kind.usual_schedule()},
          {"usual_point", PointWord(kind.usual_point())},
          {"usual_priority", kind.usual_priority()},
          {"required", kind.required()}};
}

Json OfHistogram(const v1::Histogram& histogram) {
  Json counts = Json::array();
  for (const int64_t count : histogram.counts()) counts.push_back(count);
  return {{"name", histogram.name()},
          {"minimum", JsonNumber(histogram.minimum())},
          {"maximum", JsonNumber(histogram.maximum())},
          {"counts", std::move(counts)}};
}

Json OfFailure(const v1::PluginFailure& failure) {
  return {{"message", failure.message()},
          {"failures_in_a_row", failure.failures_in_a_row()},
          {"detached", failure.detached()},
          {"paused", failure.paused()}};
}

}  // namespace

Json PluginAsJson(const v1::PluginStatus& plugin) {
  Json json = OfSpec(plugin.spec());
  json["built_in"] = plugin.built_in();
  json["attached_batch"] = plugin.attached_batch();
  json["runs"] = plugin.runs();
  json["failures"] = plugin.failures();
  json["last_failure"] = plugin.last_failure();
  json["last_batch"] = plugin.has_last_batch() ? Json(plugin.last_batch()) : Json();
  json["next_due"] = plugin.has_next_due() ? JsonNumber(plugin.next_due()) : Json();
  json["now"] = JsonNumber(plugin.now());
  json["waits_for"] = plugin.waits_for();
  json["total_seconds"] = JsonSpan(plugin.total_time());
  json["last_seconds"] = JsonSpan(plugin.last_time());
  return json;
}

std::string PluginsJson(const std::string& run_id, const v1::ListPluginsResponse& list) {
  Json plugins = Json::array();
  for (const v1::PluginStatus& plugin : list.plugins()) plugins.push_back(PluginAsJson(plugin));
  return Dump({{"run_id", run_id}, {"batch", list.batch()}, {"plugins", std::move(plugins)}});
}

std::string PluginKindsJson(const std::vector<v1::PluginKind>& kinds) {
  Json list = Json::array();
  for (const v1::PluginKind& kind : kinds) list.push_back(OfKind(kind));
  return Dump({{"kinds", std::move(list)}});
}

void AddReport(const v1::PluginReport& report, Json& json) {
  json["plugin"] = report.plugin();
  json["kind"] = report.kind();
  Json values = Json::object();
  for (const v1::NamedValue& value : report.output().values()) values[value.name()] = JsonNumber(value.value());
  json["values"] = std::move(values);
  Json histograms = Json::array();
  for (const v1::Histogram& histogram : report.output().histograms()) histograms.push_back(OfHistogram(histogram));
  json["histograms"] = std::move(histograms);
  json["message"] = report.output().message();
  json["failure"] = report.has_failure() ? OfFailure(report.failure()) : Json();
}

void AddPluginChange(const v1::Change& change, Json& json) {
  if (change.has_attach_plugin()) json["spec"] = OfSpec(change.attach_plugin().plugin());
  if (change.has_reschedule_plugin()) {
    json["schedule"] = change.reschedule_plugin().schedule();
    json["timeline"] = TimelineWord(change.reschedule_plugin().timeline());
  }
  if (change.has_parameters()) {
    json["file"] = change.parameters().file();
    json["sha256"] = change.parameters().sha256();
    json["from_run_id"] = change.parameters().from_run_id();
    json["from_batch"] = change.parameters().from_batch();
  }
}

}  // namespace pilothouse::client
