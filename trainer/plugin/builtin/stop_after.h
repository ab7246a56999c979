// stop-after: ends a run after a time, or so many batches, examples or epochs.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STOP_AFTER_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STOP_AFTER_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind StopAfterKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STOP_AFTER_H_
