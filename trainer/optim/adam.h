// Adam and AdamW, as torch.optim.Adam and AdamW: steps along the running mean m of the gradient, divided by the root of
// that of its square, v. In update t, the first being 1, with β₁ beta1, β₂ beta2 and ε epsilon:
//
//   AdamW only   θ ← θ·(1 − η·λ)    and g has no weight decay
//   both         m ← β₁·m + (1 − β₁)·g    v ← β₂·v + (1 − β₂)·g²
//                θ ← θ − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
#ifndef PILOTHOUSE_TRAINER_OPTIM_ADAM_H_
#define PILOTHOUSE_TRAINER_OPTIM_ADAM_H_

#include <cmath>
#include <cstdint>

#include "trainer/kernels/scalar_functions.h"
#include "trainer/net/matrix.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// Keeps m and v, as "mean" and "square", which begin with 0, and how many updates it made. T is float or double.
template <typename T>
class Adam final : public UpdateRule<T> {
 public:
  // REQUIRES: kind is kAdam or kAdamW.
  Adam(OptimizerKind kind, int64_t parameters)
      : UpdateRule<T>(kind, parameters, {"mean", "square"}, true), decoupled_(kind == OptimizerKind::kAdamW) {}

  void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) override {
    if (!decoupled_) return Step(settings, this->Shaped(settings, gradient, parameters), parameters);
    if (settings.weight_decay > 0) parameters *= static_cast<T>(1 - settings.eta * settings.weight_decay);
    UpdateSettings without_decay = settings;
    without_decay.weight_decay = 0;
    Step(settings, this->Shaped(without_decay, gradient, parameters), parameters);
  }

 private:
  void Step(const UpdateSettings& settings, const Vector<T>& g, Vector<T>& parameters) {
    const double t = this->NextUpdate();
    const T step = static_cast<T>(settings.eta / fixed::OneMinusPower(settings.beta1, t));
    // Multiplied by: roots and divisions are what an update waits for.
    const T by_root = static_cast<T>(1 / std::sqrt(fixed::OneMinusPower(settings.beta2, t)));
    const T epsilon = static_cast<T>(settings.epsilon);
    auto m = this->Kept(0).array();
    auto v = this->Kept(1).array();
    m = static_cast<T>(settings.beta1) * m + static_cast<T>(1 - settings.beta1) * g.array();
    v = static_cast<T>(settings.beta2) * v + static_cast<T>(1 - settings.beta2) * g.array().square();
    parameters.array() -= step * m / (v.sqrt() * by_root + epsilon);
  }

  const bool decoupled_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_ADAM_H_
