// A trainer that knows one kind of plugin more: start the service with `pilothoused --trainer own-trainer`.
#include <utility>

#include "examples/own_plugin/loss_range.h"
#include "trainer/channel/trainer_main.h"
#include "trainer/plugin/builtin/builtin_kinds.h"

int main(int argc, char** argv) {
  pilothouse::trainer::PluginKinds kinds = pilothouse::trainer::BuiltInPluginKinds();
  kinds.Register(pilothouse::examples::LossRangeKind());
  return pilothouse::trainer::TrainerMain(argc, argv, std::move(kinds));
}
