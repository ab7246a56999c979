// notify: reports values that a run has anyway.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_NOTIFY_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_NOTIFY_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind NotifyKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_NOTIFY_H_
