// How the training loop takes controls and queries, and what each change does.
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
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

std::string NotSaved(const absl::Status& cause) {
  return absl::StrCat("The parameters could not be saved: ", cause.message());
}

absl::Status SaveFailed(const absl::Status& cause) {
  return MakeError(v1::ERROR_REASON_SAVE_FAILED, "",
                   absl::StrCat("The parameters cannot be saved, so the run was not stopped; it goes on. Free room or ",
                                "mend its directory, then stop it again. The cause: ", cause.message()),
                   {{"cause", std::string(cause.message())}});
}

}  // namespace

void TrainingLoop::HandleControls() {
  const bool due = schedule_.NextBatch() <= state_.batch;
  if (!due && mailbox_.empty()) return;
  for (const Control& control : schedule_.TakeDue(state_.batch)) {
    if (absl::Status status = Apply(control); !status.ok()) reporter_.Refused(control, std::move(status));
  }
  for (const Letter& letter : mailbox_.Take(kMaxLettersPerBoundary)) Handle(letter);
  // What they take, copying the parameters for one, is not to be taken for the time of batches.
  state_.Advance(clock_.Now(), Duration::zero());
}

void TrainingLoop::Handle(const Letter& letter) {
  if (const Query* query = std::get_if<Query>(&letter)) return Answer(*query);
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
    return state_.knobs.Check(knob->name, knob->value, learner_.facts().parameters);
  }
  if (const auto* target = std::get_if<TargetChange>(&change)) return CheckTargetChange(*target);
  if (const auto* attach = std::get_if<AttachPluginChange>(&change)) {
    return WithFieldPrefix(plugins_.Check(attach->spec), kPluginField);
  }
  return absl::OkStatus();
}

absl::Status TrainingLoop::Apply(const Control& control) {
  if (ended()) return RunEnded(RunStatus::kStopping);
  absl::Status status = std::visit([&](const auto& change) { return Apply(control, change); }, control.change);
  if (status.ok()) schedule_.RememberApplied(control.request_id);
  return status;
}

absl::Status TrainingLoop::Apply(const Control& control, const KnobChange& change) {
  const double previous = state_.knobs.Get(change.name);
  state_.knobs.Set(change.name, change.value);
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
  const absl::Status saved = SaveParameters();
  stopping_ = false;
  // What saving took is not to be taken for the time of batches.
  state_.Advance(clock_.Now(), Duration::zero());
  if (!saved.ok() && !change.must_end) {
    reporter_.ChangedStatus(
        absl::StrCat("The run was not stopped, since its parameters cannot be saved: ", saved.message()));
    return SaveFailed(saved);
  }
  const RunStatus wanted = change.completed ? RunStatus::kCompleted : RunStatus::kStopped;
  ending_ = saved.ok() ? Ending{wanted, change.message}
                       : Ending{RunStatus::kFailed, JoinSentences(change.message, NotSaved(saved))};
  const auto final_batch = static_cast<double>(state_.batch);
  reporter_.Applied({control, final_batch, final_batch, ""});
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
  const std::string path = absl::StrCat(options_.directory, "/", change.file);
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

absl::Status TrainingLoop::Apply(const Control&, const CheckpointChange&) { return absl::UnimplementedError(""); }
absl::Status TrainingLoop::Apply(const Control&, const RewindChange&) { return absl::UnimplementedError(""); }

void TrainingLoop::Answer(const Query& query) {
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
  query.answer(std::move(snapshot));
}

absl::Status TrainingLoop::SaveParameters() {
  const std::string folder = options_.directory + "/checkpoints";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return absl::UnavailableError(absl::StrCat(folder, ": ", error.message(), "."));
  return view_.Parameters()->Save(absl::StrFormat("%s/batch-%012d.safetensors", folder, state_.batch), state_.batch);
}

}  // namespace pilothouse::trainer
