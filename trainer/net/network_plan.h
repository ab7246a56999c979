// What a network computes, step by step, and where each step's parameters lie in the state vector.
#ifndef PILOTHOUSE_TRAINER_NET_NETWORK_PLAN_H_
#define PILOTHOUSE_TRAINER_NET_NETWORK_PLAN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// One step: an activation, or, where there is none, y = x·W + b.
struct Stage {
  std::optional<Activation> activation;
  // The layer it comes from, counted from 0.
  int64_t layer = 0;
  int64_t inputs = 0;
  int64_t outputs = 0;
  // Of an affine stage: where W [inputs, outputs] and b [outputs] begin in the state vector.
  int64_t weights = 0;
  int64_t biases = 0;
};

// Identity layers take no stage. A final softmax under cross_entropy and a final sigmoid under binary_cross_entropy
// take none either, since those losses work on logits; instead every network under such a loss has
// `prediction_activation`, which turns its outputs into probabilities.
struct NetworkPlan {
  std::vector<Stage> stages;
  std::optional<Activation> prediction_activation;
  int64_t inputs = 0;
  int64_t outputs = 0;
  int64_t parameters = 0;
};

// REQUIRES: ValidateNetwork and CheckLossFits are OK.
NetworkPlan MakePlan(const NetworkSpec& network, LossFunction loss);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_NETWORK_PLAN_H_
