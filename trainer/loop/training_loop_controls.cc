// How the training loop takes controls and queries, and what each change does.
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/loop/training_loop.h"

namespace pilothouse::trainer {
namespace {

// What a request calls the plugin it attaches.
constexpr char kPluginField[] = "plugin";

absl::Status BatchAlreadyPassed(int64_t at_batch, int64_t batch) {
  return MakeError(v1::ERROR_REASON_BATCH_ALREADY_PASSED, "options.at_batch",
                   absl::StrCat("The run is at batch ", batch, " already; nothing can take effect at batch ", at_batch,
                                " any more."),
                   {{"at_batch", absl::StrCat(at_batch)}, {"batch", absl::StrCat(batch)}});
}

absl::Status SaveFailed(const absl::Status& cause) {
  return MakeError(
      v1::ERROR_REASON_SAVE_FAILED, "",
      absl::StrCat("The parameters cannot be saved, so nothing was done; the run goes on. Free room or mend ",
                   "its directory, then ask again. The cause: ", cause.message()),
      {{"cause", std::string(cause.message())}});
}

}  // namespace

void TrainingLoop::HandleControls() {
  const bool due = schedule_.NextBatch() <= state_.batch;
  if (!due && mailbox_.empty()) return;
  std::vector<Letter> left;
  for (Control& control : schedule_.TakeDue(state_.batch)) {
    if (taken_back_) {
      left.emplace_back(std::move(control));
    } else if (absl::Status status = Apply(control); !status.ok()) {
      reporter_.Refused(control, std::move(status));
    }
  }
  for (Letter& letter : mailbox_.Take(kMaxLettersPerBoundary)) {
    if (taken_back_ && !std::holds_alternative<CheckpointOutcome>(letter)) {
      left.push_back(std::move(letter));
    } else {
      Handle(letter);
    }
  }
  if (taken_back_) return LeaveForNext(std::move(left));
  // What they take, copying the parameters for one, is not to be taken for the time of batches.
  Pass(Duration::zero());
}

void TrainingLoop::LeaveForNext(std::vector<Letter> letters) {
  for (Control& control : schedule_.TakeAll()) letters.emplace_back(std::move(control));
  for (Control& control : checkpoints_.TakeAsked()) letters.emplace_back(std::move(control));
  mailbox_.PutBack(std::move(letters));
}

void TrainingLoop::Handle(const Letter& letter) {
  if (const Query* query = std::get_if<Query>(&letter)) return Answer(*query);
  if (const auto* outcome = std::get_if<CheckpointOutcome>(&letter)) return checkpoints_.OnOutcome(*outcome);
  const auto& control = std::get<Control>(letter);
  if (absl::Status status = Accept(control); !status.ok()) reporter_.Refused(control, std::move(status));
}

absl::Status TrainingLoop::Accept(const Control& control) {
  if (schedule_.Knows(control.request_id)) return absl::OkStatus();
  if (ended()) return RunEnded(RunStatus::kStopping);
  if (absl::Status status = Check(control.change); !status.ok()) return status;
  const int64_t at_batch = control.at_batch.value_or(state_.batch);
  if (at_batch < state_.batch) return BatchAlreadyPassed(at_batch, state_.batch);
  return at_batch == state_.batch ? Apply(control) : schedule_.Wait(control);
}

absl::Status TrainingLoop::Check(const Change& change) const {
  if (const auto* knob = std::get_if<KnobChange>(&change)) {
    return state_.knobs.Check(*knob, learner_.facts().parameters);
  }
  if (const auto* target = std::get_if<TargetChange>(&change)) return CheckTargetChange(*target);
  if (const auto* attach = std::get_if<AttachPluginChange>(&change)) {
    return WithFieldPrefix(plugins_.Check(attach->spec), kPluginField);
  }
  if (const auto* rewind = std::get_if<RewindChange>(&change)) return CheckRewind(rewind->batch);
  return absl::OkStatus();
}

absl::Status TrainingLoop::CheckRewind(int64_t batch) const {
  if (batch >= options_.first_batch && batch <= state_.batch) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_BATCH_OUT_OF_RANGE, "batch",
                   absl::StrCat("The run can be taken back to a batch from ", options_.first_batch, " to ",
                                state_.batch, ", where it is now; got ", batch, "."),
                   {{"batch", absl::StrCat(batch)},
                    {"first_batch", absl::StrCat(options_.first_batch)},
                    {"last_batch", absl::StrCat(state_.batch)}});
}

absl::Status TrainingLoop::Apply(const Control& control) {
  if (ended()) return RunEnded(RunStatus::kStopping);
  absl::Status status = std::visit([&](const auto& change) { return Apply(control, change); }, control.change);
  if (status.ok()) schedule_.RememberApplied(control.request_id);
  return status;
}

absl::Status TrainingLoop::Apply(const Control& control, const KnobChange& change) {
  const double previous = state_.knobs.Get(change.name);
  state_.Set(change);
  reporter_.Applied({control, state_.knobs.Get(change.name), previous, ""});
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const TargetChange& change) {
  const auto previous = static_cast<double>(state_.target.batch());
  if (absl::Status status = state_.target.Apply(change, state_.batch); !status.ok()) return status;
  pause_note_ = change.kind == TargetChange::Kind::kPause ? control.note : "";
  reporter_.Applied({control, static_cast<double>(state_.target.batch()), previous, ""});
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const StopChange& change) {
  if (std::exchange(stopping_, true)) return RunEnded(RunStatus::kStopping);
  reporter_.Status(RunStatus::kStopping, IdleReason::kNone, "");
  plugins_.Run(PluginPoint::kBeforeStop, view_, *this);
  CheckpointOutcome checkpoint = checkpoints_.WriteNow(/*pin=*/false);
  const absl::Status saved = checkpoint.status;
  stopping_ = false;
  // What saving took is not to be taken for the time of batches.
  Pass(Duration::zero());
  if (!saved.ok()) {
    checkpoints_.Report(std::move(checkpoint));
    reporter_.ChangedStatus(
        absl::StrCat("The run was not stopped, since its parameters cannot be saved: ", saved.message()));
    return SaveFailed(saved);
  }
  ending_ = Ending{change.completed ? RunStatus::kCompleted : RunStatus::kStopped, change.message};
  const auto final_batch = static_cast<double>(state_.batch);
  reporter_.Applied({control, final_batch, final_batch, ""});
  // After the stop: whoever goes on from this checkpoint must not miss what a plugin decided here.
  checkpoints_.Report(std::move(checkpoint));
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const AttachPluginChange& change) {
  const int64_t before = plugins_.attached();
  absl::StatusOr<std::string> name = plugins_.Attach(change.spec);
  if (!name.ok()) name = WithFieldPrefix(name.status(), kPluginField);
  return ReportPluginChange(control, before, name);
}

absl::Status TrainingLoop::Apply(const Control& control, const DetachPluginChange& change) {
  const int64_t before = plugins_.attached();
  return ReportPluginChange(control, before, plugins_.Detach(change.name));
}

absl::Status TrainingLoop::Apply(const Control& control, const ReschedulePluginChange& change) {
  const int64_t before = plugins_.attached();
  return ReportPluginChange(control, before, plugins_.Reschedule(change));
}

absl::Status TrainingLoop::ReportPluginChange(const Control& control, int64_t before,
                                              const absl::StatusOr<std::string>& name) {
  if (!name.ok()) return name.status();
  reporter_.Applied({control, static_cast<double>(plugins_.attached()), static_cast<double>(before), *name},
                    plugins_.List());
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const ParametersChange& change) {
  const std::string& directory = options_.past_directory.empty() ? options_.directory : options_.past_directory;
  const std::string path = absl::StrCat(directory, "/", change.file);
  const absl::StatusOr<std::string> hash = FileHash(path);
  if (!hash.ok()) return hash.status();
  if (*hash != change.sha256) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "parameters.file",
                     absl::StrCat("The file ", change.file, " has changed since it was chosen."));
  }
  if (absl::Status loaded = learner_.Load(path); !loaded.ok()) return loaded;
  view_.Replaced();
  state_.target.Recover();
  reporter_.Applied({control, static_cast<double>(change.from_batch), static_cast<double>(state_.batch), ""});
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const CheckpointChange&) {
  if (!catch_up_.has_value()) {
    checkpoints_.Ask(control, /*applied=*/false);
  } else if (!visits_ && !catch_up_->HasCheckpoint(control.request_id)) {
    // Whoever asked for it may still wait for it.
    checkpoints_.Ask(control, /*applied=*/true);
  }
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control, const RewindChange& change) {
  // Where the past led to before is not where it leads now.
  if (catch_up_.has_value()) return state_.target.Apply({TargetChange::Kind::kPause, 0}, state_.batch);
  if (absl::Status status = CheckRewind(change.batch); !status.ok()) return status;
  // What came after is kept, and can be gone back to without learning it again.
  reporter_.LossOnce();
  CheckpointOutcome checkpoint = checkpoints_.WriteNow(/*pin=*/true);
  const absl::Status saved = checkpoint.status;
  checkpoints_.Report(std::move(checkpoint));
  if (!saved.ok()) return SaveFailed(saved);
  reporter_.Applied({control, static_cast<double>(change.batch), static_cast<double>(state_.batch), ""});
  taken_back_ = true;
  return absl::OkStatus();
}

void TrainingLoop::Answer(const Query& query) {
  if (query.awaited && !query.awaited()) return;
  RunSnapshot snapshot{.batch = state_.batch,
                       .target = state_.target.batch(),
                       .resume_target = state_.target.resume_batch(),
                       .loss = state_.loss,
                       .status = RunStatus::kStopping,
                       .idle_reason = IdleReason::kNone,
                       .knobs = state_.knobs,
                       .model = nullptr,
                       .plugins = {}};
  if (!ended()) {
    // What the controls at this boundary have led to, although it is reported only after all of them.
    snapshot.idle_reason = state_.target.IdleReasonAt(state_.batch);
    snapshot.status = StatusFor(snapshot.idle_reason);
  }
  if (query.include_model) {
    snapshot.model = view_.Parameters();
    const bool reportable = learner_.facts().parameters <= kMaxStateEventParameters;
    if (query.report_state && reportable && !reporter_.policy().StateReported(state_.batch)) {
      reporter_.State(snapshot.model, /*asked=*/true);
    }
  }
  if (query.include_plugins) snapshot.plugins = plugins_.List();
  if (query.score.has_value()) snapshot.scores = view_.Scores(*query.score);
  query.answer(std::move(snapshot));
}

}  // namespace pilothouse::trainer
