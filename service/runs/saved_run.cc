#include "service/runs/saved_run.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/journal/journal.h"
#include "service/runs/checkpoint_events.h"
#include "service/runs/chosen_model.h"
#include "service/runs/run_summary.h"
#include "service/runs/trainer_query.h"
#include "service/runs/welcome.h"

namespace pilothouse::service {
namespace {

// What a run's last state adds to what its saved parameters say.
void Complete(const v1::Run& run, v1::StateAnswer& answer) {
  answer.set_target(run.target());
  answer.set_resume_target(run.resume_target());
  answer.set_loss(run.loss());
  answer.set_status(run.status());
  answer.set_idle_reason(run.idle_reason());
  *answer.mutable_knobs() = run.knobs();
  *answer.mutable_plugins() = run.plugins();
}

// Where the data are now, and what they must be.
absl::Status AddData(const RunPlace& place, const v1::Run& run, v1::Welcome& welcome) {
  const absl::StatusOr<DataPaths> data = place.find_data ? place.find_data() : place.data;
  if (!data.ok()) return data.status();
  SetDataPaths(*data, welcome);
  welcome.set_directory(place.directory);
  welcome.set_data_sha256(run.facts().data_sha256());
  return absl::OkStatus();
}

absl::StatusOr<ControlOutcome> OutcomeOfKnownCheckpoint(const RunPlace& place, const RecordedControl& known,
                                                        const v1::Control& control) {
  if (!SameChange(known.report.change(), control.change())) return RequestIdReused(control.request_id());
  const absl::StatusOr<std::optional<v1::Event>> written = FindCheckpoint(place, known.receipt);
  if (!written.ok()) return written.status();
  return written->has_value() ? OutcomeOfCheckpoint(known.receipt, **written) : CheckpointForgotten();
}

// The question, but for where the parameters are.
absl::StatusOr<v1::SavedQuery> QuestionAbout(const RunPlace& place, const v1::Run& run, const v1::Query& query) {
  v1::SavedQuery saved;
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place.journal_path());
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::optional<std::string>> spec = (*reader)->Meta(kMetaSpec);
  if (!spec.ok()) return spec.status();
  if (!spec->has_value() || !saved.mutable_spec()->ParseFromString(**spec)) {
    return MakeError(v1::ERROR_REASON_INTERNAL, "", "The run's description is missing from its journal.");
  }
  *saved.mutable_query() = query;
  if (query.has_evaluate()) {
    if (absl::Status found = AddData(place, run, *saved.mutable_data()); !found.ok()) return found;
  }
  return saved;
}

bool IsDamaged(const absl::Status& answer) { return ReasonOf(answer) == v1::ERROR_REASON_CHECKPOINT_DAMAGED; }

// What the trainer says of a file that is not there.
bool IsGone(const absl::Status& answer) { return ReasonOf(answer) == v1::ERROR_REASON_NO_PARAMETERS; }

absl::Status Gone(const std::string& file) {
  return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "model",
                   absl::StrCat("The file ", file,
                                " in the run's folder, which holds the parameters that were asked for, was removed "
                                "before it could be read. Ask again."),
                   {{"file", file}});
}

// What can be done about checkpoints that are damaged, all of which hold the same parameters. `spec` is the run's.
std::string RemediesFor(const RunPlace& place, const v1::Run& run, const v1::RunSpec& spec,
                        const std::vector<ChosenModel>& damaged) {
  const v1::ModelUsed& lost = damaged.front().used;
  // As far as sizes tell.
  bool whole_before = false;
  bool whole_next = false;
  const absl::StatusOr<std::vector<v1::Checkpoint>> known = ListCheckpoints(place, run);
  for (const v1::Checkpoint& other : known.ok() ? *known : std::vector<v1::Checkpoint>()) {
    const bool whole = other.branch().empty() && other.condition() == v1::CHECKPOINT_CONDITION_PRESENT &&
                       std::none_of(damaged.begin(), damaged.end(),
                                    [&](const ChosenModel& one) { return one.used.file() == other.file(); });
    whole_before = whole_before || (whole && other.batch() <= lost.batch());
    whole_next = whole_next || (whole && (lost.model() != v1::MODEL_BEST || other.has_validation_loss()));
  }
  std::string remedies = "Put it back from a copy";
  if (whole_before || !spec.has_parent()) {
    absl::StrAppend(&remedies, "; or fork the run at batch ", lost.batch(), ", which trains these parameters again");
  } else {
    // A fork knows no beginning but its first checkpoint.
    absl::StrAppend(&remedies, "; or fork ", spec.parent().run_id(), " anew at batch ", spec.parent().batch(),
                    ", where this run began");
  }
  if (whole_next) absl::StrAppend(&remedies, "; or remove the file, and the next of the run's checkpoints is used");
  return remedies + ".";
}

// `found` is what the trainer said of `chosen`, and `remedies` what can be done.
absl::Status Damaged(const ChosenModel& chosen, const absl::Status& found, const std::string& remedies) {
  v1::Error error = ToError(found);
  const std::string& cause = (*error.mutable_metadata())["cause"];
  return MakeError(
      v1::ERROR_REASON_CHECKPOINT_DAMAGED, "model",
      absl::StrCat("The file ", chosen.used.file(), " in the run's folder is damaged: ", cause, " ", remedies),
      {{"file", chosen.used.file()}, {"cause", cause}, {"batch", absl::StrCat(chosen.used.batch())}});
}

}  // namespace

absl::StatusOr<ControlOutcome> OutcomeOfKnown(const v1::Run& run, const RecordedControl& known,
                                              const v1::Control& control) {
  if (!SameChange(known.report.change(), control.change())) return RequestIdReused(control.request_id());
  if (control.change().has_stop() && run.status() == v1::RUN_STATUS_FAILED) {
    return MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", run.status_message());
  }
  return ControlOutcome{.receipt = known.receipt, .final_batch = run.batch(), .final_loss = run.loss()};
}

absl::StatusOr<ControlOutcome> AnswerEndedControl(const RunPlace& place, const v1::Run& run,
                                                  const v1::Control& control) {
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place.journal_path());
  if (reader.ok()) {
    const absl::StatusOr<std::optional<RecordedControl>> known = (*reader)->FindControl(control.request_id());
    if (known.ok() && known->has_value()) {
      return control.change().has_checkpoint() ? OutcomeOfKnownCheckpoint(place, **known, control)
                                               : OutcomeOfKnown(run, **known, control);
    }
  }
  return RunEnded(run, control.change());
}

int64_t BatchOf(const v1::Answer& answer) {
  if (answer.has_predict()) return answer.predict().batch();
  return answer.has_evaluate() ? answer.evaluate().batch() : answer.state().batch();
}

absl::StatusOr<v1::Answer> AnswerSavedQuery(const RunPlace& place, const v1::Run& run,
                                            const std::string& trainer_program, const v1::Query& query,
                                            const v1::ModelChoice& choice, const std::function<bool()>& given_up) {
  absl::StatusOr<std::vector<ChosenModel>> found = FindModel(place, run, choice);
  if (!found.ok()) return found.status();
  absl::StatusOr<v1::SavedQuery> question = QuestionAbout(place, run, query);
  if (!question.ok()) return question.status();
  // Which of them was asked about last.
  const ChosenModel* chosen = nullptr;
  const auto ask = [&] {
    absl::StatusOr<v1::Answer> answer;
    for (const ChosenModel& one : *found) {
      chosen = &one;
      question->set_checkpoint_path(one.path);
      question->set_checkpoint_sha256(one.sha256);
      answer = AskTrainerProgram(trainer_program, *question, place.log_path(), given_up);
      if (!IsDamaged(answer.status()) && !IsGone(answer.status())) break;
    }
    return answer;
  };
  absl::StatusOr<v1::Answer> answer = ask();
  if (IsGone(answer.status())) {
    // Removed since it was found: a newer one has taken its place.
    const std::string gone = chosen->used.file();
    found = FindModel(place, run, choice);
    if (!found.ok()) return Gone(gone);
    answer = ask();
    if (IsGone(answer.status())) return Gone(chosen->used.file());
  }
  if (IsDamaged(answer.status())) {
    return Damaged(*chosen, answer.status(), RemediesFor(place, run, question->spec(), *found));
  }
  if (!answer.ok()) return answer;
  *answer->mutable_model() = chosen->used;
  answer->mutable_model()->set_batch(BatchOf(*answer));
  if (answer->has_state()) Complete(run, *answer->mutable_state());
  return answer;
}

}  // namespace pilothouse::service
