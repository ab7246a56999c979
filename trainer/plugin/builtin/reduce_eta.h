// reduce-eta: lowers eta where a run no longer gets better.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_REDUCE_ETA_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_REDUCE_ETA_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind ReduceEtaKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_REDUCE_ETA_H_
