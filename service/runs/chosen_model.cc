#include "service/runs/chosen_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "service/runs/checkpoint_events.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

// Names in a refusal; of more, the first.
constexpr size_t kMostNames = 20;

ChosenModel InDirectory(const RunPlace& place, v1::Model model, const std::string& file) {
  ChosenModel chosen{absl::StrCat(place.directory, "/", file), {}, ""};
  chosen.used.set_model(model);
  chosen.used.set_file(file);
  return chosen;
}

bool IsFile(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// Of checkpoints that hold the same.
std::vector<ChosenModel> OfCheckpoints(const RunPlace& place, v1::Model model,
                                       const std::vector<SavedParameters>& files) {
  std::vector<ChosenModel> models;
  for (const SavedParameters& file : files) {
    models.push_back(InDirectory(place, model, fs::path(file.path).lexically_relative(place.directory)));
    models.back().used.set_batch(file.batch);
    models.back().sha256 = file.sha256;
  }
  return models;
}

std::string SavedNames(const RunPlace& place) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(fs::path(place.directory) / kSavedFolder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".safetensors") names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  if (names.size() > kMostNames) names.resize(kMostNames);
  return absl::StrJoin(names, ", ");
}

absl::StatusOr<std::vector<ChosenModel>> FindSaved(const RunPlace& place, const std::string& name) {
  const ChosenModel chosen = InDirectory(place, v1::MODEL_UNSPECIFIED, absl::StrCat(kSavedFolder, "/", name));
  if (IsFile(chosen.path)) return std::vector{chosen};
  const std::string known = SavedNames(place);
  return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "model.saved_file",
                   absl::StrCat("The run has saved no file \"", name, "\"; ",
                                known.empty() ? "its plugins have saved none so far." : "it has these: ", known,
                                known.empty() ? "" : "."),
                   {{"file", name}, {"known", known}});
}

absl::StatusOr<std::vector<ChosenModel>> FindLast(const RunPlace& place, const v1::Run& run) {
  const std::vector<SavedParameters> newest = NewestCheckpoint(place, run);
  if (newest.empty()) {
    return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "run_id",
                     "The run ended without a checkpoint, so its parameters are lost. Stop a run to keep them.");
  }
  return OfCheckpoints(place, v1::MODEL_LAST, newest);
}

// The checkpoint of the present line with the lowest validation loss, and those that hold the same; of equals, the
// first. Empty: there is none.
std::vector<ChosenModel> BestCheckpoint(const RunPlace& place, const v1::Run& run) {
  const absl::StatusOr<std::vector<v1::Checkpoint>> known = ListCheckpoints(place, run);
  if (!known.ok()) return {};
  const v1::Checkpoint* best = nullptr;
  for (const v1::Checkpoint& checkpoint : *known) {
    const bool usable = checkpoint.branch().empty() && checkpoint.has_validation_loss() &&
                        !std::isnan(checkpoint.validation_loss()) &&
                        checkpoint.condition() != v1::CHECKPOINT_CONDITION_GONE;
    // They come newest first.
    if (usable && (best == nullptr || checkpoint.validation_loss() <= best->validation_loss())) best = &checkpoint;
  }
  if (best == nullptr) return {};
  return OfCheckpoints(place, v1::MODEL_BEST, TwinsOf(place, *known, *best));
}

absl::StatusOr<std::vector<ChosenModel>> FindBest(const RunPlace& place, const v1::Run& run) {
  ChosenModel saved = InDirectory(place, v1::MODEL_BEST, absl::StrCat(kSavedFolder, "/", kBestFile));
  if (IsFile(saved.path)) return std::vector{saved};
  if (std::vector<ChosenModel> checkpoints = BestCheckpoint(place, run); !checkpoints.empty()) return checkpoints;
  return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "model",
                   "The run has kept no best parameters so far: let the plugins validate and save-best run, or name "
                   "a file that its plugins have saved.");
}

}  // namespace

bool IsSavedModel(const v1::ModelChoice& choice) {
  return !choice.saved_file().empty() || choice.model() == v1::MODEL_BEST;
}

absl::StatusOr<std::vector<ChosenModel>> FindModel(const RunPlace& place, const v1::Run& run,
                                                   const v1::ModelChoice& choice) {
  if (!choice.saved_file().empty()) return FindSaved(place, choice.saved_file());
  return choice.model() == v1::MODEL_BEST ? FindBest(place, run) : FindLast(place, run);
}

}  // namespace pilothouse::service
