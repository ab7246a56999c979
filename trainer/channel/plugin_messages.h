// Between what the trainer knows of plugins and the channel's messages. Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_PLUGIN_MESSAGES_H_
#define PILOTHOUSE_TRAINER_CHANNEL_PLUGIN_MESSAGES_H_

#include <optional>

#include "absl/status/statusor.h"
#include "pilothouse/v1/plugin.pb.h"
#include "trainer/loop/report.h"
#include "trainer/plugin/change.h"
#include "trainer/plugin/plugin_host.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// PLUGIN_POINT_UNKNOWN or SCHEDULE_INVALID for a point or a timeline this trainer does not know. Everything else is for
// the plugin host to check.
absl::StatusOr<PluginSpec> FromMessage(const v1::PluginSpec& message);
// nullopt: unspecified.
absl::StatusOr<std::optional<Timeline>> FromMessage(v1::Timeline timeline);

v1::PluginSpec ToMessage(const PluginSpec& spec);
v1::Timeline ToMessage(const std::optional<Timeline>& timeline);
v1::PluginStatus ToMessage(const PluginStatus& status);
v1::PluginReport ToMessage(const PluginReport& report);
v1::PluginKind ToMessage(const PluginKind& kind);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_PLUGIN_MESSAGES_H_
