// The program pilothouse-trainer, for a main() of its own: one that knows other kinds of plugins, say.
#ifndef PILOTHOUSE_TRAINER_PROGRAM_TRAINER_MAIN_H_
#define PILOTHOUSE_TRAINER_PROGRAM_TRAINER_MAIN_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// Does what the command line says (--help tells) with these kinds of plugins, and returns the exit code. Call once,
// before any thread is started.
int TrainerMain(int argc, char** argv, PluginKinds plugin_kinds);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PROGRAM_TRAINER_MAIN_H_
