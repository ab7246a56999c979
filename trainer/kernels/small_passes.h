// Forward and backward through a small network. V: one of the vectors.
#ifndef PILOTHOUSE_TRAINER_KERNELS_SMALL_PASSES_H_
#define PILOTHOUSE_TRAINER_KERNELS_SMALL_PASSES_H_

#include <cstdint>

#include "trainer/kernels/small_network.h"
#include "trainer/kernels/vector_maps.h"

namespace pilothouse::trainer {
namespace {

// y[u] = map(x[u], y[u]) for all units and examples.
template <typename V, typename Map>
void MapUnits(const typename V::Element* x, int64_t units, int64_t rows, typename V::Element* y, Map map) {
  for (int64_t unit = 0; unit < units; ++unit) {
    for (int64_t row = 0; row < rows; row += V::kLanes) {
      const int64_t place = unit * kSmallRows + row;
      map(V::Load(x + place), V::Load(y + place)).Store(y + place);
    }
  }
}

template <typename V>
void SmallAffineForward(const SmallStage& stage, const typename V::Element* parameters, const typename V::Element* x,
                        int64_t rows, typename V::Element* y) {
  for (int64_t j = 0; j < stage.outputs; ++j) {
    for (int64_t row = 0; row < rows; row += V::kLanes) {
      V sum = V::All(parameters[stage.biases + j]);
      for (int64_t k = 0; k < stage.inputs; ++k) {
        const V weight = V::All(parameters[stage.weights + k * stage.outputs + j]);
        sum = V::Fma(V::Load(x + k * kSmallRows + row), weight, sum);
      }
      sum.Store(y + j * kSmallRows + row);
    }
  }
}

template <typename V>
void SmallForward(const SmallPass<typename V::Element>& pass, const typename V::Element* parameters,
                  typename V::Element* outputs) {
  using T = typename V::Element;
  const SmallNetwork<T>& network = *pass.network;
  const int64_t inputs = network.stages[0].inputs;
  T* x = pass.memory;
  for (int64_t row = 0; row < pass.rows; ++row) {
    for (int64_t k = 0; k < inputs; ++k) x[k * kSmallRows + row] = pass.inputs[row * inputs + k];
  }
  for (int64_t i = 0; i < network.stage_count; ++i) {
    const SmallStage& stage = network.stages[i];
    T* const y = x + stage.inputs * kSmallRows;
    switch (stage.kind) {
      case SmallStage::Kind::kAffine:
        SmallAffineForward<V>(stage, parameters, x, pass.rows, y);
        break;
      case SmallStage::Kind::kTanh:
        MapUnits<V>(x, stage.outputs, pass.rows, y, TanhMap());
        break;
      case SmallStage::Kind::kRelu:
        MapUnits<V>(x, stage.outputs, pass.rows, y, ReluMap());
        break;
      case SmallStage::Kind::kSigmoid:
        MapUnits<V>(x, stage.outputs, pass.rows, y, SigmoidMap());
        break;
    }
    x = y;
  }
  const int64_t width = network.stages[network.stage_count - 1].outputs;
  for (int64_t row = 0; row < pass.rows; ++row) {
    for (int64_t j = 0; j < width; ++j) outputs[row * width + j] = x[j * kSmallRows + row];
  }
}

// dx = dy·Wᵀ.
template <typename V>
void SmallInputGradient(const SmallStage& stage, const typename V::Element* parameters, const typename V::Element* dy,
                        int64_t rows, typename V::Element* dx) {
  for (int64_t k = 0; k < stage.inputs; ++k) {
    for (int64_t row = 0; row < rows; row += V::kLanes) {
      V sum = V::All(0);
      for (int64_t j = 0; j < stage.outputs; ++j) {
        const V weight = V::All(parameters[stage.weights + k * stage.outputs + j]);
        sum = V::Fma(V::Load(dy + j * kSmallRows + row), weight, sum);
      }
      sum.Store(dx + k * kSmallRows + row);
    }
  }
}

// Gradients, and, where `descended` is not null, a step down them.
template <typename T>
struct SmallLearning {
  T* gradient;
  T* descended;
  T step;

  void Set(int64_t parameter, T value) const {
    gradient[parameter] = value;
    if (descended == nullptr) return;
    const T change = step * value;
    descended[parameter] = descended[parameter] - change;
  }
};

// dW = xᵀ·dy and db = Σ_rows dy.
template <typename V>
void SmallParameterGradient(const SmallStage& stage, const typename V::Element* x, const typename V::Element* dy,
                            int64_t rows, const SmallLearning<typename V::Element>& learning) {
  using T = typename V::Element;
  for (int64_t j = 0; j < stage.outputs; ++j) {
    const T* const slopes = dy + j * kSmallRows;
    for (int64_t k = 0; k < stage.inputs; ++k) {
      const T* const values = x + k * kSmallRows;
      T sum = 0;
      for (int64_t row = 0; row < rows; ++row) sum = V::FmaOne(values[row], slopes[row], sum);
      learning.Set(stage.weights + k * stage.outputs + j, sum);
    }
    T sum = 0;
    for (int64_t row = 0; row < rows; ++row) sum += slopes[row];
    learning.Set(stage.biases + j, sum);
  }
}

// `delta` is [rows, outputs], row-major. `descended` is null, or `parameters`.
template <typename V>
void SmallBackward(const SmallPass<typename V::Element>& pass, const typename V::Element* parameters,
                   const typename V::Element* delta, typename V::Element* gradient, typename V::Element* descended,
                   typename V::Element step) {
  using T = typename V::Element;
  const SmallNetwork<T>& network = *pass.network;
  const SmallLearning<T> learning{gradient, descended, step};
  T* dy = pass.memory + (kSmallStages + 1) * kSmallWidth * kSmallRows;
  T* dx = dy + kSmallWidth * kSmallRows;
  const T* y = pass.memory;
  for (int64_t i = 0; i < network.stage_count; ++i) y += network.stages[i].inputs * kSmallRows;
  const int64_t width = network.stages[network.stage_count - 1].outputs;
  for (int64_t row = 0; row < pass.rows; ++row) {
    for (int64_t j = 0; j < width; ++j) dy[j * kSmallRows + row] = delta[row * width + j];
  }
  for (int64_t i = network.stage_count - 1; i >= 0; --i) {
    const SmallStage& stage = network.stages[i];
    const T* const x = y - stage.inputs * kSmallRows;
    switch (stage.kind) {
      case SmallStage::Kind::kAffine: {
        if (i > 0) SmallInputGradient<V>(stage, parameters, dy, pass.rows, dx);
        SmallParameterGradient<V>(stage, x, dy, pass.rows, learning);
        T* const used = dy;
        dy = dx;
        dx = used;
        break;
      }
      case SmallStage::Kind::kTanh:
        MapUnits<V>(y, stage.outputs, pass.rows, dy, TanhSlope());
        break;
      case SmallStage::Kind::kRelu:
        MapUnits<V>(y, stage.outputs, pass.rows, dy, ReluSlope());
        break;
      case SmallStage::Kind::kSigmoid:
        MapUnits<V>(y, stage.outputs, pass.rows, dy, SigmoidSlope());
        break;
    }
    y = x;
  }
}

}  // namespace
}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_SMALL_PASSES_H_
