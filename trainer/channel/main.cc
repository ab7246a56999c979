// pilothouse-trainer: the process that learns.
#include "trainer/channel/trainer_main.h"
#include "trainer/plugin/builtin/builtin_kinds.h"

int main(int argc, char** argv) {
  return pilothouse::trainer::TrainerMain(argc, argv, pilothouse::trainer::BuiltInPluginKinds());
}
