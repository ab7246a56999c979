#include "trainer/optim/gradient_descent.h"

#include <gtest/gtest.h>

namespace pilothouse::trainer {
namespace {

TEST(GradientDescent, GoesEtaTimesTheGradientDownhill) {
  Vector<double> parameters{{1, -2, 0}};
  GradientDescent<double>().Update(0.5, Vector<double>{{4, -2, 0}}, parameters);
  EXPECT_EQ(parameters, Vector<double>({{-1, -1, 0}}));
}

TEST(GradientDescent, FindsTheMinimumOfAParabola) {
  Vector<float> parameters{{5}};
  for (int i = 0; i < 100; ++i) {
    const Vector<float> gradient = 2 * (parameters.array() - 3).matrix();
    GradientDescent<float>().Update(0.1, gradient, parameters);
  }
  EXPECT_NEAR(parameters[0], 3, 1e-5);
}

}  // namespace
}  // namespace pilothouse::trainer
