// validate: scores the parameters on the examples that are held out.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_VALIDATE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_VALIDATE_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind ValidateKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_VALIDATE_H_
