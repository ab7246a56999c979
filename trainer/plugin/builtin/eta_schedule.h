// eta-schedule: sets eta as a function of how far the run has come.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_ETA_SCHEDULE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_ETA_SCHEDULE_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

PluginKind EtaScheduleKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_ETA_SCHEDULE_H_
