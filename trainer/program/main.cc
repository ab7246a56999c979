// pilothouse-trainer: the process that learns.
#include "trainer/plugin/builtin/builtin_kinds.h"
#include "trainer/program/trainer_main.h"

int main(int argc, char** argv) {
  return pilothouse::trainer::TrainerMain(argc, argv, pilothouse::trainer::BuiltInPluginKinds());
}
