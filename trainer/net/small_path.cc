#include "trainer/net/small_path.h"

#include <algorithm>
#include <variant>

namespace pilothouse::trainer {
namespace {

std::optional<SmallStage::Kind> KindOf(Activation activation) {
  switch (activation) {
    case Activation::kTanh:
      return SmallStage::Kind::kTanh;
    case Activation::kRelu:
      return SmallStage::Kind::kRelu;
    case Activation::kSigmoid:
      return SmallStage::Kind::kSigmoid;
    default:
      return std::nullopt;
  }
}

std::optional<SmallStage> SmallStageOf(const Stage& stage) {
  SmallStage small{.inputs = stage.inputs, .outputs = stage.outputs};
  if (std::max(stage.inputs, stage.outputs) > kSmallWidth) return std::nullopt;
  if (const auto* affine = std::get_if<AffineStep>(&stage.step)) {
    small.weights = affine->weights;
    small.biases = affine->biases;
    return small;
  }
  const auto* map = std::get_if<MapStep>(&stage.step);
  const std::optional<SmallStage::Kind> kind = map == nullptr ? std::nullopt : KindOf(map->activation);
  if (!kind.has_value()) return std::nullopt;
  small.kind = *kind;
  return small;
}

}  // namespace

template <typename T>
SmallPath<T>::SmallPath(const SmallNetwork<T>& network) : network_(network), memory_(kSmallElements) {
  std::fill_n(memory_.data(), kSmallElements, T{0});
}

template <typename T>
std::optional<SmallPath<T>> SmallPath<T>::Find(const NetworkPlan& plan, int64_t max_rows) {
  if (max_rows > kSmallRows || static_cast<int64_t>(plan.stages.size()) > kSmallStages) return std::nullopt;
  SmallNetwork<T> network;
  for (const Stage& stage : plan.stages) {
    const std::optional<SmallStage> small = SmallStageOf(stage);
    if (!small.has_value()) return std::nullopt;
    network.stages[network.stage_count++] = *small;
  }
  return SmallPath(network);
}

template <typename T>
void SmallPath<T>::Forward(const Vector<T>& parameters, ConstMatrixView<T> inputs, T* outputs) {
  rows_ = inputs.rows();
  BestKernels<T>().small_forward(pass(inputs.data()), parameters.data(), outputs);
}

template <typename T>
void SmallPath<T>::Backward(const Vector<T>& parameters, const T* delta, T* gradient, T* descended, T step) {
  BestKernels<T>().small_backward(pass(nullptr), parameters.data(), delta, gradient, descended, step);
}

template <typename T>
void SmallPath<T>::CopyResult(size_t stage, T* to) const {
  const T* result = memory_.data();
  for (size_t i = 0; i <= stage; ++i) result += network_.stages[i].inputs * kSmallRows;
  const int64_t width = network_.stages[stage].outputs;
  for (int64_t row = 0; row < rows_; ++row) {
    for (int64_t unit = 0; unit < width; ++unit) to[row * width + unit] = result[unit * kSmallRows + row];
  }
}

template class SmallPath<float>;
template class SmallPath<double>;

}  // namespace pilothouse::trainer
