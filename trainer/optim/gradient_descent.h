// Plain gradient descent: θ ← θ − η·g, with parameters θ, learning rate η (eta) and gradient g.
#ifndef PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
#define PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_

#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// T is float or double. Has no state of its own.
template <typename T>
class GradientDescent {
 public:
  // REQUIRES: parameters.size() == gradient.size().
  void Update(double eta, const Vector<T>& gradient, Vector<T>& parameters) const {
    parameters.noalias() -= static_cast<T>(eta) * gradient;
  }
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_GRADIENT_DESCENT_H_
