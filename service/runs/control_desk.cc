#include "service/runs/control_desk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "service/runs/checkpoint_events.h"
#include "service/runs/run_summary.h"
#include "service/runs/saved_run.h"

namespace pilothouse::service {
namespace {

// Of the journal: the sequence of the newest event when the newest trainer was started, in decimal digits.
constexpr char kMetaTrainerSince[] = "trainer_since";

absl::Status OutOfRange(int64_t batch, int64_t first_batch, int64_t last_batch) {
  return MakeError(
      v1::ERROR_REASON_BATCH_OUT_OF_RANGE, "batch",
      absl::StrCat("The run begins at batch ", first_batch, ", so it cannot be taken back to batch ", batch, "."),
      {{"batch", absl::StrCat(batch)},
       {"first_batch", absl::StrCat(first_batch)},
       {"last_batch", absl::StrCat(last_batch)}});
}

bool HasBranch(const v1::Run& run, const std::string& name) {
  return std::any_of(run.branches().begin(), run.branches().end(),
                     [&](const v1::Branch& branch) { return branch.name() == name; });
}

}  // namespace

void ControlDesk::Ask(const v1::Control& control, const ControlCallback& callback, const absl::Status& reachable,
                      const std::function<void(const v1::Control&)>& send) {
  const absl::StatusOr<std::optional<RecordedControl>> known = record_.FindControl(control.request_id());
  if (!known.ok()) return callback(known.status());
  if (known->has_value()) return AnswerKnown(**known, control, callback, reachable);
  if (IsTerminal(record_.run().status())) return callback(RunEnded(record_.run(), control.change()));
  if (!reachable.ok()) return callback(reachable);
  const absl::StatusOr<v1::Control> complete = pending_.Contains(control.request_id()) ? control : Complete(control);
  if (!complete.ok()) return callback(complete.status());
  const absl::StatusOr<PendingControls::Added> added = pending_.Add(*complete, callback);
  if (!added.ok()) return callback(added.status());
  if (*added == PendingControls::Added::kNew) send(*complete);
}

absl::StatusOr<v1::Control> ControlDesk::Complete(const v1::Control& control) const {
  if (!control.change().has_rewind()) return control;
  const v1::RewindChange& rewind = control.change().rewind();
  const int64_t first_batch = record_.run().parent().batch();
  if (rewind.batch() < first_batch) return OutOfRange(rewind.batch(), first_batch, record_.run().batch());
  absl::StatusOr<std::string> branch = NewBranch(rewind.branch());
  if (!branch.ok()) return branch.status();
  v1::Control complete = control;
  complete.mutable_change()->mutable_rewind()->set_branch(*std::move(branch));
  return complete;
}

absl::StatusOr<std::string> ControlDesk::NewBranch(const std::string& asked) const {
  const auto taken = [this](const std::string& name) {
    return HasBranch(record_.run(), name) || pending_.NamesBranch(name);
  };
  if (asked.empty()) {
    int number = record_.run().branches_size() + 1;
    while (taken(absl::StrCat("rewind-", number))) ++number;
    return absl::StrCat("rewind-", number);
  }
  if (!taken(asked)) return asked;
  return MakeError(v1::ERROR_REASON_BRANCH_ALREADY_EXISTS, "branch",
                   absl::StrCat("The run has a branch ", asked, " already; choose another name."), {{"branch", asked}});
}

void ControlDesk::AnswerKnown(const RecordedControl& known, const v1::Control& control, const ControlCallback& callback,
                              const absl::Status& reachable) {
  const bool ended = IsTerminal(record_.run().status());
  if (!SameChange(known.report.change(), control.change())) return callback(RequestIdReused(control.request_id()));
  if (control.change().has_checkpoint()) return AnswerKnownCheckpoint(known, control, callback, reachable);
  if (ended || !IsAnsweredLate(control.change())) return callback(OutcomeOfKnown(record_.run(), known, control));
  if (control.change().has_stop()) return WaitFor(known, control, callback);
  // The run was taken back; but whether it is there, only its trainer can say.
  if (!reachable.ok()) return callback(reachable);
  if (late_.Contains(control.request_id())) return WaitFor(known, control, callback);
  callback(OutcomeOf(known.receipt));
}

void ControlDesk::AnswerKnownCheckpoint(const RecordedControl& known, const v1::Control& control,
                                        const ControlCallback& callback, const absl::Status& reachable) {
  const absl::StatusOr<std::optional<v1::Event>> written = FindCheckpoint(place_, known.receipt);
  if (!written.ok()) return callback(written.status());
  if (written->has_value()) return callback(OutcomeOfCheckpoint(known.receipt, **written));
  if (IsTerminal(record_.run().status())) return callback(CheckpointForgotten());
  if (!reachable.ok()) return callback(reachable);
  if (known.receipt.control_id() <= earlier_trainers_through()) return callback(CheckpointForgotten());
  WaitFor(known, control, callback);
}

void ControlDesk::WaitFor(const RecordedControl& known, const v1::Control& control, const ControlCallback& callback) {
  const absl::StatusOr<PendingControls::Added> added = pending_.Add(control, callback);
  if (!added.ok()) return callback(added.status());
  late_.Add(known.report.change(), known.receipt);
}

void ControlDesk::OnEvent(const v1::Event& event) {
  for (const LateAnswers::Answer& answer : late_.OnEvent(event, record_.run())) {
    pending_.Resolve(answer.request_id, answer.outcome);
  }
  if (!event.has_control()) return;
  const std::string& request_id = event.control().request_id();
  const absl::StatusOr<std::optional<RecordedControl>> recorded = record_.FindControl(request_id);
  if (!recorded.ok() || !recorded->has_value()) return;
  if (IsAnsweredLate(event.control().change())) {
    late_.Add(event.control().change(), (*recorded)->receipt);
  } else {
    pending_.Resolve(request_id, OutcomeOf((*recorded)->receipt));
  }
}

void ControlDesk::OnNewTrainer() {
  late_.OnNewTrainer();
  const absl::Status noted = record_.SetMeta(kMetaTrainerSince, absl::StrCat(record_.run().last_sequence()));
  if (!noted.ok()) Log(absl::StrCat("run ", record_.run().run_id(), ": ", noted.message()));
}

uint64_t ControlDesk::earlier_trainers_through() const {
  const absl::StatusOr<std::optional<std::string>> noted = record_.Meta(kMetaTrainerSince);
  uint64_t sequence = 0;
  if (!noted.ok() || !noted->has_value() || !absl::SimpleAtoi(**noted, &sequence)) return 0;
  return sequence;
}

ControlOutcome ControlDesk::OutcomeOf(const v1::Receipt& receipt) const {
  return {.receipt = receipt, .final_batch = record_.run().batch(), .final_loss = record_.run().loss()};
}

}  // namespace pilothouse::service
