// Test support: all kinds of rules, and gradients to try them with.
#ifndef PILOTHOUSE_TRAINER_OPTIM_RULE_KINDS_H_
#define PILOTHOUSE_TRAINER_OPTIM_RULE_KINDS_H_

#include <cmath>
#include <cstdint>

#include "trainer/net/matrix.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {

inline constexpr OptimizerKind kAllOptimizers[] = {
    OptimizerKind::kGradientDescent, OptimizerKind::kMomentum, OptimizerKind::kNesterov, OptimizerKind::kAdam,
    OptimizerKind::kAdamW,           OptimizerKind::kRmsProp,  OptimizerKind::kAdagrad};

// A number of no particular kind between −1 and 1 for each parameter, another for each `salt`.
template <typename T>
Vector<T> Numbers(int64_t parameters, int salt) {
  Vector<T> numbers(parameters);
  for (Eigen::Index i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<T>(std::sin(7.0 * salt + 1.3 * static_cast<double>(i)));
  }
  return numbers;
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_RULE_KINDS_H_
