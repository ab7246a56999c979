// Plain gradient descent: θ ← θ − η·g, with parameters θ, learning rate η (eta) and gradient g.
#ifndef PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
#define PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_

#include "absl/status/status.h"
#include "trainer/net/matrix.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// T is float or double. Has no state of its own.
template <typename T>
class GradientDescent final : public UpdateRule<T> {
 public:
  void Update(double eta, const Vector<T>& gradient, Vector<T>& parameters) override {
    parameters.noalias() -= static_cast<T>(eta) * gradient;
  }
  void Reset() override {}
  void Save(SavedState&) const override {}
  absl::Status Restore(const SavedState&) override { return absl::OkStatus(); }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
