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

// What a layer does whose parameters begin at `offset` and whose running statistics, if any, at `statistics`; nothing
// for an identity.
std::optional<Step> StepOf(const Layer& layer, int64_t offset, int64_t statistics) {
  if (const auto* affine = std::get_if<AffineLayer>(&layer)) {
    return AffineStep{offset, offset + affine->inputs * affine->outputs};
  }
  if (const auto* norm = std::get_if<LayerNormLayer>(&layer)) return LayerNormStep{offset, offset + norm->features};
  if (const auto* norm = std::get_if<BatchNormLayer>(&layer)) {
    return BatchNormStep{offset, offset + norm->features, statistics, statistics + norm->features};
  }
  if (const auto* map = std::get_if<MapLayer>(&layer)) return MapStep{map->activation};
  if (const auto* dropout = std::get_if<DropoutLayer>(&layer)) return DropoutStep{dropout->rate};
  return std::nullopt;
}

}  // namespace

int64_t NumbersPerExample(const Stage& stage) {
  return std::holds_alternative<DropoutStep>(stage.step) ? 2 * stage.outputs : stage.outputs;
}

NetworkPlan MakePlan(const NetworkSpec& network, LossFunction loss) {
  NetworkPlan plan;
  plan.inputs = InputCount(network);
  plan.outputs = OutputCount(network);
  plan.parameters = ParameterCount(network);
  plan.prediction_activation = PredictionActivation(loss);
  int64_t width = plan.inputs;
  int64_t offset = 0;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    const std::optional<Step> step = StepOf(layer, offset, plan.statistics);
    if (!step.has_value()) continue;
    const auto* affine = std::get_if<AffineLayer>(&layer);
    const int64_t outputs = affine == nullptr ? width : affine->outputs;
    plan.stages.push_back({.step = *step, .layer = static_cast<int64_t>(i), .inputs = width, .outputs = outputs});
    offset += ParameterCount(layer);
    if (std::holds_alternative<BatchNormStep>(*step)) plan.statistics += 2 * outputs;
    width = outputs;
  }
  // The loss takes logits. CheckLossFits has made sure that a last activation is the one that belongs to the loss.
  if (plan.prediction_activation.has_value() && std::holds_alternative<MapStep>(plan.stages.back().step)) {
    plan.stages.pop_back();
  }
  return plan;
}

}  // namespace pilothouse::trainer
