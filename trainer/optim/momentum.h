// Gradient descent with momentum μ, as torch.optim.SGD with momentum: the velocity v sums up past gradients.
//
//   momentum   v ← μ·v + g    θ ← θ − η·v
//   Nesterov   v ← μ·v + g    θ ← θ − η·(g + μ·v)
#ifndef PILOTHOUSE_TRAINER_OPTIM_MOMENTUM_H_
#define PILOTHOUSE_TRAINER_OPTIM_MOMENTUM_H_

#include <cstdint>

#include "trainer/net/matrix.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// Keeps v, as "momentum", which begins with 0. T is float or double.
template <typename T>
class Momentum final : public UpdateRule<T> {
 public:
  // REQUIRES: kind is kMomentum or kNesterov.
  Momentum(OptimizerKind kind, int64_t parameters)
      : UpdateRule<T>(kind, parameters, {"momentum"}), nesterov_(kind == OptimizerKind::kNesterov) {}

  void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) override {
    const Vector<T>& g = this->Shaped(settings, gradient, parameters);
    const T eta = static_cast<T>(settings.eta);
    const T momentum = static_cast<T>(settings.momentum);
    Vector<T>& v = this->Kept(0);
    v = momentum * v + g;
    if (nesterov_) {
      parameters -= eta * (g + momentum * v);
    } else {
      parameters -= eta * v;
    }
  }

 private:
  const bool nesterov_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_MOMENTUM_H_
