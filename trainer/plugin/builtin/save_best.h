// save-best: keeps the best parameters so far in a file.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SAVE_BEST_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SAVE_BEST_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind SaveBestKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SAVE_BEST_H_
