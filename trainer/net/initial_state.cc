#include "trainer/net/initial_state.h"

#include <algorithm>
#include <cmath>

#include "trainer/net/random.h"

namespace pilothouse::trainer {
namespace {

// The activation that the outputs of layer `index` go into, if any.
std::optional<Activation> NextActivation(const NetworkSpec& network, size_t index) {
  for (size_t i = index + 1; i < network.layers.size(); ++i) {
    if (const auto* map = std::get_if<MapLayer>(&network.layers[i])) return map->activation;
    if (std::holds_alternative<AffineLayer>(network.layers[i])) break;
  }
  return std::nullopt;
}

// He before activations that let through one half of the line, Glorot elsewhere.
double WeightDeviation(const AffineLayer& affine, std::optional<Activation> next) {
  const bool one_sided = next == Activation::kRelu || next == Activation::kGelu;
  return std::sqrt(2.0 / static_cast<double>(one_sided ? affine.inputs : affine.inputs + affine.outputs));
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
  const bool scaled = network.initializer == Initializer::kScaled;
  int64_t position = 0;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const auto* affine = std::get_if<AffineLayer>(&network.layers[i]);
    if (affine == nullptr) continue;
    const double weight_deviation = scaled ? WeightDeviation(*affine, NextActivation(network, i)) : 1;
    const double bias_deviation = scaled ? 0 : 1;
    const int64_t biases = position + affine->inputs * affine->outputs;
    for (; position < biases; ++position) {
      state[position] = static_cast<T>(weight_deviation * random.Normal(static_cast<uint64_t>(position)));
    }
    for (const int64_t end = biases + affine->outputs; position < end; ++position) {
      state[position] = static_cast<T>(bias_deviation * random.Normal(static_cast<uint64_t>(position)));
    }
  }
  return state;
}

template Vector<float> InitialState(const NetworkSpec&, uint64_t);
template Vector<double> InitialState(const NetworkSpec&, uint64_t);

}  // namespace pilothouse::trainer
