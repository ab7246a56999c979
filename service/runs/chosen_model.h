// Which of the files of parameters that a run has kept is meant. Blocks on the disk; thread-safe.
#ifndef PILOTHOUSE_SERVICE_RUNS_CHOSEN_MODEL_H_
#define PILOTHOUSE_SERVICE_RUNS_CHOSEN_MODEL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/model.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "service/runs/run_place.h"

namespace pilothouse::service {

// Where a run keeps what its plugins save, below its directory, and what the plugin save-best writes there if it is not
// told otherwise.
inline constexpr char kSavedFolder[] = "saved";
inline constexpr char kBestFile[] = "best.safetensors";

// Whether the parameters are looked for on the disk, whatever the run does.
bool IsSavedModel(const v1::ModelChoice& choice);

struct ChosenModel {
  std::string path;
  // `batch` is known where the file's name or the journal tells it.
  v1::ModelUsed used;
  // Of the file's content; empty where the journal does not know it.
  std::string sha256;
};

// The file, as model.proto says which; of the last parameters those that `run`, which has ended, left. Several, of
// which any will do, if they hold the same: then they are to be tried in turn. NO_PARAMETERS, with a sentence that says
// what to do, if there is none, so there is at least one; what they hold is not looked at, so that they may be damaged:
// nobody who asks for the last or the best is to be given others instead, unasked. REQUIRES: `choice` is valid.
absl::StatusOr<std::vector<ChosenModel>> FindModel(const RunPlace& place, const v1::Run& run,
                                                   const v1::ModelChoice& choice);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_CHOSEN_MODEL_H_
