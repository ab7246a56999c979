// Settings that are lists.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_LIST_SETTING_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_LIST_SETTING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// The words of a setting, which commas separate; spaces around them do not matter. PLUGIN_SETTING_INVALID if there is
// none, if one is empty or if one stands there twice.
absl::StatusOr<std::vector<std::string>> ListSetting(const PluginSettings& settings, absl::string_view name);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_LIST_SETTING_H_
