#include "trainer/optim/update_rule.h"

#include "trainer/optim/adagrad.h"
#include "trainer/optim/adam.h"
#include "trainer/optim/gradient_descent.h"
#include "trainer/optim/momentum.h"
#include "trainer/optim/rms_prop.h"

namespace pilothouse::trainer {

template <typename T>
std::unique_ptr<UpdateRule<T>> MakeUpdateRule(OptimizerKind kind, int64_t parameters) {
  switch (kind) {
    case OptimizerKind::kGradientDescent:
      break;
    case OptimizerKind::kMomentum:
    case OptimizerKind::kNesterov:
      return std::make_unique<Momentum<T>>(kind, parameters);
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
      return std::make_unique<Adam<T>>(kind, parameters);
    case OptimizerKind::kRmsProp:
      return std::make_unique<RmsProp<T>>(parameters);
    case OptimizerKind::kAdagrad:
      return std::make_unique<Adagrad<T>>(parameters);
  }
  return std::make_unique<GradientDescent<T>>(parameters);
}

template std::unique_ptr<UpdateRule<float>> MakeUpdateRule(OptimizerKind, int64_t);
template std::unique_ptr<UpdateRule<double>> MakeUpdateRule(OptimizerKind, int64_t);

}  // namespace pilothouse::trainer
