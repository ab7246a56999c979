#include "service/runs/saved_run.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "service/journal/journal.h"
#include "service/runs/process.h"
#include "service/runs/run_summary.h"

namespace pilothouse::service {
namespace {

constexpr std::chrono::seconds kQueryPatience{60};

// Names hold the batch with leading zeros, so the newest comes last. Empty: none.
std::string NewestCheckpoint(const std::string& directory) {
  std::string newest;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/checkpoints", error)) {
    const std::string path = entry.path().string();
    if (absl::EndsWith(path, ".safetensors")) newest = std::max(newest, path);
  }
  return newest;
}

}  // namespace

absl::StatusOr<ControlOutcome> AnswerEndedControl(const RunPlace& place, const v1::Run& run,
                                                  const v1::Control& control) {
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place.journal_path());
  if (reader.ok()) {
    const absl::StatusOr<std::optional<RecordedControl>> known = (*reader)->FindControl(control.request_id());
    if (known.ok() && known->has_value()) {
      if (!SameChange((*known)->report.change(), control.change())) return RequestIdReused(control.request_id());
      return ControlOutcome{.receipt = (*known)->receipt, .final_batch = run.batch(), .final_loss = run.loss()};
    }
  }
  return RunEnded(run);
}

absl::StatusOr<v1::Answer> AnswerEndedQuery(const RunPlace& place, const std::string& trainer_program,
                                            const v1::Query& query) {
  v1::SavedQuery saved;
  saved.set_checkpoint_path(NewestCheckpoint(place.directory));
  if (saved.checkpoint_path().empty()) {
    return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "run_id",
                     "The run ended without saving its parameters. Stop a run to keep them.");
  }
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place.journal_path());
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::optional<std::string>> spec = (*reader)->Meta(kMetaSpec);
  if (!spec.ok()) return spec.status();
  if (!spec->has_value() || !saved.mutable_spec()->ParseFromString(**spec)) {
    return MakeError(v1::ERROR_REASON_INTERNAL, "", "The run's description is missing from its journal.");
  }
  *saved.mutable_query() = query;
  const absl::StatusOr<std::string> output = RunToEnd({trainer_program, "--saved-query"}, saved.SerializeAsString(),
                                                      kMaxMessageBytes, kQueryPatience, place.log_path());
  if (!output.ok()) return output.status();
  v1::Answer answer;
  if (!answer.ParseFromString(*output)) {
    return MakeError(v1::ERROR_REASON_INTERNAL, "", "The trainer's answer cannot be read.");
  }
  if (answer.has_error()) return FromError(answer.error());
  return answer;
}

}  // namespace pilothouse::service
