// checkpoint: saves the parameters now and then.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_CHECKPOINT_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_CHECKPOINT_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind CheckpointKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_CHECKPOINT_H_
