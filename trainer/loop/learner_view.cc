#include "trainer/loop/learner_view.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "trainer/checkpoint/json_text.h"

namespace pilothouse::trainer {

namespace {

using Json = nlohmann::json;

constexpr char kView[] = "view";
constexpr char kConfusion[] = "confusion";

Json ToJson(const Validation& validation) {
  Json json = {
      {"batch", validation.batch}, {"loss", trainer::ToJson(validation.loss)}, {"examples", validation.examples}};
  for (const ScoreFacts& score : ScoresOfValidations()) {
    const std::optional<double>& value = validation.*score.value;
    if (value.has_value()) json[score.name] = trainer::ToJson(*value);
  }
  return json;
}

Validation ValidationFrom(const Json& json) {
  Validation validation;
  validation.batch = json.at("batch").get<int64_t>();
  validation.loss = NumberFrom(json.at("loss"));
  validation.examples = json.at("examples").get<int64_t>();
  for (const ScoreFacts& score : ScoresOfValidations()) {
    if (json.contains(score.name)) validation.*score.value = NumberFrom(json.at(score.name));
  }
  if (json.contains(kConfusion)) validation.confusion = json.at(kConfusion).get<std::vector<double>>();
  return validation;
}

}  // namespace

void LearnerView::Save(SavedState& state) const {
  Json json = {{"validations", validations_}, {"is_current", validation_is_current_}};
  if (validation_.has_value()) json["validation"] = ToJson(*validation_);
  // Nobody looks at those of a former validation.
  if (validation_is_current_) json["validation"][kConfusion] = validation_->confusion;
  state.texts[kView] = json.dump();
}

absl::Status LearnerView::Restore(const SavedState& state) {
  return ReadText(state, kView, [this](const Json& json) {
    std::optional<Validation> validation;
    if (json.contains("validation")) validation = ValidationFrom(json.at("validation"));
    const auto validations = json.at("validations").get<int64_t>();
    const bool is_current = json.at("is_current").get<bool>() && validation.has_value();
    Forget();
    validation_ = std::move(validation);
    validations_ = validations;
    validation_is_current_ = is_current;
  });
}

absl::StatusOr<double> LearnerView::Knob(absl::string_view name) const {
  const double value = run_.knobs.Get(name);
  if (!std::isnan(value)) return value;
  return run_.knobs.Check(name, 0, learner_.facts().parameters);
}

std::shared_ptr<const Model> LearnerView::Parameters() {
  if (parameters_ == nullptr) parameters_ = learner_.Snapshot();
  return parameters_;
}

absl::StatusOr<Validation> LearnerView::Validate() {
  if (validation_is_current_) return *validation_;
  absl::StatusOr<Validation> validation = learner_.Validate(run_.batch);
  if (!validation.ok()) return validation;
  validation_ = *validation;
  validation_is_current_ = true;
  ++validations_;
  return validation;
}

const absl::StatusOr<Validation>& LearnerView::Scores(HeldOutPart part) {
  const auto known = scores_.find(part);
  if (known != scores_.end()) return known->second;
  absl::StatusOr<Validation> scores =
      part == HeldOutPart::kTest ? learner_.Test(run_.batch) : learner_.Validate(run_.batch);
  return scores_.emplace(part, std::move(scores)).first->second;
}

}  // namespace pilothouse::trainer
