#include "trainer/net/small_path.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "trainer/net/initial_state.h"
#include "trainer/net/network.h"

namespace pilothouse::trainer {
namespace {

template <typename T>
Matrix<T> Inputs(int64_t rows, int64_t columns) {
  Matrix<T> inputs(rows, columns);
  for (int64_t i = 0; i < inputs.size(); ++i) inputs.data()[i] = static_cast<T>(std::sin(1.7 * static_cast<double>(i)));
  return inputs;
}

NetworkPlan PlanOf(const std::string& network) { return MakePlan(*ParseShorthand(network), LossFunction::kMse); }

// One pass forward and one back, by one way.
template <typename T>
struct Passes {
  Network<T> network;
  Vector<T> parameters;
  Vector<T> gradient;
  Matrix<T> outputs;

  Passes(const std::string& shorthand, int64_t max_rows, bool through_stages)
      : network(PlanOf(shorthand), max_rows, {.through_stages = through_stages}),
        parameters(InitialState<T>(*ParseShorthand(shorthand), /*seed=*/3)),
        gradient(Vector<T>::Zero(parameters.size())) {}

  void Step(ConstMatrixView<T> inputs, T step) {
    outputs = network.Forward(parameters, inputs, /*batch=*/1);
    network.OutputGradient() = outputs.array() - T{1} / 3;
    if (step == 0) {
      network.Backward(parameters, inputs, gradient);
    } else {
      network.BackwardAndDescend(parameters, inputs, step, gradient);
    }
  }
};

template <typename T>
class SmallPathTest : public testing::Test {};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(SmallPathTest, Precisions);

TYPED_TEST(SmallPathTest, GivesTheBitsOfTheOrdinaryWay) {
  for (const char* shorthand : {"2x2tx1t", "1x1", "8x8tx8rx8s", "3x5rx2", "4x3sx3tx3rx2s", "2x7tx1"}) {
    for (const int64_t rows : {1, 2, 3, 4, 5, 8}) {
      SCOPED_TRACE(std::string(shorthand) + ", rows: " + std::to_string(rows));
      Passes<TypeParam> fast(shorthand, rows, /*through_stages=*/false);
      Passes<TypeParam> ordinary(shorthand, rows, /*through_stages=*/true);
      ASSERT_TRUE(SmallPath<TypeParam>::Find(fast.network.plan(), rows).has_value());
      const Matrix<TypeParam> inputs = Inputs<TypeParam>(rows, fast.network.plan().inputs);
      // The last has fewer examples, as the last batch of an epoch may.
      for (const int64_t count : {rows, rows, (rows + 1) / 2}) {
        for (const double step : {0.0, 0.1}) {
          const ConstMatrixView<TypeParam> examples(inputs.data(), count, inputs.cols());
          fast.Step(examples, static_cast<TypeParam>(step));
          ordinary.Step(examples, static_cast<TypeParam>(step));
          ASSERT_EQ(fast.outputs, ordinary.outputs);
          ASSERT_EQ(fast.gradient, ordinary.gradient);
          ASSERT_EQ(fast.parameters, ordinary.parameters);
          for (size_t i = 0; i < fast.network.plan().stages.size(); ++i) {
            ASSERT_EQ(fast.network.StageResult(i), ordinary.network.StageResult(i)) << "stage " << i;
          }
        }
      }
    }
  }
}

TYPED_TEST(SmallPathTest, LeavesTheNetworkAbleToEvaluateInBetween) {
  Passes<TypeParam> fast("2x2tx1t", 4, /*through_stages=*/false);
  const Matrix<TypeParam> inputs = Inputs<TypeParam>(4, 2);
  const ConstMatrixView<TypeParam> examples(inputs.data(), 4, 2);
  const Matrix<TypeParam> learning = fast.network.Forward(fast.parameters, examples, /*batch=*/1);
  const Learnt<TypeParam> learnt{fast.parameters, {}};
  EXPECT_EQ(Matrix<TypeParam>(fast.network.Evaluate(learnt, examples)), learning);
  EXPECT_EQ(Matrix<TypeParam>(fast.network.StageResult(3)), learning);
}

TEST(SmallPathFindTest, LeavesOthersToTheOrdinaryWay) {
  EXPECT_TRUE(SmallPath<double>::Find(PlanOf("2x2tx1t"), kSmallRows).has_value());
  EXPECT_FALSE(SmallPath<double>::Find(PlanOf("2x2tx1t"), kSmallRows + 1).has_value());
  EXPECT_FALSE(SmallPath<double>::Find(PlanOf("9x2tx1t"), 4).has_value());
  EXPECT_FALSE(SmallPath<double>::Find(PlanOf("2x9tx1t"), 4).has_value());
  EXPECT_FALSE(SmallPath<double>::Find(PlanOf("2x2gx1t"), 4).has_value());
  EXPECT_FALSE(SmallPath<double>::Find(PlanOf("2x2td0.5x1"), 4).has_value());
  EXPECT_FALSE(SmallPath<double>::Find(PlanOf("2x2tx2tx2tx2tx2tx1"), 4).has_value());
}

}  // namespace
}  // namespace pilothouse::trainer
