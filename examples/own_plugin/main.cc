// A trainer that knows one kind of plugin more. A service whose runs it trains, on a folder of its own:
//
//   cmake --preset dev && cmake --build build/dev --target own-trainer pilothoused pilot
//   build/dev/bin/pilothoused --trainer build/dev/bin/own-trainer --data build/own --listen unix:/tmp/own.socket
//
// and, in another shell, what it knows and a run that has it:
//
//   export PILOTHOUSE_ADDRESS=unix:/tmp/own.socket
//   build/dev/bin/pilot plugin kinds loss-range
//   build/dev/bin/pilot start --name own --net … --plugin 'each(20) loss-range tolerance=3'
#include <utility>

#include "examples/own_plugin/loss_range.h"
#include "trainer/plugin/builtin/builtin_kinds.h"
#include "trainer/program/trainer_main.h"

int main(int argc, char** argv) {
  pilothouse::trainer::PluginKinds kinds = pilothouse::trainer::BuiltInPluginKinds();
  kinds.Register(pilothouse::examples::LossRangeKind());
  return pilothouse::trainer::TrainerMain(argc, argv, std::move(kinds));
}
