// Plain gradient descent, as torch.optim.SGD: θ ← θ − η·g.
#ifndef PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
#define PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_

#include <cstdint>
#include <optional>

#include "trainer/net/matrix.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// T is float or double.
template <typename T>
class GradientDescent final : public UpdateRule<T> {
 public:
  explicit GradientDescent(int64_t parameters) : UpdateRule<T>(OptimizerKind::kGradientDescent, parameters) {}

  void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) override {
    parameters.noalias() -= static_cast<T>(settings.eta) * this->Shaped(settings, gradient, parameters);
  }

  std::optional<T> PlainStep(const UpdateSettings& settings) const override {
    if (!LeavesGradient(settings)) return std::nullopt;
    return static_cast<T>(settings.eta);
  }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
