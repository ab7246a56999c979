#include "trainer/optim/update_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;

std::vector<std::string> NamesOf(OptimizerKind kind) {
  std::vector<std::string> names;
  for (const SettingFacts& setting : SettingsOf(kind)) names.emplace_back(setting.name);
  return names;
}

TEST(UpdateSettings, EachKindHasItsOwn) {
  EXPECT_THAT(NamesOf(OptimizerKind::kGradientDescent), ElementsAre("eta", "weight_decay", "clip_norm", "clip_value"));
  EXPECT_THAT(NamesOf(OptimizerKind::kNesterov),
              ElementsAre("eta", "momentum", "weight_decay", "clip_norm", "clip_value"));
  EXPECT_THAT(NamesOf(OptimizerKind::kAdamW),
              ElementsAre("eta", "beta1", "beta2", "epsilon", "weight_decay", "clip_norm", "clip_value"));
  EXPECT_THAT(NamesOf(OptimizerKind::kRmsProp),
              ElementsAre("eta", "rho", "epsilon", "weight_decay", "clip_norm", "clip_value"));
  EXPECT_THAT(NamesOf(OptimizerKind::kAdagrad),
              ElementsAre("eta", "epsilon", "weight_decay", "clip_norm", "clip_value"));
}

TEST(UpdateSettings, UsualOnesLieWithinTheirBounds) {
  for (const OptimizerKind kind : kAllOptimizers) {
    const UpdateSettings usual = UsualSettings(kind);
    for (const SettingFacts& setting : SettingsOf(kind)) {
      SCOPED_TRACE(std::string(Name(kind)) + " " + setting.name);
      EXPECT_GE(usual.*setting.value, setting.minimum);
      EXPECT_LE(usual.*setting.value, setting.maximum);
      EXPECT_TRUE(std::isfinite(setting.minimum) && std::isfinite(setting.maximum));
    }
  }
}

TEST(UpdateSettings, AreKnownByName) {
  for (const OptimizerKind kind : kAllOptimizers) {
    for (const SettingFacts& setting : SettingsOf(kind)) EXPECT_TRUE(IsUpdateSetting(setting.name)) << setting.name;
  }
  EXPECT_FALSE(IsUpdateSetting("loss_every"));
  EXPECT_FALSE(IsUpdateSetting(""));
}

TEST(UpdateSettings, KindsHaveDifferentNames) {
  std::set<std::string> names;
  for (const OptimizerKind kind : kAllOptimizers) EXPECT_TRUE(names.insert(Name(kind)).second) << Name(kind);
}

}  // namespace
}  // namespace pilothouse::trainer
