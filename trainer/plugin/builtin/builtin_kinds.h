// The kinds of plugins that come with the trainer.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_BUILTIN_KINDS_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_BUILTIN_KINDS_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKinds BuiltInPluginKinds();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_BUILTIN_KINDS_H_
