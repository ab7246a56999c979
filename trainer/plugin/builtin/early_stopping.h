// early-stopping: ends a run that no longer gets better.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_EARLY_STOPPING_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_EARLY_STOPPING_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind EarlyStoppingKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_EARLY_STOPPING_H_
