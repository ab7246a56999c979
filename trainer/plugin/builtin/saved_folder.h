// The folder of a run in which plugins keep parameters: apart from checkpoints/, where what a stop saved is looked for.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SAVED_FOLDER_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SAVED_FOLDER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trainer/net/model.h"
#include "trainer/plugin/run_view.h"

namespace pilothouse::trainer {

// "saved/best.safetensors": a file of the folder, relative to the run's directory.
std::string SavedFile(absl::string_view file);

// Saves parameters of the batch that the run is at in that file, which is there whole or not at all. Makes the folder
// if there is none. SAVE_FAILED, with the cause, if they cannot be saved.
absl::Status SaveInFolder(const RunView& run, const Model& parameters, absl::string_view file);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SAVED_FOLDER_H_
