// stop-when: ends a run that meets a condition.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STOP_WHEN_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STOP_WHEN_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind StopWhenKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STOP_WHEN_H_
