// Each rule against the same written out number by number.
#include "trainer/optim/update_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kParameters = 13;
constexpr int kUpdates = 10;

// One parameter, and whatever is kept of it.
struct Plain {
  double theta = 0;
  double first = 0;
  double second = 0;
};

// What update number `t` makes of it, written after the descriptions of PyTorch.
void UpdatePlain(OptimizerKind kind, const UpdateSettings& s, int t, double g, Plain& p) {
  if (kind == OptimizerKind::kAdamW) {
    p.theta = p.theta * (1 - s.eta * s.weight_decay);
  } else {
    g = g + s.weight_decay * p.theta;
  }
  switch (kind) {
    case OptimizerKind::kGradientDescent:
      p.theta = p.theta - s.eta * g;
      break;
    case OptimizerKind::kMomentum:
      p.first = s.momentum * p.first + g;
      p.theta = p.theta - s.eta * p.first;
      break;
    case OptimizerKind::kNesterov:
      p.first = s.momentum * p.first + g;
      p.theta = p.theta - s.eta * (g + s.momentum * p.first);
      break;
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW: {
      p.first = s.beta1 * p.first + (1 - s.beta1) * g;
      p.second = s.beta2 * p.second + (1 - s.beta2) * g * g;
      const double mean = p.first / (1 - std::pow(s.beta1, t));
      const double square = p.second / (1 - std::pow(s.beta2, t));
      p.theta = p.theta - s.eta * mean / (std::sqrt(square) + s.epsilon);
      break;
    }
    case OptimizerKind::kRmsProp:
      p.second = s.rho * p.second + (1 - s.rho) * g * g;
      p.theta = p.theta - s.eta * g / (std::sqrt(p.second) + s.epsilon);
      break;
    case OptimizerKind::kAdagrad:
      p.second = p.second + g * g;
      p.theta = p.theta - s.eta * g / (std::sqrt(p.second) + s.epsilon);
      break;
  }
}

using SettingsOfUpdate = std::function<UpdateSettings(const UpdateSettings& usual, int update)>;

template <typename T>
class UpdateRuleTest : public testing::Test {
 protected:
  // Some updates of each kind, with these settings, come to what the plain ones do.
  void ExpectPlain(const SettingsOfUpdate& settings_of) {
    for (const OptimizerKind kind : kAllOptimizers) {
      SCOPED_TRACE(Name(kind));
      const auto rule = MakeUpdateRule<T>(kind, kParameters);
      Vector<T> parameters = Numbers<T>(kParameters, 0);
      std::vector<Plain> plain(kParameters);
      for (size_t i = 0; i < plain.size(); ++i) plain[i].theta = static_cast<double>(parameters[Index(i)]);
      for (int t = 1; t <= kUpdates; ++t) {
        const UpdateSettings settings = settings_of(UsualSettings(kind), t);
        const Vector<T> gradient = Numbers<T>(kParameters, t);
        rule->Update(settings, gradient, parameters);
        for (size_t i = 0; i < plain.size(); ++i) {
          UpdatePlain(kind, settings, t, static_cast<double>(gradient[Index(i)]), plain[i]);
          ASSERT_NEAR(static_cast<double>(parameters[Index(i)]), plain[i].theta, kTolerance) << "in update " << t;
        }
      }
    }
  }

  static Eigen::Index Index(size_t i) { return static_cast<Eigen::Index>(i); }
  static constexpr double kTolerance = std::is_same_v<T, float> ? 2e-5 : 1e-13;
};

using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(UpdateRuleTest, Precisions);

TYPED_TEST(UpdateRuleTest, GoesAsItsFormulaSays) {
  this->ExpectPlain([](const UpdateSettings& usual, int) { return usual; });
}

TYPED_TEST(UpdateRuleTest, EverySettingCounts) {
  this->ExpectPlain([](UpdateSettings settings, int) {
    settings.eta = 0.05;
    settings.momentum = 0.6;
    settings.beta1 = 0.7;
    settings.beta2 = 0.8;
    settings.rho = 0.5;
    settings.epsilon = 0.01;
    settings.weight_decay = 0.3;
    return settings;
  });
}

TYPED_TEST(UpdateRuleTest, SettingsMayChangeFromUpdateToUpdate) {
  this->ExpectPlain([](UpdateSettings settings, int update) {
    settings.eta /= update;
    settings.weight_decay = update % 3 == 0 ? 0.1 : 0;
    if (update > 4) settings.momentum *= 0.5;
    if (update > 5) settings.beta1 *= 0.9;
    if (update > 6) settings.beta2 *= 0.95;
    if (update > 7) settings.rho *= 0.9;
    if (update > 8) settings.epsilon *= 10;
    return settings;
  });
}

// The gradient is shaped before anything is kept of it, and decay is no part of what is clipped.
TYPED_TEST(UpdateRuleTest, ClipsTheGradientBeforeItsWeightDecay) {
  for (const OptimizerKind kind : kAllOptimizers) {
    SCOPED_TRACE(Name(kind));
    const auto clipped = MakeUpdateRule<TypeParam>(kind, kParameters);
    const auto given = MakeUpdateRule<TypeParam>(kind, kParameters);
    Vector<TypeParam> parameters = Numbers<TypeParam>(kParameters, 0);
    Vector<TypeParam> expected = parameters;
    UpdateSettings settings = UsualSettings(kind);
    settings.weight_decay = 2;
    for (int t = 1; t <= kUpdates; ++t) {
      const Vector<TypeParam> gradient = Numbers<TypeParam>(kParameters, t);
      settings.clip_value = 0.25;
      clipped->Update(settings, gradient, parameters);
      settings.clip_value = 0;
      const auto most = static_cast<TypeParam>(0.25);
      given->Update(settings, gradient.cwiseMin(most).cwiseMax(-most), expected);
      ASSERT_EQ(parameters, expected) << "in update " << t;
    }
  }
}

TYPED_TEST(UpdateRuleTest, FindsTheMinimumOfAParabola) {
  for (const OptimizerKind kind : kAllOptimizers) {
    SCOPED_TRACE(Name(kind));
    const auto rule = MakeUpdateRule<TypeParam>(kind, 1);
    UpdateSettings settings = UsualSettings(kind);
    settings.eta = kind == OptimizerKind::kAdagrad ? 1 : 0.02;
    settings.weight_decay = 0;
    Vector<TypeParam> parameters{{5}};
    for (int t = 0; t < 2000; ++t) {
      const Vector<TypeParam> gradient = 2 * (parameters.array() - 3).matrix();
      rule->Update(settings, gradient, parameters);
    }
    EXPECT_NEAR(static_cast<double>(parameters[0]), 3, 0.02);
  }
}

}  // namespace
}  // namespace pilothouse::trainer
