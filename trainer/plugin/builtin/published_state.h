// States that runs show each other through files, below "exchanged" in a run's directory:
//
//   own.safetensors                           the parameters, as Model::Save writes them
//   own.json                                  what is to be known about them, with their hash; written after them
//   from-<run_id>-<batch>-<hash>.safetensors  copies of other runs' parameters that were taken over. The journal names
//                                             them, and a replay reads them: they stay as long as the run's directory
//
// A reader sees a whole state or finds by the hash that it does not. Thread-safe, as long as each run publishes from
// one thread.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_PUBLISHED_STATE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_PUBLISHED_STATE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/net/model.h"

namespace pilothouse::trainer {

// Largest own.json that is read.
inline constexpr int64_t kMaxPublishedDescriptionBytes = 1 << 16;

struct PublishedState {
  int64_t batch = 0;
  // What the run judges itself by, and how good it is; finite.
  std::string metric;
  double value = 0;
  // How many examples the run holds out; 0: none. Runs on the same data that hold out as many hold out the same.
  int64_t validation_examples = 0;
  // Above 0.
  double eta = 0;
  // As in PluginSurroundings: etas of two optimizers have little to do with each other.
  std::string optimizer = "gradient_descent";
  // Of own.safetensors, as FileHash gives it.
  std::string sha256;
};

// Publishes `model`, in place of what was published before, below `directory`, the run's. `state.sha256` is found here.
// Errors: those of Model::Save; INTERNAL.
absl::Status PublishState(const std::string& directory, const Model& model, PublishedState state);

// What the run in `directory` published last. FILE_NOT_FOUND if it has published nothing; DATA_MALFORMED.
absl::StatusOr<PublishedState> ReadPublishedState(const std::string& directory);

// Copies the parameters of `state`, which the run `run_id` in `from` has published, below `directory`; returns the
// copy's path relative to it. The copy survives a crash of the machine. Errors: FILE_NOT_FOUND; DATA_MALFORMED if the
// parameters are not (or no longer) those of `state`, could not take the place of `own`'s, or the file is larger than
// `max_bytes`; INTERNAL. Nothing is left behind then.
absl::StatusOr<std::string> CopyPublishedState(const std::string& from, const std::string& run_id,
                                               const PublishedState& state, const std::string& directory,
                                               const Model& own, int64_t max_bytes);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_PUBLISHED_STATE_H_
