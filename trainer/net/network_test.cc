#include "trainer/net/network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "trainer/net/initial_state.h"
#include "trainer/net/loss.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kBatch = 7;
constexpr Activation kAll[] = {Activation::kTanh, Activation::kRelu,    Activation::kSigmoid,
                               Activation::kGelu, Activation::kSoftmax, Activation::kLeakyRelu,
                               Activation::kSilu, Activation::kSoftplus};

NetworkSpec Net(std::vector<Layer> layers) {
  NetworkSpec network;
  network.layers = std::move(layers);
  return network;
}

template <typename T>
ConstMatrixView<T> View(const Matrix<T>& matrix) {
  return {matrix.data(), matrix.rows(), matrix.cols()};
}

TEST(Network, AnAffineLayerMultipliesAndAdds) {
  Network<double> network(MakePlan(Net({AffineLayer{2, 3}}), LossFunction::kHalfMse), 1);
  const Vector<double> state = Vector<double>::LinSpaced(9, 0, 8);
  const Matrix<double> x{{2, 1}};
  EXPECT_EQ(Matrix<double>(network.Evaluate({state, {}}, View(x))), Matrix<double>({{9, 13, 17}}));
}

TEST(Network, WithUnitMatrixAndNoBiasGivesBackWhatItIsGiven) {
  Network<double> network(MakePlan(Net({AffineLayer{2, 2}, IdentityLayer{}}), LossFunction::kHalfMse), 4);
  const Vector<double> state{{1, 0, 0, 1, 0, 0}};
  const Matrix<double> x{{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  const Matrix<double> ideal = 2 * x;
  const auto outputs = network.Evaluate({state, {}}, View(x));
  EXPECT_EQ(Matrix<double>(outputs), x);
  EXPECT_EQ(LossAndGradient<double>(LossFunction::kHalfMse, outputs, View(ideal), network.OutputGradient()), 17.5);
}

TEST(Network, ComputesEachActivationsFunction) {
  const Matrix<double> x{{-2, 0, 0.5}};
  const double s5 = 1 / (1 + std::exp(-0.5));
  const double s2 = 1 / (1 + std::exp(2.0));
  const double sum = std::exp(-2.0) + 1 + std::exp(0.5);
  const struct {
    Activation activation;
    Matrix<double> y;
  } cases[] = {
      {Activation::kTanh, Matrix<double>{{std::tanh(-2.0), 0, std::tanh(0.5)}}},
      {Activation::kRelu, Matrix<double>{{0, 0, 0.5}}},
      {Activation::kSigmoid, Matrix<double>{{s2, 0.5, s5}}},
      // x·Φ(x), from tables of the normal distribution.
      {Activation::kGelu, Matrix<double>{{-2 * 0.0227501319481792, 0, 0.5 * 0.6914624612740131}}},
      {Activation::kSoftmax, Matrix<double>{{std::exp(-2.0) / sum, 1 / sum, std::exp(0.5) / sum}}},
      {Activation::kLeakyRelu, Matrix<double>{{-0.02, 0, 0.5}}},
      {Activation::kSilu, Matrix<double>{{-2 * s2, 0, 0.5 * s5}}},
      {Activation::kSoftplus,
       Matrix<double>{{std::log(1 + std::exp(-2.0)), std::log(2.0), std::log(1 + std::exp(0.5))}}},
  };
  Vector<double> unit = Vector<double>::Zero(12);
  for (const int i : {0, 4, 8}) unit[i] = 1;
  for (const auto& [activation, y] : cases) {
    const NetworkSpec spec = Net({AffineLayer{3, 3}, MapLayer{activation}});
    Network<double> network(MakePlan(spec, LossFunction::kMse), 1);
    EXPECT_TRUE(network.Evaluate({unit, {}}, View(x)).isApprox(y, 1e-14)) << Describe(spec.layers[1]);
  }
}

TEST(Network, GivesProbabilitiesUnderTheCrossEntropiesHoweverTheLastLayerIsWritten) {
  const Matrix<double> x{{0.3, -1.2}};
  const Vector<double> state{{1, 0, 0, 1, 0, 0}};
  const struct {
    LossFunction loss;
    Activation last;
    Matrix<double> p;
  } cases[] = {{LossFunction::kCrossEntropy, Activation::kSoftmax,
                Matrix<double>{{1 / (1 + std::exp(-1.5)), 1 / (1 + std::exp(1.5))}}},
               {LossFunction::kBinaryCrossEntropy, Activation::kSigmoid,
                Matrix<double>{{1 / (1 + std::exp(-0.3)), 1 / (1 + std::exp(1.2))}}}};
  for (const auto& [loss, last, p] : cases) {
    Network<double> implied(MakePlan(Net({AffineLayer{2, 2}}), loss), 1);
    Network<double> spelt(MakePlan(Net({AffineLayer{2, 2}, MapLayer{last}, IdentityLayer{}}), loss), 1);
    EXPECT_TRUE(implied.Predict({state, {}}, View(x)).isApprox(p, 1e-14));
    EXPECT_EQ(Matrix<double>(implied.Predict({state, {}}, View(x))),
              Matrix<double>(spelt.Predict({state, {}}, View(x))));
    EXPECT_EQ(Matrix<double>(spelt.Evaluate({state, {}}, View(x))), x) << "trained on logits";
  }
}

TEST(Network, UpdatesRunningStatisticsWhenItIsToldAndEvaluatesByThem) {
  const NetworkSpec spec = Net({AffineLayer{1, 1}, BatchNormLayer{1}, AffineLayer{1, 1}, BatchNormLayer{1}});
  const NetworkPlan plan = MakePlan(spec, LossFunction::kMse);
  ASSERT_EQ(plan.statistics, 4);
  Network<double> network(plan, 4);
  // Affine layers that give back what they are given, gains 1, biases 0.
  Learnt<double> learnt{Vector<double>{{1, 0, 1, 0, 1, 0, 1, 0}}, InitialStatistics<double>(plan)};
  EXPECT_EQ(learnt.statistics, Vector<double>({{0}, {1}, {0}, {1}}));
  const Matrix<double> x{{1}, {2}, {3}, {6}};
  network.Forward(learnt.parameters, View(x), kBatch);
  const Vector<double> before = learnt.statistics;
  network.UpdateStatistics(learnt.statistics);
  // Mean 3, variance 14/4, and 14/3 without bias; the second norm gets those of the first's results.
  const double second = 4.0 / 3 * 3.5 / (3.5 + kBatchNormEpsilon);
  const Vector<double> expected{{0.3, 0.9 + 0.1 * 14 / 3, 0, 0.9 + 0.1 * second}};
  EXPECT_TRUE(learnt.statistics.isApprox(expected, 1e-14)) << learnt.statistics;
  const double scale = 1 / std::sqrt(expected[1] + kBatchNormEpsilon) / std::sqrt(expected[3] + kBatchNormEpsilon);
  const Matrix<double> y = network.Evaluate(learnt, View(x));
  EXPECT_TRUE(y.isApprox((x.array() - 0.3).matrix() * scale, 1e-12)) << y;
  const Matrix<double> alone = x.row(3);
  EXPECT_EQ(network.Evaluate(learnt, View(alone))(0, 0), y(3, 0));
  EXPECT_NE(network.Evaluate({learnt.parameters, before}, View(x))(0, 0), y(0, 0));
}

TEST(Network, DropsInTrainingOnlyAndTheSameInTheSameBatch) {
  const NetworkSpec spec = Net({AffineLayer{1, 400}, DropoutLayer{0.5}, DropoutLayer{0.5}, IdentityLayer{}});
  Network<double> network(MakePlan(spec, LossFunction::kMse), 3, {.seed = 1});
  Vector<double> state(800);
  state << Vector<double>::LinSpaced(400, 1, 2), Vector<double>::Zero(400);
  const Matrix<double> x = Matrix<double>::Ones(3, 1);
  const Matrix<double> whole = network.Evaluate({state, {}}, View(x));
  EXPECT_EQ(whole.row(2).transpose(), state.head(400));
  const Matrix<double> dropped = network.Forward(state, View(x), 1);
  const auto kept = dropped.array() != 0;
  EXPECT_TRUE((dropped.array() == kept.select(4 * whole, 0).array()).all()) << "what is kept was divided by 1/2 twice";
  EXPECT_NEAR(static_cast<double>(kept.count()), 300, 60) << "the two layers dropped the same";
  EXPECT_NE(Matrix<double>(network.Forward(state, View(x), 2)), dropped);
  EXPECT_EQ(Matrix<double>(network.Evaluate({state, {}}, View(x))), whole);
  EXPECT_EQ(Matrix<double>(network.Forward(state, View(x), 1)), dropped);
  Network<double> other(MakePlan(spec, LossFunction::kMse), 3, {.seed = 2});
  EXPECT_NE(Matrix<double>(other.Forward(state, View(x), 1)), dropped) << "another seed";
  Network<double> larger(MakePlan(spec, LossFunction::kMse), 9, {.seed = 1});
  EXPECT_EQ(Matrix<double>(larger.Forward(state, View(x), 1)), dropped);
}

template <typename T>
void ExpectNanSurvives(Activation activation) {
  const NetworkSpec spec = Net({AffineLayer{1, 9}, MapLayer{activation}});
  Network<T> network(MakePlan(spec, LossFunction::kMse), 3);
  const Vector<T> state = Vector<T>::Ones(18);
  Matrix<T> x = Matrix<T>::Ones(3, 1);
  x(1, 0) = std::numeric_limits<T>::quiet_NaN();
  const auto y = network.Evaluate({state, {}}, View(x));
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 9; ++j) EXPECT_EQ(std::isnan(y(i, j)), i == 1) << Describe(spec.layers[1]) << i << " " << j;
  }
}

TEST(Network, NanPassesThroughEveryActivation) {
  for (const Activation activation : kAll) {
    ExpectNanSurvives<float>(activation);
    ExpectNanSurvives<double>(activation);
  }
}

TEST(Network, FloatAndDoubleAgreeUpToPrecision) {
  const NetworkSpec spec = *ParseShorthand("16x32ngx24tx8");
  Network<float> narrow(MakePlan(spec, LossFunction::kMse), 20);
  Network<double> wide(MakePlan(spec, LossFunction::kMse), 20);
  const Matrix<double> x = Matrix<double>::NullaryExpr(
      20, 16, [](Eigen::Index i, Eigen::Index j) { return std::sin(static_cast<double>(i * 16 + j)); });
  const Matrix<float> x_narrow = x.cast<float>();
  const Matrix<double> a = narrow.Evaluate({InitialState<float>(spec, 5), {}}, View(x_narrow)).cast<double>();
  EXPECT_TRUE(wide.Evaluate({InitialState<double>(spec, 5), {}}, View(x)).isApprox(a, 1e-5));
}

}  // namespace
}  // namespace pilothouse::trainer
