// Plain gradient descent, as torch.optim.SGD: θ ← θ − η·g.
#ifndef PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
#define PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/net/matrix.h"
#include "trainer/optim/kept_vectors.h"
#include "trainer/optim/shaped_gradient.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// T is float or double.
template <typename T>
class GradientDescent final : public UpdateRule<T> {
 public:
  explicit GradientDescent(int64_t parameters) : kept_(OptimizerKind::kGradientDescent, parameters, {}, false) {}

  void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) override {
    parameters.noalias() -= static_cast<T>(settings.eta) * shaped_.Of(settings, gradient, parameters);
  }
  void Reset() override { kept_.Reset(); }
  void Save(SavedState& state) const override { kept_.Save(state); }
  absl::Status Restore(const SavedState& state) override { return kept_.Restore(state); }

 private:
  ShapedGradient<T> shaped_;
  KeptVectors<T> kept_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
