#include "trainer/net/network_plan.h"

namespace pilothouse::trainer {
namespace {

std::optional<Activation> PredictionActivation(LossFunction loss) {
  switch (loss) {
    case LossFunction::kCrossEntropy:
      return Activation::kSoftmax;
    case LossFunction::kBinaryCrossEntropy:
      return Activation::kSigmoid;
    case LossFunction::kMse:
    case LossFunction::kHalfMse:
    case LossFunction::kHuber:
      break;
  }
  return std::nullopt;
}

}  // namespace

NetworkPlan MakePlan(const NetworkSpec& network, LossFunction loss) {
  NetworkPlan plan;
  plan.inputs = InputCount(network);
  plan.outputs = OutputCount(network);
  plan.parameters = ParameterCount(network);
  plan.prediction_activation = PredictionActivation(loss);
  int64_t width = plan.inputs;
  int64_t offset = 0;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    Stage stage;
    stage.layer = static_cast<int64_t>(i);
    stage.inputs = width;
    stage.outputs = width;
    if (const auto* affine = std::get_if<AffineLayer>(&network.layers[i])) {
      stage.outputs = affine->outputs;
      stage.weights = offset;
      stage.biases = offset + affine->inputs * affine->outputs;
    } else if (const auto* map = std::get_if<MapLayer>(&network.layers[i])) {
      stage.activation = map->activation;
    } else {
      continue;
    }
    offset += ParameterCount(network.layers[i]);
    width = stage.outputs;
    plan.stages.push_back(stage);
  }
  // The loss takes logits. CheckLossFits has made sure that a last activation is the one that belongs to the loss.
  if (plan.prediction_activation.has_value() && plan.stages.back().activation.has_value()) plan.stages.pop_back();
  return plan;
}

}  // namespace pilothouse::trainer
