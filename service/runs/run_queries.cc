// What is asked of runs: by their trainers where they live, from what they have saved otherwise.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/chosen_model.h"
#include "service/runs/run_registry.h"
#include "service/runs/run_summary.h"
#include "service/runs/saved_run.h"
#include "service/runs/service_refusals.h"
#include "service/runs/trainer_query.h"

namespace pilothouse::service {
namespace {

// What the trainer program says when it is asked for its kinds of plugins; in the data directory.
constexpr char kKindsLog[] = "plugin-kinds.log";

bool NeedsParameters(const v1::Query& query) {
  return query.has_predict() || query.has_evaluate() || query.state().include_state_vector();
}

// Of a run that lives: the last parameters, which are in no file.
absl::StatusOr<v1::Answer> WithLastModel(absl::StatusOr<v1::Answer> answer) {
  if (!answer.ok()) return answer;
  answer->mutable_model()->set_model(v1::MODEL_LAST);
  answer->mutable_model()->set_batch(BatchOf(*answer));
  return answer;
}

}  // namespace

void RunRegistry::AskSaved(const std::shared_ptr<Run>& run, std::shared_ptr<const v1::Query> query,
                           const v1::ModelChoice& choice, const std::function<bool()>& awaited,
                           const QueryCallback& callback) {
  WorkPool& pool = query->has_evaluate() ? scores_pool_ : saved_pool_;
  const bool queued = pool.Submit([this, run, query = std::move(query), choice, awaited, callback] {
    const auto given_up = [this, &awaited] { return given_up_.load() || (awaited && !awaited()); };
    if (given_up_.load()) return callback(Stopping());
    callback(AnswerSavedQuery(run->place(), run->Now(), options_.trainer_program, *query, choice, given_up));
  });
  if (!queued) callback(Busy());
}

void RunRegistry::Query(const std::string& run_id, const std::shared_ptr<const v1::Query>& query,
                        const v1::ModelChoice& choice, const std::function<bool()>& awaited,
                        const QueryCallback& callback) {
  const absl::StatusOr<std::shared_ptr<Run>> run = Find(run_id);
  if (!run.ok()) return callback(run.status());
  if (IsSavedModel(choice)) return AskSaved(*run, query, choice, awaited, callback);
  const bool needs_parameters = NeedsParameters(*query);
  const auto from_trainer = [this, run = *run, query, choice, awaited, callback,
                             needs_parameters](absl::StatusOr<v1::Answer> answer) {
    // A run that ended a moment ago, or while it was being asked, still answers: from what it saved.
    const bool ended = ReasonOf(answer.status()) == v1::ERROR_REASON_RUN_ENDED;
    if (needs_parameters && ended) return AskSaved(run, query, choice, awaited, callback);
    callback(WithLastModel(std::move(answer)));
  };
  if ((*run)->AskQuery(query, from_trainer)) return;
  if (needs_parameters && IsTerminal((*run)->Now().status())) return AskSaved(*run, query, choice, awaited, callback);
  callback(NotAlive(**run));
}

absl::StatusOr<v1::PluginKindsAnswer> RunRegistry::AskPluginKinds() const {
  v1::SavedQuery question;
  question.mutable_query()->mutable_plugin_kinds();
  const std::string log_path = absl::StrCat(options_.data_directory, "/", kKindsLog);
  const auto given_up = [this] { return given_up_.load(); };
  absl::StatusOr<v1::Answer> answer = AskTrainerProgram(options_.trainer_program, question, log_path, given_up);
  if (given_up()) return Stopping();
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_plugin_kinds());
}

void RunRegistry::PluginKinds(const KindsCallback& callback) { plugin_kinds_.Get(callback); }

}  // namespace pilothouse::service
