#include "trainer/net/network.h"

#include <algorithm>
#include <utility>

#include "trainer/net/activation.h"

namespace pilothouse::trainer {
namespace {

// The parameters of an affine stage, or their gradients, within a state vector.
template <typename T>
ConstMatrixView<T> Weights(const Stage& stage, const Vector<T>& state) {
  return {state.data() + stage.weights, stage.inputs, stage.outputs};
}

template <typename T>
MatrixView<T> Weights(const Stage& stage, Vector<T>& state) {
  return {state.data() + stage.weights, stage.inputs, stage.outputs};
}

template <typename T>
void AffineForward(const Stage& stage, const Vector<T>& parameters, ConstMatrixView<T> x, MatrixView<T> y) {
  y.noalias() = x * Weights(stage, parameters);
  y.rowwise() += parameters.segment(stage.biases, stage.outputs).transpose();
}

template <typename T>
void AffineParameterGradient(const Stage& stage, ConstMatrixView<T> x, ConstMatrixView<T> delta, Vector<T>& gradient) {
  Weights(stage, gradient).noalias() = x.transpose() * delta;
  gradient.segment(stage.biases, stage.outputs).transpose() = delta.colwise().sum();
}

}  // namespace

template <typename T>
Network<T>::Network(NetworkPlan plan, int64_t max_rows) : plan_(std::move(plan)) {
  int64_t largest = 0;
  results_.reserve(plan_.stages.size());
  for (const Stage& stage : plan_.stages) {
    results_.emplace_back(max_rows, stage.outputs);
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
  return {results_[stage].data(), rows_, plan_.stages[stage].outputs};
}

template <typename T>
ConstMatrixView<T> Network<T>::Forward(const Vector<T>& parameters, ConstMatrixView<T> inputs) {
  rows_ = inputs.rows();
  const T* x = inputs.data();
  for (size_t i = 0; i < plan_.stages.size(); ++i) {
    const Stage& stage = plan_.stages[i];
    const ConstMatrixView<T> stage_inputs(x, rows_, stage.inputs);
    if (stage.activation.has_value()) {
      ActivationForward<T>(*stage.activation, stage_inputs, Result(i));
    } else {
      AffineForward<T>(stage, parameters, stage_inputs, Result(i));
    }
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
  for (size_t i = plan_.stages.size(); i-- > 0;) {
    const Stage& stage = plan_.stages[i];
    const ConstMatrixView<T> x(i == 0 ? inputs.data() : results_[i - 1].data(), rows_, stage.inputs);
    const MatrixView<T> delta(delta_.data(), rows_, stage.outputs);
    if (stage.activation.has_value()) {
      ActivationBackward<T>(*stage.activation, x, ConstMatrixView<T>(results_[i].data(), rows_, stage.outputs), delta);
      continue;
    }
    AffineParameterGradient<T>(stage, x, ConstMatrixView<T>(delta.data(), rows_, stage.outputs), gradient);
    if (i == 0) return;  // nobody asks for the gradient with respect to the data
    MatrixView<T>(next_delta_.data(), rows_, stage.inputs).noalias() = delta * Weights(stage, parameters).transpose();
    delta_.swap(next_delta_);
  }
}

template <typename T>
ConstMatrixView<T> Network<T>::Predict(const Vector<T>& parameters, ConstMatrixView<T> inputs) {
  const ConstMatrixView<T> outputs = Forward(parameters, inputs);
  if (plan_.prediction_activation.has_value()) {
    ActivationForward<T>(*plan_.prediction_activation, outputs, Result(plan_.stages.size() - 1));
  }
  return outputs;
}

template class Network<float>;
template class Network<double>;

}  // namespace pilothouse::trainer
