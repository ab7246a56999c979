// RMSProp, as torch.optim.RMSprop, not centered: steps along the gradient, divided by the root of the running mean v of
// its square. With ρ rho and ε epsilon:
//
//   v ← ρ·v + (1 − ρ)·g²    θ ← θ − η·g / (√v + ε)
#ifndef PILOTHOUSE_TRAINER_OPTIM_RMS_PROP_H_
#define PILOTHOUSE_TRAINER_OPTIM_RMS_PROP_H_

#include <cstdint>

#include "trainer/net/matrix.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// Keeps v, as "square", which begins with 0. T is float or double.
template <typename T>
class RmsProp final : public UpdateRule<T> {
 public:
  explicit RmsProp(int64_t parameters) : UpdateRule<T>(OptimizerKind::kRmsProp, parameters, {"square"}) {}

  void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) override {
    const auto g = this->Shaped(settings, gradient, parameters).array();
    auto v = this->Kept(0).array();
    v = static_cast<T>(settings.rho) * v + static_cast<T>(1 - settings.rho) * g.square();
    parameters.array() -= static_cast<T>(settings.eta) * g / (v.sqrt() + static_cast<T>(settings.epsilon));
  }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_RMS_PROP_H_
