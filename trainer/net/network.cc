#include "trainer/net/network.h"

#include <algorithm>
#include <utility>

#include "trainer/net/activation.h"
#include "trainer/net/dropout.h"
#include "trainer/net/layer_norm.h"

namespace pilothouse::trainer {
namespace {

// What a stage's step forward needs besides what goes in and comes out.
template <typename T>
struct StageContext {
  const Vector<T>& parameters;
  int64_t layer;
  // Null outside training.
  const RandomStream* random;
  // Null in training.
  const Vector<T>* statistics;
  StageMemory<T>& memory;
  const Multiplier<T>& multiplier;
};

template <typename T>
void StepForward(const MapStep& step, const StageContext<T>& /*context*/, ConstMatrixView<T> x, MatrixView<T> y) {
  ActivationForward<T>(step.activation, x, y);
}

template <typename T>
void StepForward(const AffineStep& step, const StageContext<T>& context, ConstMatrixView<T> x, MatrixView<T> y) {
  const T* parameters = context.parameters.data();
  AffineForward<T>(context.multiplier, x, {parameters + step.weights, x.cols(), y.cols()}, parameters + step.biases, y);
}

template <typename T>
void StepForward(const LayerNormStep& step, const StageContext<T>& context, ConstMatrixView<T> x, MatrixView<T> y) {
  const T* parameters = context.parameters.data();
  LayerNormForward<T>({parameters + step.gains, y.cols()}, {parameters + step.biases, y.cols()}, x, y);
}

template <typename T>
void StepForward(const DropoutStep& step, const StageContext<T>& context, ConstMatrixView<T> x, MatrixView<T> y) {
  if (context.random == nullptr) {
    y = x;
    return;
  }
  const MatrixView<T> factors(context.memory.factors.data(), x.rows(), x.cols());
  DrawDropout<T>(*context.random, step.rate, context.layer, factors);
  y = x.cwiseProduct(factors);
}

template <typename T>
void StepForward(const BatchNormStep& step, const StageContext<T>& context, ConstMatrixView<T> x, MatrixView<T> y) {
  FeatureStatistics& features = context.memory.features;
  if (context.statistics == nullptr) {
    MeasureFeatures<T>(x, features);
  } else {
    const T* statistics = context.statistics->data();
    TakeRunning<T>({statistics + step.means, x.cols()}, {statistics + step.variances, x.cols()}, features);
  }
  const T* parameters = context.parameters.data();
  BatchNormForward<T>(features, {parameters + step.gains, y.cols()}, {parameters + step.biases, y.cols()}, x, y);
}

// θ ← θ − step·g for `count` parameters from `begin` on.
template <typename T>
void Descend(const Vector<T>& gradient, int64_t begin, int64_t count, T step, T* descended) {
  if (descended == nullptr) return;
  for (int64_t i = begin; i < begin + count; ++i) descended[i] -= step * gradient[i];
}

}  // namespace

template <typename T>
Network<T>::Network(NetworkPlan plan, int64_t max_rows, const NetworkOptions& options)
    : plan_(std::move(plan)), seed_(options.seed), multiplier_(options.threads) {
  if (!options.through_stages) small_ = SmallPath<T>::Find(plan_, max_rows);
  int64_t largest = 0;
  results_.reserve(plan_.stages.size());
  memories_.reserve(plan_.stages.size());
  for (const Stage& stage : plan_.stages) {
    results_.emplace_back(max_rows, stage.outputs);
    const bool drops = std::holds_alternative<DropoutStep>(stage.step);
    const bool measures = std::holds_alternative<BatchNormStep>(stage.step);
    memories_.push_back(
        {Matrix<T>(drops ? max_rows : 0, stage.outputs), FeatureStatistics(measures ? stage.outputs : 0)});
    largest = std::max(largest, stage.outputs);
  }
  delta_.resize(max_rows * largest);
  next_delta_.resize(max_rows * largest);
}

template <typename T>
MatrixView<T> Network<T>::Result(size_t stage) {
  return {results_[stage].data(), rows_, plan_.stages[stage].outputs};
}

template <typename T>
ConstMatrixView<T> Network<T>::StageResult(size_t stage) const {
  if (small_was_last_) small_->CopyResult(stage, results_[stage].data());
  return {results_[stage].data(), rows_, plan_.stages[stage].outputs};
}

template <typename T>
ConstMatrixView<T> Network<T>::Forward(const Vector<T>& parameters, ConstMatrixView<T> inputs, int64_t batch) {
  if (small_.has_value()) {
    rows_ = inputs.rows();
    small_was_last_ = true;
    T* const outputs = results_.back().data();
    small_->Forward(parameters, inputs, outputs);
    return {outputs, rows_, plan_.outputs};
  }
  const RandomStream random(seed_, RandomPurpose::kDropout, static_cast<uint64_t>(batch));
  return Pass(parameters, inputs, &random, nullptr);
}

template <typename T>
ConstMatrixView<T> Network<T>::Evaluate(const Learnt<T>& learnt, ConstMatrixView<T> inputs) {
  return Pass(learnt.parameters, inputs, nullptr, &learnt.statistics);
}

template <typename T>
ConstMatrixView<T> Network<T>::Pass(const Vector<T>& parameters, ConstMatrixView<T> inputs, const RandomStream* random,
                                    const Vector<T>* statistics) {
  rows_ = inputs.rows();
  small_was_last_ = false;
  const T* x = inputs.data();
  for (size_t i = 0; i < plan_.stages.size(); ++i) {
    const Stage& stage = plan_.stages[i];
    const StageContext<T> context{parameters, stage.layer, random, statistics, memories_[i], multiplier_};
    const ConstMatrixView<T> stage_inputs(x, rows_, stage.inputs);
    std::visit([&](const auto& step) { StepForward<T>(step, context, stage_inputs, Result(i)); }, stage.step);
    x = results_[i].data();
  }
  return {x, rows_, plan_.outputs};
}

template <typename T>
MatrixView<T> Network<T>::OutputGradient() {
  return {delta_.data(), rows_, plan_.outputs};
}

template <typename T>
void Network<T>::Backward(const Vector<T>& parameters, ConstMatrixView<T> inputs, Vector<T>& gradient) {
  Backward(parameters, inputs, gradient, nullptr, 0);
}

template <typename T>
void Network<T>::BackwardAndDescend(Vector<T>& parameters, ConstMatrixView<T> inputs, T step, Vector<T>& gradient) {
  Backward(parameters, inputs, gradient, parameters.data(), step);
}

template <typename T>
void Network<T>::Backward(const Vector<T>& parameters, ConstMatrixView<T> inputs, Vector<T>& gradient, T* descended,
                          T step) {
  if (small_was_last_) return small_->Backward(parameters, delta_.data(), gradient.data(), descended, step);
  for (size_t i = plan_.stages.size(); i-- > 0;) {
    const ConstMatrixView<T> x(i == 0 ? inputs.data() : results_[i - 1].data(), rows_, plan_.stages[i].inputs);
    // Nobody asks for the gradient with respect to the data.
    StageBackward(i, parameters, x, /*input_gradient=*/i > 0, gradient, descended, step);
  }
}

template <typename T>
void Network<T>::StageBackward(size_t i, const Vector<T>& parameters, ConstMatrixView<T> x, bool input_gradient,
                               Vector<T>& gradient, T* descended, T step) {
  const Stage& stage = plan_.stages[i];
  MatrixView<T> delta(delta_.data(), rows_, stage.outputs);
  if (const auto* map = std::get_if<MapStep>(&stage.step)) {
    ActivationBackward<T>(map->activation, x, StageResult(i), delta);
  } else if (const auto* norm = std::get_if<LayerNormStep>(&stage.step)) {
    LayerNormBackward<T>({parameters.data() + norm->gains, stage.outputs}, x,
                         {gradient.data() + norm->gains, stage.outputs},
                         {gradient.data() + norm->biases, stage.outputs}, delta);
    Descend(gradient, norm->gains, 2 * stage.outputs, step, descended);
  } else if (std::holds_alternative<DropoutStep>(stage.step)) {
    delta.array() *= ConstMatrixView<T>(memories_[i].factors.data(), rows_, stage.outputs).array();
  } else if (const auto* batch_norm = std::get_if<BatchNormStep>(&stage.step)) {
    BatchNormBackward<T>(memories_[i].features, {parameters.data() + batch_norm->gains, stage.outputs}, x,
                         {gradient.data() + batch_norm->gains, stage.outputs},
                         {gradient.data() + batch_norm->biases, stage.outputs}, delta);
    Descend(gradient, batch_norm->gains, 2 * stage.outputs, step, descended);
  } else if (const auto* affine = std::get_if<AffineStep>(&stage.step)) {
    const ConstMatrixView<T> dy(delta_.data(), rows_, stage.outputs);
    // First, while the parameters are those of the forward pass.
    if (input_gradient) {
      AffineInputGradient<T>(multiplier_, dy, {parameters.data() + affine->weights, stage.inputs, stage.outputs},
                             {next_delta_.data(), rows_, stage.inputs});
    }
    AffineLearning<T> learning{.weight_gradient = gradient.data() + affine->weights,
                               .bias_gradient = gradient.data() + affine->biases};
    if (descended != nullptr) {
      learning.weights = descended + affine->weights;
      learning.biases = descended + affine->biases;
      learning.step = step;
    }
    AffineParameterGradient<T>(multiplier_, x, dy, learning);
    delta_.swap(next_delta_);
  }
}

template <typename T>
void Network<T>::UpdateStatistics(Vector<T>& statistics) const {
  if (plan_.statistics == 0) return;
  for (size_t i = 0; i < plan_.stages.size(); ++i) {
    const auto* norm = std::get_if<BatchNormStep>(&plan_.stages[i].step);
    if (norm == nullptr) continue;
    const int64_t features = plan_.stages[i].outputs;
    UpdateRunning<T>(memories_[i].features, {statistics.data() + norm->means, features},
                     {statistics.data() + norm->variances, features});
  }
}

template <typename T>
ConstMatrixView<T> Network<T>::Predict(const Learnt<T>& learnt, ConstMatrixView<T> inputs) {
  const ConstMatrixView<T> outputs = Evaluate(learnt, inputs);
  if (plan_.prediction_activation.has_value()) {
    ActivationForward<T>(*plan_.prediction_activation, outputs, Result(plan_.stages.size() - 1));
  }
  return outputs;
}

template class Network<float>;
template class Network<double>;

}  // namespace pilothouse::trainer
