#include "service/runs/trainer_process.h"

#include <signal.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace pilothouse::service {
namespace {

constexpr char kTokenVariable[] = "PILOTHOUSE_TRAINER_TOKEN";
// So that a trainer that is just taking its lock is not mistaken for dead.
constexpr int kProbes = 2;

}  // namespace

absl::Status TrainerProcess::Start() {
  absl::StatusOr<ChildProcess> child =
      ChildProcess::Start(place_.trainer_command, {absl::StrCat(kTokenVariable, "=", place_.token)}, place_.log_path());
  if (!child.ok()) return child.status();
  child_ = *std::move(child);
  return absl::OkStatus();
}

std::optional<TrainerProcess::End> TrainerProcess::Ended() {
  if (child_.has_value()) {
    std::optional<std::string> how = child_->Ended();
    if (!how.has_value()) return std::nullopt;
    if (!IsLocked(place_.lock_path())) return End{*std::move(how)};
    // Another process is the run's trainer: this one had to give way.
    child_.reset();
    return std::nullopt;
  }
  unlocked_probes_ = IsLocked(place_.lock_path()) ? 0 : unlocked_probes_ + 1;
  if (unlocked_probes_ < kProbes) return std::nullopt;
  return End{NotedExit(place_.lock_path())};
}

void TrainerProcess::Reap() {
  if (child_.has_value() && child_->Ended().has_value()) child_.reset();
}

void TrainerProcess::Kill() {
  if (child_.has_value()) {
    child_->Signal(SIGKILL);
  } else if (process_id_ > 0 && IsLocked(place_.lock_path())) {
    // A former service's child. While it holds its lock, the process id is still its own.
    kill(static_cast<pid_t>(process_id_), SIGKILL);
  }
}

}  // namespace pilothouse::service
