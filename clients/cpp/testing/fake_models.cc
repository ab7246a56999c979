// What the parameters of a house's runs are, answer and score.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/testing/fake_house.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

constexpr char kBestFile[] = "best.safetensors";

}  // namespace

void FakeHouse::AddSaved(const std::string& run_id, const std::string& file, int64_t batch) {
  MutexLock lock(mutex_);
  Get(run_id).saved[file] = batch;
}

void FakeHouse::DamageBest(const std::string& run_id, const std::string& file, int64_t batch) {
  MutexLock lock(mutex_);
  Get(run_id).damaged_best = MakeError(v1::ERROR_REASON_CHECKPOINT_DAMAGED, "model", "it is damaged.",
                                       {{"file", file}, {"batch", absl::StrCat(batch)}});
}

absl::Status FakeHouse::Choose(const FakeRun& run, const v1::ModelChoice& choice, v1::ModelUsed& used) {
  const bool last = choice.saved_file().empty() && choice.model() != v1::MODEL_BEST;
  used.set_batch(run.run.batch());
  if (choice.saved_file().empty()) used.set_model(last ? v1::MODEL_LAST : v1::MODEL_BEST);
  if (last) return absl::OkStatus();
  if (choice.model() == v1::MODEL_BEST && !run.damaged_best.ok()) return run.damaged_best;
  const std::string name = choice.saved_file().empty() ? kBestFile : choice.saved_file();
  const auto saved = run.saved.find(name);
  if (saved == run.saved.end()) {
    return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "model", absl::StrCat("nothing was saved as ", name, "."),
                     {{"run_id", run.run.run_id()}});
  }
  used.set_file(absl::StrCat("saved/", name));
  used.set_batch(saved->second);
  return absl::OkStatus();
}

absl::Status FakeHouse::GetStateLocked(const v1::GetStateRequest& request, v1::GetStateResponse& response) {
  const FakeRun& run = Get(request.run_id());
  *response.mutable_run() = run.run;
  v1::ModelUsed used;
  const v1::ModelChoice choice = older_ ? v1::ModelChoice() : request.model();
  if (const absl::Status chosen = Choose(run, choice, used); !chosen.ok()) return chosen;
  if (used.model() != v1::MODEL_LAST) *response.mutable_model() = used;
  if (!request.include_state_vector()) return absl::OkStatus();
  std::vector<double> state;
  const int64_t parameters = run.run.facts().parameters();
  for (int64_t i = 1; i <= parameters; ++i) state.push_back(static_cast<double>(i) / 10);
  *response.mutable_state() = MakeTensor(state, {parameters});
  return absl::OkStatus();
}

absl::Status FakeHouse::PredictLocked(const v1::PredictRequest& request, v1::PredictResponse& response) {
  const FakeRun& run = Get(request.run_id());
  const v1::ModelChoice choice = older_ ? v1::ModelChoice() : request.model();
  if (const absl::Status chosen = Choose(run, choice, *response.mutable_model()); !chosen.ok()) return chosen;
  const std::vector<double> inputs = ToDoubles(request.inputs());
  const int64_t rows = request.inputs().shape(0);
  const int64_t width = request.inputs().shape(1);
  const int64_t outputs = run.run.facts().outputs();
  predictions_.push_back(rows);
  std::vector<double> answers;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < outputs; ++j) answers.push_back(j < width ? inputs[row * width + j] : 0.0);
  }
  *response.mutable_outputs() = MakeTensor(answers, {rows, outputs});
  response.set_batch(response.model().batch());
  if (older_) response.clear_model();
  return absl::OkStatus();
}

absl::Status FakeHouse::EvaluateLocked(const v1::EvaluateRequest& request, v1::EvaluateResponse& response) {
  evaluations_.push_back(request);
  const FakeRun& run = Get(request.run_id());
  const bool test = request.part() != v1::DATA_PART_VALIDATION;
  const int64_t examples = test ? run.run.facts().test_examples() : run.run.facts().validation_examples();
  if (examples == 0) {
    return test ? MakeError(v1::ERROR_REASON_NO_TEST_DATA, "part", "the run keeps no examples for the end.")
                : MakeError(v1::ERROR_REASON_NO_VALIDATION_DATA, "part", "the run holds no examples out.");
  }
  if (const absl::Status chosen = Choose(run, request.model(), *response.mutable_model()); !chosen.ok()) return chosen;
  response.set_part(test ? v1::DATA_PART_TEST : v1::DATA_PART_VALIDATION);
  response.set_examples(examples);
  for (const auto& [name, value] : {std::pair{"loss", 0.25},
                                    {"accuracy", 0.875},
                                    {"confusion.0.0", 4.0},
                                    {"confusion.0.1", 1.0},
                                    {"confusion.1.0", 0.0},
                                    {"confusion.1.1", 3.0}}) {
    v1::NamedValue& score = *response.add_values();
    score.set_name(name);
    score.set_value(value);
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::client
