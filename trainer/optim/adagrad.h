// Adagrad, as torch.optim.Adagrad without decay of the learning rate: steps along the gradient, divided by the root of
// the sum s of all its squares. With ε epsilon:
//
//   s ← s + g²    θ ← θ − η·g / (√s + ε)
#ifndef PILOTHOUSE_TRAINER_OPTIM_ADAGRAD_H_
#define PILOTHOUSE_TRAINER_OPTIM_ADAGRAD_H_

#include <cstdint>

#include "trainer/net/matrix.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {

// Keeps s, as "square_sum", which begins with 0. T is float or double.
template <typename T>
class Adagrad final : public UpdateRule<T> {
 public:
  explicit Adagrad(int64_t parameters) : UpdateRule<T>(OptimizerKind::kAdagrad, parameters, {"square_sum"}) {}

  void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) override {
    const auto g = this->Shaped(settings, gradient, parameters).array();
    auto s = this->Kept(0).array();
    s += g.square();
    parameters.array() -= static_cast<T>(settings.eta) * g / (s.sqrt() + static_cast<T>(settings.epsilon));
  }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_ADAGRAD_H_
