// What the service checks of plugins before a request reaches a run: sizes, characters and ranges. What a kind's
// settings and a schedule mean, the trainer knows. Pure and thread-safe.
#ifndef PILOTHOUSE_SERVICE_RPC_VALIDATE_PLUGIN_H_
#define PILOTHOUSE_SERVICE_RPC_VALIDATE_PLUGIN_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/repeated_field.h"
#include "pilothouse/v1/plugin.pb.h"

namespace pilothouse::service {

inline constexpr int kMaxPriority = 1000;
inline constexpr absl::Duration kLongestAllowance = absl::Hours(1);
inline constexpr int kMostFailures = 1000;

// `field` is what a request calls the plugin ("plugin", "spec.plugins[2]"): errors blame a field below it, or it
// itself where it is too large.
// PLUGIN_INVALID, PLUGIN_KIND_UNKNOWN, PLUGIN_SETTING_INVALID, SCHEDULE_INVALID, PLUGIN_POINT_UNKNOWN.
absl::Status CheckPlugin(const v1::PluginSpec& plugin, absl::string_view field);

// The same for each, as "<field>[i]", and TOO_MANY_PLUGINS for more than kMaxPlugins.
absl::Status CheckPlugins(const google::protobuf::RepeatedPtrField<v1::PluginSpec>& plugins, absl::string_view field);

// PLUGIN_INVALID unless `name` can be a plugin's name.
absl::Status CheckPluginName(absl::string_view name, absl::string_view field);

// SCHEDULE_INVALID, blaming "schedule", for a text that is too long or not fit to be shown; PLUGIN_INVALID, blaming
// "timeline", for a timeline there is not.
absl::Status CheckSchedule(absl::string_view schedule, v1::Timeline timeline);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_VALIDATE_PLUGIN_H_
