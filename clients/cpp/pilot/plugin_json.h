// The part of `--json` that is about plugins; conventions as in json_output.h. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_JSON_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_JSON_H_

#include <string>
#include <vector>

#include "clients/cpp/pilot/json_values.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/plugin.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// {"run_id": …, "batch": …, "plugins": […]}.
std::string PluginsJson(const std::string& run_id, const v1::ListPluginsResponse& list);
// {"kinds": […]}.
std::string PluginKindsJson(const std::vector<v1::PluginKind>& kinds);

// A plugin, as in PluginsJson.
Json PluginAsJson(const v1::PluginStatus& plugin);
// Adds the fields of a plugin's event.
void AddReport(const v1::PluginReport& report, Json& json);
// Adds what a change that is about plugins, or that only they ask for, says besides its name and its values.
void AddPluginChange(const v1::Change& change, Json& json);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_JSON_H_
