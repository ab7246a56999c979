#include "service/runs/chosen_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
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

absl::StatusOr<ChosenModel> FindSaved(const RunPlace& place, const std::string& name) {
  const ChosenModel chosen = InDirectory(place, v1::MODEL_UNSPECIFIED, absl::StrCat(kSavedFolder, "/", name));
  if (IsFile(chosen.path)) return chosen;
  const std::string known = SavedNames(place);
  return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "model.saved_file",
                   absl::StrCat("The run has saved no file \"", name, "\"; ",
                                known.empty() ? "its plugins have saved none so far." : "it has these: ", known,
                                known.empty() ? "" : "."),
                   {{"file", name}, {"known", known}});
}

absl::StatusOr<ChosenModel> FindLast(const RunPlace& place, const v1::Run& run) {
  const std::optional<SavedParameters> newest = NewestCheckpoint(place, run);
  if (!newest.has_value()) {
    return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "run_id",
                     "The run ended without a checkpoint, so its parameters are lost. Stop a run to keep them.");
  }
  ChosenModel chosen = InDirectory(place, v1::MODEL_LAST, fs::path(newest->path).lexically_relative(place.directory));
  chosen.used.set_batch(newest->batch);
  chosen.sha256 = newest->sha256;
  return chosen;
}

// The checkpoint of the present line with the lowest validation loss; of equals, the first.
std::optional<ChosenModel> BestCheckpoint(const RunPlace& place, const v1::Run& run) {
  const absl::StatusOr<std::vector<v1::Checkpoint>> known = ListCheckpoints(place, run);
  if (!known.ok()) return std::nullopt;
  const v1::Checkpoint* best = nullptr;
  for (const v1::Checkpoint& checkpoint : *known) {
    const bool usable = checkpoint.branch().empty() && checkpoint.has_validation_loss() &&
                        !std::isnan(checkpoint.validation_loss()) &&
                        checkpoint.condition() != v1::CHECKPOINT_CONDITION_GONE;
    // They come newest first.
    if (usable && (best == nullptr || checkpoint.validation_loss() <= best->validation_loss())) best = &checkpoint;
  }
  if (best == nullptr) return std::nullopt;
  ChosenModel chosen = InDirectory(place, v1::MODEL_BEST, best->file());
  chosen.used.set_batch(best->batch());
  chosen.sha256 = best->sha256();
  return chosen;
}

absl::StatusOr<ChosenModel> FindBest(const RunPlace& place, const v1::Run& run) {
  ChosenModel saved = InDirectory(place, v1::MODEL_BEST, absl::StrCat(kSavedFolder, "/", kBestFile));
  if (IsFile(saved.path)) return saved;
  if (std::optional<ChosenModel> checkpoint = BestCheckpoint(place, run); checkpoint.has_value()) return *checkpoint;
  return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "model",
                   "The run has kept no best parameters so far: let the plugins validate and save-best run, or name "
                   "a file that its plugins have saved.");
}

}  // namespace

bool IsSavedModel(const v1::ModelChoice& choice) {
  return !choice.saved_file().empty() || choice.model() == v1::MODEL_BEST;
}

absl::StatusOr<ChosenModel> FindModel(const RunPlace& place, const v1::Run& run, const v1::ModelChoice& choice) {
  if (!choice.saved_file().empty()) return FindSaved(place, choice.saved_file());
  return choice.model() == v1::MODEL_BEST ? FindBest(place, run) : FindLast(place, run);
}

}  // namespace pilothouse::service
