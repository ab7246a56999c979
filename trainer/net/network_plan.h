// What a network computes, step by step, and where each step's parameters lie in the state vector.
#ifndef PILOTHOUSE_TRAINER_NET_NETWORK_PLAN_H_
#define PILOTHOUSE_TRAINER_NET_NETWORK_PLAN_H_

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// What a stage does. Positions say where parameters begin in the state vector.

// y = f(x).
struct MapStep {
  Activation activation = Activation::kTanh;
};

// y = x·W + b, with W [inputs, outputs] and b [outputs].
struct AffineStep {
  int64_t weights = 0;
  int64_t biases = 0;
};

// y = g·x̂ + b, see layer_norm.h, with g and b [outputs].
struct LayerNormStep {
  int64_t gains = 0;
  int64_t biases = 0;
};

// y = x, but in training, see dropout.h.
struct DropoutStep {
  double rate = 0;
};

// y = g·x̂ + b, see batch_norm.h, with g and b [outputs], in the state vector, and the running means and variances
// [outputs], in Learnt::statistics.
struct BatchNormStep {
  int64_t gains = 0;
  int64_t biases = 0;
  int64_t means = 0;
  int64_t variances = 0;
};

using Step = std::variant<MapStep, AffineStep, LayerNormStep, DropoutStep, BatchNormStep>;

struct Stage {
  Step step;
  // The layer it comes from, counted from 0.
  int64_t layer = 0;
  int64_t inputs = 0;
  int64_t outputs = 0;
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
  // Running statistics of batch norms: how many numbers.
  int64_t statistics = 0;
};

// How many numbers a stage keeps for each example between forward and backward.
int64_t NumbersPerExample(const Stage& stage);

// REQUIRES: ValidateNetwork and CheckLossFits are OK.
NetworkPlan MakePlan(const NetworkSpec& network, LossFunction loss);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_NETWORK_PLAN_H_
