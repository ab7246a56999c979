#include "service/runs/checkpoint_events.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/journal/event_kind.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

constexpr char kFolder[] = "checkpoints";
constexpr int kEventsPerPage = 1000;
constexpr int64_t kBytesPerPage = 4 << 20;

// Calls `take` with every checkpoint event after `after` until it returns false.
absl::Status ForEachCheckpoint(const RunPlace& place, uint64_t after,
                               const std::function<bool(const v1::Event&)>& take) {
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place.journal_path());
  if (!reader.ok()) return reader.status();
  while (true) {
    const absl::StatusOr<JournalPage> page =
        (*reader)->Read(after, {v1::EVENT_KIND_CHECKPOINT}, kEventsPerPage, kBytesPerPage);
    if (!page.ok()) return page.status();
    for (const auto& event : page->events) {
      if (!take(*event)) return absl::OkStatus();
    }
    if (page->through >= page->last_sequence) return absl::OkStatus();
    after = page->through;
  }
}

v1::Checkpoint ToCheckpoint(const v1::Event& event) {
  const v1::CheckpointReport& report = event.checkpoint();
  v1::Checkpoint checkpoint;
  checkpoint.set_batch(report.batch());
  checkpoint.set_file(report.file());
  checkpoint.set_sha256(report.sha256());
  checkpoint.set_bytes(report.bytes());
  checkpoint.set_state_sha256(report.state_sha256());
  checkpoint.set_pinned(report.pinned());
  if (report.has_validation_loss()) checkpoint.set_validation_loss(report.validation_loss());
  *checkpoint.mutable_time() = event.time();
  checkpoint.set_sequence(event.sequence());
  return checkpoint;
}

// The files in the folder of checkpoints, as events name them, each with nothing known of it.
std::map<std::string, std::optional<v1::Checkpoint>> Files(const RunPlace& place) {
  std::map<std::string, std::optional<v1::Checkpoint>> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(absl::StrCat(place.directory, "/", kFolder), error)) {
    files[absl::StrCat(kFolder, "/", entry.path().filename().string())] = std::nullopt;
  }
  return files;
}

// The batch in a checkpoint's name.
std::optional<int64_t> BatchInName(absl::string_view file) {
  int64_t batch = 0;
  const bool named = absl::ConsumePrefix(&file, absl::StrCat(kFolder, "/batch-")) &&
                     absl::ConsumeSuffix(&file, ".safetensors") && absl::SimpleAtoi(file, &batch);
  return named ? std::optional(batch) : std::nullopt;
}

// The newest file, up to a batch, that its name alone tells of; empty: there is none.
std::vector<SavedParameters> NewestFile(const RunPlace& place, int64_t up_to) {
  std::vector<SavedParameters> newest;
  for (const auto& [file, unknown] : Files(place)) {
    const std::optional<int64_t> batch = BatchInName(file);
    if (batch.has_value() && *batch <= up_to && (newest.empty() || *batch > newest.front().batch)) {
      newest = {SavedParameters{absl::StrCat(place.directory, "/", file), *batch, ""}};
    }
  }
  return newest;
}

v1::CheckpointCondition ConditionOf(const RunPlace& place, const v1::Checkpoint& checkpoint) {
  const fs::path path = absl::StrCat(place.directory, "/", checkpoint.file());
  std::error_code error;
  const fs::file_type found = fs::status(path, error).type();
  if (found == fs::file_type::not_found) return v1::CHECKPOINT_CONDITION_GONE;
  // The folder may not be searched, say: it may be there.
  if (found == fs::file_type::none) return v1::CHECKPOINT_CONDITION_UNSPECIFIED;
  const uintmax_t bytes = fs::file_size(path, error);
  const bool as_written = !error && (checkpoint.bytes() == 0 || bytes == static_cast<uintmax_t>(checkpoint.bytes()));
  return as_written ? v1::CHECKPOINT_CONDITION_PRESENT : v1::CHECKPOINT_CONDITION_DAMAGED;
}

// The newest of `known` on the present line whose file is in such a condition; null if there is none.
const v1::Checkpoint* NewestOf(const std::vector<v1::Checkpoint>& known, bool (*suits)(v1::CheckpointCondition)) {
  const auto newest = std::find_if(known.begin(), known.end(), [&](const v1::Checkpoint& checkpoint) {
    return checkpoint.branch().empty() && suits(checkpoint.condition());
  });
  return newest == known.end() ? nullptr : &*newest;
}

// Whether both hold the same, as far as the journal tells. A control between them that changes parameters shows in the
// state.
bool AreTwins(const v1::Checkpoint& a, const v1::Checkpoint& b) {
  return a.batch() == b.batch() && a.branch() == b.branch() && !a.state_sha256().empty() &&
         a.state_sha256() == b.state_sha256();
}

}  // namespace

std::string BranchOf(const v1::CheckpointReport& report,
                     const google::protobuf::RepeatedPtrField<v1::Branch>& branches) {
  for (int64_t line = std::max<int64_t>(report.line(), 0); line < branches.size(); ++line) {
    const v1::Branch& branch = branches.Get(static_cast<int>(line));
    if (report.batch() > branch.from_batch()) return branch.name();
  }
  return "";
}

absl::StatusOr<std::vector<v1::Checkpoint>> ListCheckpoints(const RunPlace& place, const v1::Run& run) {
  std::map<std::string, std::optional<v1::Checkpoint>> files = Files(place);
  // A name that became free may have been given again: the last event is the one about the file that is there.
  const absl::Status read = ForEachCheckpoint(place, 0, [&](const v1::Event& event) {
    const v1::CheckpointReport& report = event.checkpoint();
    // Others were removed to make room.
    if (!report.error().empty() || (!report.pinned() && !files.contains(report.file()))) return true;
    v1::Checkpoint checkpoint = ToCheckpoint(event);
    checkpoint.set_branch(BranchOf(report, run.branches()));
    files[report.file()] = std::move(checkpoint);
    return true;
  });
  if (!read.ok()) return read;
  std::vector<v1::Checkpoint> list;
  for (auto& [file, checkpoint] : files) {
    if (!checkpoint.has_value()) continue;
    checkpoint->set_condition(ConditionOf(place, *checkpoint));
    // It may have been removed since the folder was read.
    const bool removed = checkpoint->condition() == v1::CHECKPOINT_CONDITION_GONE && !checkpoint->pinned();
    if (!removed) list.push_back(*std::move(checkpoint));
  }
  std::sort(list.begin(), list.end(), [](const v1::Checkpoint& a, const v1::Checkpoint& b) {
    return std::make_tuple(!a.branch().empty(), -a.batch(), b.sequence()) <
           std::make_tuple(!b.branch().empty(), -b.batch(), a.sequence());
  });
  if (list.size() > kMaxListedCheckpoints) list.resize(kMaxListedCheckpoints);
  return list;
}

std::optional<int64_t> NewestGoodCheckpoint(const RunPlace& place, const v1::Run& run) {
  // As far as its size tells.
  const auto as_written = [](v1::CheckpointCondition found) { return found == v1::CHECKPOINT_CONDITION_PRESENT; };
  const absl::StatusOr<std::vector<v1::Checkpoint>> known = ListCheckpoints(place, run);
  const v1::Checkpoint* newest = known.ok() ? NewestOf(*known, as_written) : nullptr;
  return newest == nullptr ? std::nullopt : std::optional(newest->batch());
}

std::vector<SavedParameters> TwinsOf(const RunPlace& place, const std::vector<v1::Checkpoint>& known,
                                     const v1::Checkpoint& one) {
  std::vector<const v1::Checkpoint*> twins = {&one};
  for (const v1::Checkpoint& other : known) {
    const bool there = other.condition() != v1::CHECKPOINT_CONDITION_GONE;
    if (there && other.file() != one.file() && AreTwins(one, other)) twins.push_back(&other);
  }
  std::stable_partition(twins.begin(), twins.end(), [](const v1::Checkpoint* twin) {
    return twin->condition() == v1::CHECKPOINT_CONDITION_PRESENT;
  });
  if (twins.size() > kMaxTwins) twins.resize(kMaxTwins);
  std::vector<SavedParameters> files;
  for (const v1::Checkpoint* twin : twins) {
    files.push_back({absl::StrCat(place.directory, "/", twin->file()), twin->batch(), twin->sha256()});
  }
  return files;
}

std::vector<SavedParameters> NewestCheckpoint(const RunPlace& place, const v1::Run& run) {
  const auto there = [](v1::CheckpointCondition found) { return found != v1::CHECKPOINT_CONDITION_GONE; };
  const absl::StatusOr<std::vector<v1::Checkpoint>> known = ListCheckpoints(place, run);
  const v1::Checkpoint* newest = known.ok() ? NewestOf(*known, there) : nullptr;
  // Of runs of older versions nothing is recorded.
  if (newest == nullptr) return NewestFile(place, kMaxTarget);
  // What a run saved last need not have been recorded.
  const bool saved_at_end = run.status() == v1::RUN_STATUS_STOPPED || run.status() == v1::RUN_STATUS_COMPLETED;
  if (saved_at_end && newest->batch() < run.batch()) {
    std::vector<SavedParameters> last = NewestFile(place, run.batch());
    if (!last.empty() && last.front().batch == run.batch()) return last;
  }
  return TwinsOf(place, *known, *newest);
}

absl::StatusOr<std::optional<v1::Event>> FindCheckpoint(const RunPlace& place, const v1::Receipt& receipt) {
  std::optional<v1::Event> found;
  const absl::Status read = ForEachCheckpoint(place, receipt.control_id(), [&](const v1::Event& event) {
    if (event.checkpoint().request_id() == receipt.request_id()) found = event;
    return !found.has_value();
  });
  if (!read.ok()) return read;
  return found;
}

absl::StatusOr<ControlOutcome> OutcomeOfCheckpoint(const v1::Receipt& receipt, const v1::Event& event) {
  const std::string& error = event.checkpoint().error();
  if (error.empty()) return ControlOutcome{.receipt = receipt, .checkpoint = ToCheckpoint(event)};
  return MakeError(v1::ERROR_REASON_SAVE_FAILED, "",
                   absl::StrCat("The checkpoint could not be written: ", error, " The run goes on."),
                   {{"cause", error}});
}

absl::Status CheckpointForgotten() {
  constexpr char kCause[] = "the trainer ended first";
  return MakeError(v1::ERROR_REASON_SAVE_FAILED, "",
                   "The trainer ended before the checkpoint was written. Ask for another one, with a new request_id.",
                   {{"cause", kCause}});
}

}  // namespace pilothouse::service
