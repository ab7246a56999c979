// Reports of values that need not be finite: a call that reports one that is not counts as a failure, but a loss that
// diverged is no fault of whoever reports it.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_FINITE_OUTPUT_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_FINITE_OUTPUT_H_

#include "absl/strings/string_view.h"
#include "trainer/plugin/plugin.h"

namespace pilothouse::trainer {

// Adds the value if it is finite; otherwise the message says that it is not.
void AddFinite(PluginOutput& output, absl::string_view name, double value);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_FINITE_OUTPUT_H_
