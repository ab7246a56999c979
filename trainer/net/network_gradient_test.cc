// Gradients against finite differences: of every layer, alone and after every other, with every loss.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trainer/net/initial_state.h"
#include "trainer/net/loss.h"
#include "trainer/net/network.h"

namespace pilothouse::trainer {
namespace {

// Decides what dropout drops.
constexpr int64_t kBatch = 7;
constexpr uint64_t kSeed = 5;
constexpr int64_t kInputs = 3;
constexpr int64_t kOutputs = 4;
// Of central differences with this step, the formula's error is of the order of the step's square, and rounding
// contributes about 1e-16 divided by the step: both come to some 1e-10 times derivatives of the order of 1.
constexpr double kStep = 1e-5;
constexpr double kTolerance = 1e-8;

constexpr LossFunction kLosses[] = {LossFunction::kCrossEntropy, LossFunction::kBinaryCrossEntropy, LossFunction::kMse,
                                    LossFunction::kHalfMse, LossFunction::kHuber};
constexpr Activation kElementwise[] = {Activation::kTanh,     Activation::kRelu, Activation::kSigmoid,
                                       Activation::kGelu,     Activation::kSilu, Activation::kSoftplus,
                                       Activation::kLeakyRelu};

NetworkSpec Net(std::vector<Layer> layers) {
  NetworkSpec network;
  network.layers = std::move(layers);
  return network;
}

std::string Describe(const NetworkSpec& network) {
  return absl::StrJoin(network.layers, ", ",
                       [](std::string* text, const Layer& layer) { absl::StrAppend(text, trainer::Describe(layer)); });
}

// Everything that may stand between two affine layers, for `width` numbers.
std::vector<Layer> Between(int64_t width) {
  std::vector<Layer> layers = {IdentityLayer{}, LayerNormLayer{width}, BatchNormLayer{width}, DropoutLayer{0.4}};
  for (const Activation activation : kElementwise) layers.emplace_back(MapLayer{activation});
  return layers;
}

template <typename T>
ConstMatrixView<T> View(const Matrix<T>& matrix) {
  return {matrix.data(), matrix.rows(), matrix.cols()};
}

// A network with parameters and examples, of no particular kind.
template <typename T>
struct Trial {
  Trial(const NetworkSpec& spec, LossFunction loss_function, int64_t rows)
      // More rows than are used: the buffers are larger than the batch, as with the last batch of an epoch.
      : loss(loss_function), network(MakePlan(spec, loss_function), rows + 3, {kSeed}) {
    NetworkSpec drawn = spec;
    drawn.initializer = Initializer::kNormal;
    // The last factor keeps sums of many inputs as large as those of few.
    const double scale = 0.7 * std::min(1.0, std::sqrt(6.0 / static_cast<double>(network.plan().inputs)));
    state = (InitialState<double>(drawn, 11) * scale).template cast<T>();
    gradient = Vector<T>::Constant(state.size(), 1e9);
    inputs.resize(rows, network.plan().inputs);
    for (int i = 0; i < inputs.size(); ++i) inputs.data()[i] = static_cast<T>(std::sin(1.0 + 2.0 * i));
    const int64_t outputs = network.plan().outputs;
    targets.resize(rows, loss == LossFunction::kCrossEntropy ? 1 : outputs);
    for (int i = 0; i < targets.size(); ++i) {
      targets.data()[i] =
          static_cast<T>(loss == LossFunction::kCrossEntropy ? i % outputs : 0.5 + 0.5 * std::cos(3.0 * i));
    }
  }

  double Loss() {
    const auto outputs = network.Forward(state, View(inputs), kBatch);
    return LossAndGradient<T>(loss, outputs, View(targets), network.OutputGradient(), weights, mean_weight);
  }

  void Differentiate() {
    Loss();
    network.Backward(state, View(inputs), gradient);
  }

  LossFunction loss;
  Network<T> network;
  Vector<T> state;
  Vector<T> gradient;
  Matrix<T> inputs;
  Matrix<T> targets;
  std::vector<double> weights;
  double mean_weight = 1;
};

// Each parameter's derivative. Five weights, or none.
void CheckGradient(const NetworkSpec& spec, LossFunction loss, const std::vector<double>& weights = {}) {
  SCOPED_TRACE(absl::StrCat(Name(loss), ": ", Describe(spec)));
  Trial<double> trial(spec, loss, 5);
  trial.weights = weights;
  // That of a part of which these are some.
  if (!weights.empty()) trial.mean_weight = 1.5;
  trial.Differentiate();
  for (Eigen::Index i = 0; i < trial.state.size(); ++i) {
    const double middle = trial.state[i];
    trial.state[i] = middle + kStep;
    const double above = trial.Loss();
    trial.state[i] = middle - kStep;
    const double below = trial.Loss();
    trial.state[i] = middle;
    ASSERT_NEAR(trial.gradient[i], (above - below) / (2 * kStep), kTolerance) << "parameter " << i;
  }
}

TEST(NetworkGradient, OfEveryLayerBetweenOthersWithEveryLoss) {
  for (const LossFunction loss : kLosses) {
    for (const Layer& layer : Between(6)) {
      CheckGradient(Net({AffineLayer{kInputs, 6}, layer, AffineLayer{6, kOutputs}}), loss);
    }
  }
}

TEST(NetworkGradient, OfEveryLayerAtTheEndWithEveryLossThatTakesIt) {
  std::vector<Layer> last = Between(kOutputs);
  last.emplace_back(MapLayer{Activation::kSoftmax});
  int checked = 0;
  for (const LossFunction loss : kLosses) {
    for (const Layer& layer : last) {
      const NetworkSpec spec =
          Net({AffineLayer{kInputs, 6}, MapLayer{Activation::kTanh}, AffineLayer{6, kOutputs}, layer});
      if (!CheckLossFits(spec, loss).ok()) continue;
      CheckGradient(spec, loss);
      ++checked;
    }
  }
  // A layer norm, a batch norm, dropout and nothing go with all; eight activations with the three losses of numbers,
  // and one with each of the cross-entropies, which it is a part of.
  EXPECT_EQ(checked, 5 * 4 + 3 * 8 + 2);
}

TEST(NetworkGradient, OfEveryLayerAfterEveryOther) {
  for (const LossFunction loss : {LossFunction::kCrossEntropy, LossFunction::kHuber}) {
    for (const Layer& first : Between(6)) {
      for (const Layer& second : Between(6)) {
        CheckGradient(Net({AffineLayer{kInputs, 6}, first, second, AffineLayer{6, kOutputs}}), loss);
      }
    }
  }
}

NetworkSpec Everything() {
  return Net({AffineLayer{kInputs, 8},
              BatchNormLayer{8},
              MapLayer{Activation::kGelu},
              DropoutLayer{0.3},
              AffineLayer{8, 7},
              LayerNormLayer{7},
              MapLayer{Activation::kSilu},
              DropoutLayer{0.2},
              AffineLayer{7, 6},
              MapLayer{Activation::kLeakyRelu},
              IdentityLayer{},
              AffineLayer{6, 6},
              MapLayer{Activation::kSoftplus},
              BatchNormLayer{6},
              MapLayer{Activation::kSigmoid},
              AffineLayer{6, 5},
              MapLayer{Activation::kRelu},
              AffineLayer{5, 5},
              MapLayer{Activation::kTanh},
              LayerNormLayer{5},
              AffineLayer{5, kOutputs}});
}

TEST(NetworkGradient, OfEverythingTogether) {
  for (const LossFunction loss : kLosses) CheckGradient(Everything(), loss);
}

TEST(NetworkGradient, OfExamplesThatDoNotCountAlike) {
  for (const LossFunction loss : kLosses) {
    for (const Layer& layer : Between(6)) {
      CheckGradient(Net({AffineLayer{kInputs, 6}, layer, AffineLayer{6, kOutputs}}), loss, {0.5, 3, 0, 1e-3, 2});
    }
    CheckGradient(Everything(), loss, {0.5, 3, 0, 1e-3, 2});
  }
}

// Some widths and heights that vectors, registers and blocks of matrix products divide, and some that they do not.
struct Shape {
  int64_t rows, inputs, hidden, outputs;
};
constexpr Shape kShapes[] = {{1, 1, 1, 2},    {2, 2, 2, 2},     {3, 5, 7, 3},     {4, 16, 8, 10},   {8, 17, 33, 2},
                             {31, 9, 15, 31}, {32, 64, 64, 16}, {33, 65, 63, 17}, {65, 127, 48, 9}, {128, 40, 129, 24}};

NetworkSpec Middling(const Shape& shape) {
  return Net({AffineLayer{shape.inputs, shape.hidden}, MapLayer{Activation::kTanh},
              AffineLayer{shape.hidden, shape.hidden}, MapLayer{Activation::kSilu},
              AffineLayer{shape.hidden, shape.outputs}});
}

// The derivative along some directions, where there are too many parameters to try each.
TEST(NetworkGradient, OfAnyShape) {
  for (const LossFunction loss : kLosses) {
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(absl::StrCat(Name(loss), ": ", shape.rows, " rows, ", Describe(Middling(shape))));
      Trial<double> trial(Middling(shape), loss, shape.rows);
      trial.Differentiate();
      const Vector<double> middle = trial.state;
      for (int salt = 0; salt < 5; ++salt) {
        Vector<double> direction(middle.size());
        for (Eigen::Index i = 0; i < direction.size(); ++i) {
          direction[i] = std::sin(0.3 + salt + (1.1 + salt) * static_cast<double>(i));
        }
        direction.normalize();
        const auto loss_at = [&](double distance) {
          trial.state = middle + distance * direction;
          return trial.Loss();
        };
        // Of five points, whose error is of the order of the step's fourth power.
        constexpr double kFarStep = 1e-3;
        const double near = loss_at(kFarStep) - loss_at(-kFarStep);
        const double far = loss_at(2 * kFarStep) - loss_at(-2 * kFarStep);
        const double derivative = trial.gradient.dot(direction);
        ASSERT_NEAR(derivative, (8 * near - far) / (12 * kFarStep), kTolerance * std::max(1.0, std::abs(derivative)));
      }
    }
  }
}

// What holds for double holds for float, too, as far as its digits go.
TEST(NetworkGradient, OfFloatIsThatOfDouble) {
  for (const LossFunction loss : kLosses) {
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(absl::StrCat(Name(loss), ": ", shape.rows, " rows, ", Describe(Middling(shape))));
      Trial<float> narrow(Middling(shape), loss, shape.rows);
      Trial<double> wide(Middling(shape), loss, shape.rows);
      narrow.Differentiate();
      wide.Differentiate();
      const double largest = wide.gradient.cwiseAbs().maxCoeff();
      const double difference = (narrow.gradient.cast<double>() - wide.gradient).cwiseAbs().maxCoeff();
      EXPECT_LT(difference, 1e-5 * largest);
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
