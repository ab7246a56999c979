// The plugins of a run as a checkpoint keeps them: a text "plugins", and for each that remembers something a tensor of
// bytes "plugins.<name>.state". Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_SAVED_PLUGINS_H_
#define PILOTHOUSE_TRAINER_PLUGIN_SAVED_PLUGINS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/plugin/plugin_status.h"

namespace pilothouse::trainer {

// Their names differ. What PluginHost::List works out anew (next_due, now, waits_for) is left out.
void SavePlugins(std::vector<SavedPlugin> plugins, SavedState& state);

// What SavePlugins put there. DATA_MALFORMED if it is missing or damaged.
absl::StatusOr<std::vector<SavedPlugin>> ReadSavedPlugins(const SavedState& state);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_SAVED_PLUGINS_H_
