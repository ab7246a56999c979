// Gradient descent with momentum μ, as torch.optim.SGD with momentum: the velocity v sums up past gradients.
//
//   momentum   v ← μ·v + g    θ ← θ − η·v
//   Nesterov   v ← μ·v + g    θ ← θ − η·(g + μ·v)
#ifndef PILOTHOUSE_TRAINER_OPTIM_MOMENTUM_H_
#define PILOTHOUSE_TRAINER_OPTIM_MOMENTUM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/net/matrix.h"
#include "trainer/optim/kept_vectors.h"
#include "trainer/optim/shaped_gradient.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// Keeps v, as "momentum", which begins with 0. T is float or double.
template <typename T>
class Momentum final : public UpdateRule<T> {
 public:
  // REQUIRES: kind is kMomentum or kNesterov.
  Momentum(OptimizerKind kind, int64_t parameters)
      : nesterov_(kind == OptimizerKind::kNesterov), kept_(kind, parameters, {"momentum"}, false) {}

  void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) override {
    const Vector<T>& g = shaped_.Of(settings, gradient, parameters);
    const T eta = static_cast<T>(settings.eta);
    const T momentum = static_cast<T>(settings.momentum);
    Vector<T>& v = kept_[0];
    v = momentum * v + g;
    if (nesterov_) {
      parameters -= eta * (g + momentum * v);
    } else {
      parameters -= eta * v;
    }
  }
  void Reset() override { kept_.Reset(); }
  void Save(SavedState& state) const override { kept_.Save(state); }
  absl::Status Restore(const SavedState& state) override { return kept_.Restore(state); }

 private:
  const bool nesterov_;
  ShapedGradient<T> shaped_;
  KeptVectors<T> kept_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_MOMENTUM_H_
