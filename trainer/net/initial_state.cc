#include "trainer/net/initial_state.h"

#include <algorithm>
#include <cmath>

#include "trainer/net/random.h"

namespace pilothouse::trainer {
namespace {

// The activation that the outputs of layer `index` go into, whatever is between, if any.
std::optional<Activation> NextActivation(const NetworkSpec& network, size_t index) {
  for (size_t i = index + 1; i < network.layers.size(); ++i) {
    if (const auto* map = std::get_if<MapLayer>(&network.layers[i])) return map->activation;
    if (std::holds_alternative<AffineLayer>(network.layers[i])) break;
  }
  return std::nullopt;
}

// Whether an activation lets through one half of the line, be it in a bend.
bool IsOneSided(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
    case Activation::kGelu:
    case Activation::kLeakyRelu:
    case Activation::kSilu:
    case Activation::kSoftplus:
      return true;
    case Activation::kTanh:
    case Activation::kSigmoid:
    case Activation::kSoftmax:
      break;
  }
  return false;
}

// Standard deviations of the draws for one layer.
struct Deviations {
  double weights = 0;
  double biases = 0;
};

Deviations DeviationsOf(Initializer initializer, const AffineLayer& affine, std::optional<Activation> next) {
  if (initializer == Initializer::kScaled) {
    initializer = next.has_value() && IsOneSided(*next) ? Initializer::kHe : Initializer::kGlorot;
  }
  switch (initializer) {
    case Initializer::kNormal:
      return {1, 1};
    case Initializer::kHe:
      return {std::sqrt(2.0 / static_cast<double>(affine.inputs)), 0};
    case Initializer::kGlorot:
      return {std::sqrt(2.0 / static_cast<double>(affine.inputs + affine.outputs)), 0};
    case Initializer::kScaled:
    case Initializer::kZeros:
      break;
  }
  return {};
}

// Sets `count` parameters from `position` on. Without the sign that a draw times 0 would leave.
template <typename T>
void Draw(const RandomStream& random, double deviation, int64_t position, int64_t count, Vector<T>& state) {
  for (const int64_t end = position + count; position < end; ++position) {
    state[position] = deviation == 0 ? 0 : static_cast<T>(deviation * random.Normal(static_cast<uint64_t>(position)));
  }
}

}  // namespace

template <typename T>
Vector<T> InitialState(const NetworkSpec& network, uint64_t seed) {
  Vector<T> state(ParameterCount(network));
  if (network.initial_state.has_value()) {
    std::visit([&](const auto& values) { std::copy(values.begin(), values.end(), state.data()); },
               network.initial_state->values);
    return state;
  }
  const RandomStream random(seed, RandomPurpose::kInitialState, 0);
  int64_t position = 0;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    if (const auto features = NormFeatures(network.layers[i])) {
      state.segment(position, *features).setOnes();
      state.segment(position + *features, *features).setZero();
      position += ParameterCount(network.layers[i]);
    }
    const auto* affine = std::get_if<AffineLayer>(&network.layers[i]);
    if (affine == nullptr) continue;
    const Deviations deviations = DeviationsOf(network.initializer, *affine, NextActivation(network, i));
    const int64_t weights = affine->inputs * affine->outputs;
    Draw(random, deviations.weights, position, weights, state);
    Draw(random, deviations.biases, position + weights, affine->outputs, state);
    position += weights + affine->outputs;
  }
  return state;
}

template <typename T>
Vector<T> InitialStatistics(const NetworkPlan& plan) {
  Vector<T> statistics = Vector<T>::Zero(plan.statistics);
  for (const Stage& stage : plan.stages) {
    const auto* norm = std::get_if<BatchNormStep>(&stage.step);
    if (norm != nullptr) statistics.segment(norm->variances, stage.outputs).setOnes();
  }
  return statistics;
}

template Vector<float> InitialState(const NetworkSpec&, uint64_t);
template Vector<double> InitialState(const NetworkSpec&, uint64_t);
template Vector<float> InitialStatistics(const NetworkPlan&);
template Vector<double> InitialStatistics(const NetworkPlan&);

}  // namespace pilothouse::trainer
