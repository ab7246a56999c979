#include "trainer/channel/saved_query.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/parsed_file.h"
#include "trainer/channel/plugin_messages.h"
#include "trainer/channel/predict.h"
#include "trainer/channel/run_data.h"
#include "trainer/channel/run_spec.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {
namespace {

constexpr absl::string_view kRestoreToEvaluate = "Put the old data back to score anything on them.";

absl::Status AnswerState(const v1::StateQuery& query, const RunPlan& plan, const SavedModel& saved,
                         v1::StateAnswer& answer) {
  answer.set_batch(saved.batch);
  answer.set_status(v1::RUN_STATUS_STOPPED);
  if (!query.include_state_vector()) return absl::OkStatus();
  if (absl::Status status = CheckStateSize(ParameterCount(plan.learner.network)); !status.ok()) return status;
  *answer.mutable_state() = ToMessage(saved.model->State());
  return absl::OkStatus();
}

bool HasBatchNorm(const NetworkSpec& network) {
  return std::any_of(network.layers.begin(), network.layers.end(),
                     [](const Layer& layer) { return std::holds_alternative<BatchNormLayer>(layer); });
}

// Reads the run's data and cuts them as the run did.
absl::Status AnswerEvaluate(const v1::SavedQuery& query, RunPlan plan, int64_t batch, v1::EvaluateAnswer& answer) {
  // What a run's data may be was decided when it began.
  plan.learner.is_new = false;
  // Nothing is learnt, so whatever would be made ready for that is to be small; scores depend on none of it. Batch
  // norms refuse some sizes of batches, depending on how many examples there are, but not the run's own.
  plan.learner.threads = 1;
  if (!HasBatchNorm(plan.learner.network)) {
    plan.learner.full_batch = false;
    plan.learner.batch_size = 1;
  }
  const DataFiles files = DataFilesOf(query.data());
  const absl::StatusOr<std::string> found = HashOfData(files);
  if (!found.ok()) return found.status();
  if (absl::Status same = CheckDataHash(query.data().data_sha256(), *found, kRestoreToEvaluate); !same.ok()) {
    return same;
  }
  const std::unique_ptr<ParsedCopy> copy = ParsedCopyFor(query.data().directory(), files, *found);
  const absl::StatusOr<std::unique_ptr<Learner>> learner = BuildLearner(plan, files, copy.get());
  if (!learner.ok()) return learner.status();
  if (absl::Status loaded = (*learner)->Load(query.checkpoint_path()); !loaded.ok()) return loaded;
  const bool test = FromMessage(query.query().evaluate().part()) == HeldOutPart::kTest;
  const absl::StatusOr<Validation> scores = test ? (*learner)->Test(batch) : (*learner)->Validate(batch);
  if (!scores.ok()) return scores.status();
  answer = ToMessage(*scores);
  return absl::OkStatus();
}

void AnswerKinds(const PluginKinds& plugin_kinds, v1::PluginKindsAnswer& answer) {
  for (const auto& [name, kind] : plugin_kinds.all()) *answer.add_kinds() = ToMessage(kind);
}

absl::Status Answer(const v1::SavedQuery& query, v1::Answer& answer) {
  v1::RunSpec spec = query.spec();
  // How the run began does not matter any more, and a journal may not keep it.
  spec.mutable_network()->clear_initial_state();
  const absl::StatusOr<RunPlan> plan = PlanRun(spec);
  if (!plan.ok()) return plan.status();
  const NetworkSpec& network = plan->learner.network;
  const v1::Query& question = query.query();
  if (question.has_predict()) {
    absl::Status status = CheckPredict(question.predict(), InputCount(network), OutputCount(network));
    if (!status.ok()) return status;
  }
  const absl::StatusOr<SavedModel> saved = LoadModel(plan->learner, query.checkpoint_path(), query.checkpoint_sha256());
  if (!saved.ok()) return saved.status();
  if (question.has_predict()) {
    *answer.mutable_predict() = Predict(question.predict(), *saved->model, saved->batch);
    return absl::OkStatus();
  }
  if (question.has_evaluate()) return AnswerEvaluate(query, *plan, saved->batch, *answer.mutable_evaluate());
  if (question.has_state()) return AnswerState(question.state(), *plan, *saved, *answer.mutable_state());
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "query", "The trainer knows no such question.");
}

}  // namespace

v1::Answer AnswerSaved(const v1::SavedQuery& query, const PluginKinds& plugin_kinds) {
  v1::Answer answer;
  if (query.query().has_plugin_kinds()) {
    AnswerKinds(plugin_kinds, *answer.mutable_plugin_kinds());
  } else if (const absl::Status status = Answer(query, answer); !status.ok()) {
    *answer.mutable_error() = ToError(status);
  }
  answer.set_query_id(query.query().query_id());
  return answer;
}

}  // namespace pilothouse::trainer
