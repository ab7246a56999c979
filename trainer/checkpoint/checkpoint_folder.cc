#include "trainer/checkpoint/checkpoint_folder.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "trainer/checkpoint/atomic_file.h"
#include "trainer/checkpoint/safetensors.h"

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;

constexpr char kFileBeginning[] = "batch-";
constexpr char kFileEnd[] = ".safetensors";

KeptCheckpoint Kept(const CheckpointFacts& facts, bool recorded) {
  return {facts.batch, facts.pinned, recorded, facts.validation_loss};
}

absl::Status CannotWrite(const std::string& file, absl::string_view cause) {
  return MakeError(v1::ERROR_REASON_SAVE_FAILED, "",
                   absl::StrCat("The checkpoint ", file, " could not be written: ", cause),
                   {{"file", file}, {"cause", std::string(cause)}});
}

// The checkpoints in the folder, with the time at which each was written last. Removes those that are half written.
std::map<std::string, fs::file_time_type> Look(const std::string& run_directory) {
  std::map<std::string, fs::file_time_type> found;
  std::error_code error;
  fs::directory_iterator entry(fs::path(run_directory) / kCheckpointFolder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (absl::EndsWith(name, kTemporarySuffix)) {
      fs::remove(entry->path(), ignored);
    } else if (absl::StartsWith(name, kFileBeginning) && absl::EndsWith(name, kFileEnd)) {
      found[absl::StrCat(kCheckpointFolder, "/", name)] = entry->last_write_time(ignored);
    }
  }
  return found;
}

// From such a file's name; 0 where a person has named it.
int64_t BatchOfName(absl::string_view file) {
  file = file.substr(file.rfind('/') + 1);
  absl::ConsumePrefix(&file, kFileBeginning);
  int64_t batch = 0;
  return absl::SimpleAtoi(file.substr(0, file.find_first_of("-.")), &batch) ? batch : 0;
}

void LogUnknown(const std::string& newest, size_t count) {
  Log(absl::StrCat(
      newest, count == 1 ? " is" : absl::StrCat(" and ", count - 1, " more are"),
      " not in the journal: the run cannot go on from there. Kept until a checkpoint of no earlier batch is"
      " recorded."));
}

}  // namespace

CheckpointFolder::CheckpointFolder(std::string run_directory, CheckpointRetention retention,
                                   std::vector<RecordedCheckpoint> recorded)
    : run_directory_(std::move(run_directory)), retention_(retention) {
  Take(std::move(recorded));
}

void CheckpointFolder::Take(std::vector<RecordedCheckpoint> recorded) {
  std::map<std::string, fs::file_time_type> found = Look(run_directory_);
  for (RecordedCheckpoint& checkpoint : recorded) {
    names_.insert(checkpoint.file);
    if (found.erase(checkpoint.file) > 0) {
      items_.push_back({Kept(checkpoint.facts, /*recorded=*/true), std::move(checkpoint.file)});
    }
  }
  // Written by a trainer that died before the service had taken its report, or lost with a part of the journal: the run
  // cannot go on from it. It may be the newest that there is of the parameters.
  std::vector<std::pair<fs::file_time_type, std::string>> unknown;
  for (const auto& [file, time] : found) unknown.emplace_back(time, file);
  std::sort(unknown.begin(), unknown.end());
  for (auto& [time, file] : unknown) {
    names_.insert(file);
    KeptCheckpoint kept;
    kept.batch = BatchOfName(file);
    items_.push_back({kept, std::move(file), /*ordinal=*/-1, /*unknown=*/true});
  }
  if (!unknown.empty()) LogUnknown(items_.back().file, unknown.size());
}

bool CheckpointFolder::IsAhead(const Item& item) const {
  return item.unknown && std::none_of(items_.begin(), items_.end(), [&item](const Item& other) {
           return other.ordinal >= 0 && other.kept.recorded && other.kept.batch >= item.kept.batch;
         });
}

std::string CheckpointFolder::NewName(int64_t batch) const {
  const std::string stem = absl::StrFormat("%s/%s%012d", kCheckpointFolder, kFileBeginning, batch);
  std::string file = absl::StrCat(stem, kFileEnd);
  std::error_code error;
  for (int number = 2;
       names_.count(file) > 0 || fs::symlink_status(PathOf(file), error).type() != fs::file_type::not_found; ++number) {
    file = absl::StrCat(stem, "-", number, kFileEnd);
  }
  return file;
}

absl::StatusOr<std::string> CheckpointFolder::WriteFile(const std::string& file, const SavedState& state,
                                                        int64_t& bytes) const {
  const absl::StatusOr<std::string> header = SafetensorsHeader(state);
  if (!header.ok()) return header.status();
  const std::vector<absl::string_view> parts = SafetensorsParts(*header, state);
  for (const absl::string_view part : parts) bytes += static_cast<int64_t>(part.size());
  if (absl::Status made = MakeDurableFolder(PathOf(kCheckpointFolder)); !made.ok()) return made;
  absl::StatusOr<std::string> sha256 = WriteAndHashFile(PathOf(file), parts);
  // It may have got its name already, and only the folder could not be synced.
  std::error_code ignored;
  if (!sha256.ok()) fs::remove(PathOf(file), ignored);
  return sha256;
}

void CheckpointFolder::WriteInto(CheckpointOutcome& outcome, const CheckpointRequest& request) {
  const std::string file = NewName(request.facts.batch);
  try {
    const auto begin = std::chrono::steady_clock::now();
    SavedState state = request.state;
    // Whoever takes the file for one of parameters asks for it.
    state.texts["batch"] = absl::StrCat(request.facts.batch);
    int64_t bytes = 0;
    absl::StatusOr<std::string> sha256 = WriteFile(file, state, bytes);
    outcome.writing = std::chrono::steady_clock::now() - begin;
    if (!sha256.ok()) {
      outcome.status = CannotWrite(file, sha256.status().message());
      return;
    }
    outcome.file = file;
    outcome.sha256 = *std::move(sha256);
    outcome.bytes = bytes;
    // Only now, when the file is safe: it takes as long as the hash of the file, which there was a thread for.
    if (request.state_hash != nullptr) outcome.state_sha256 = request.state_hash();
  } catch (const std::exception& error) {
    // No memory, say: no reason for training to end.
    outcome.status = CannotWrite(file, absl::StrCat(error.what(), "."));
  }
}

CheckpointOutcome CheckpointFolder::Write(const CheckpointRequest& request) {
  CheckpointOutcome outcome;
  outcome.facts = request.facts;
  WriteInto(outcome, request);
  if (!outcome.status.ok()) return outcome;
  names_.insert(outcome.file);
  items_.push_back({Kept(outcome.facts, /*recorded=*/false), outcome.file, written_++});
  return outcome;
}

void CheckpointFolder::Recorded(int64_t count, int64_t announced) {
  for (Item& item : items_) {
    item.kept.recorded |= item.ordinal >= 0 && item.ordinal < count;
    item.kept.announced = item.ordinal >= 0 && item.ordinal < announced;
  }
}

void CheckpointFolder::Tidy() {
  std::vector<KeptCheckpoint> kept;
  for (const Item& item : items_) {
    kept.push_back(item.kept);
    if (IsAhead(item)) kept.back().pinned = true;
  }
  const std::vector<size_t> not_needed = NotNeeded(retention_, kept);
  // From the last to the first, so that places stay what they were.
  for (auto place = not_needed.rbegin(); place != not_needed.rend(); ++place) {
    const auto item = items_.begin() + static_cast<std::ptrdiff_t>(*place);
    std::error_code error;
    fs::remove(PathOf(item->file), error);
    // What could not be removed is tried again the next time.
    if (!error) items_.erase(item);
  }
}

}  // namespace pilothouse::trainer
