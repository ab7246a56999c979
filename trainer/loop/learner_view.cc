#include "trainer/loop/learner_view.h"

#include <cmath>

namespace pilothouse::trainer {

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

}  // namespace pilothouse::trainer
