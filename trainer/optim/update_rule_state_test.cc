// What rules save of former updates, and go on with.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/optim/rule_kinds.h"
#include "trainer/optim/update_rule.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kParameters = 13;

template <typename T>
class UpdateRuleStateTest : public testing::Test {
 protected:
  using Rule = UpdateRule<T>;

  // Updates number `first` to `last`, with settings that change at 4.
  static void Update(OptimizerKind kind, Rule& rule, int first, int last, Vector<T>& parameters) {
    for (int t = first; t <= last; ++t) {
      UpdateSettings settings = UsualSettings(kind);
      if (t > 4) settings.eta *= 2;
      settings.weight_decay = 0.01;
      settings.clip_norm = 2;
      rule.Update(settings, Numbers<T>(parameters.size(), t), parameters);
    }
  }

  static void ExpectRefused(OptimizerKind kind, const SavedState& state) {
    const auto rule = MakeUpdateRule<T>(kind, kParameters);
    Vector<T> parameters = Numbers<T>(kParameters, 0);
    Update(kind, *rule, 1, 3, parameters);
    const std::string before = HashOfTensors(SavedStateOf(*rule));
    EXPECT_EQ(ReasonOf(rule->Restore(state)), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(HashOfTensors(SavedStateOf(*rule)), before) << "something has changed";
  }
};

using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(UpdateRuleStateTest, Precisions);

TYPED_TEST(UpdateRuleStateTest, ARestoredRuleGoesOnBitForBit) {
  for (const OptimizerKind kind : kAllOptimizers) {
    SCOPED_TRACE(Name(kind));
    const auto rule = MakeUpdateRule<TypeParam>(kind, kParameters);
    Vector<TypeParam> parameters = Numbers<TypeParam>(kParameters, 0);
    this->Update(kind, *rule, 1, 6, parameters);
    const SavedState saved = SavedStateOf(*rule);
    Vector<TypeParam> resumed = parameters;
    this->Update(kind, *rule, 7, 20, parameters);
    const auto other = MakeUpdateRule<TypeParam>(kind, kParameters);
    Vector<TypeParam> unrelated = Numbers<TypeParam>(kParameters, 5);
    this->Update(kind, *other, 1, 2, unrelated);
    ASSERT_TRUE(other->Restore(saved).ok());
    this->Update(kind, *other, 7, 20, resumed);
    EXPECT_EQ(resumed, parameters);
    EXPECT_EQ(HashOfTensors(SavedStateOf(*other)), HashOfTensors(SavedStateOf(*rule)));
  }
}

TYPED_TEST(UpdateRuleStateTest, AResetRuleIsANewOne) {
  for (const OptimizerKind kind : kAllOptimizers) {
    SCOPED_TRACE(Name(kind));
    const auto rule = MakeUpdateRule<TypeParam>(kind, kParameters);
    const std::string fresh = HashOfTensors(SavedStateOf(*rule));
    Vector<TypeParam> parameters = Numbers<TypeParam>(kParameters, 0);
    this->Update(kind, *rule, 1, 6, parameters);
    rule->Reset();
    EXPECT_EQ(HashOfTensors(SavedStateOf(*rule)), fresh);
    Vector<TypeParam> again = Numbers<TypeParam>(kParameters, 0);
    this->Update(kind, *rule, 1, 6, again);
    EXPECT_EQ(again, parameters);
  }
}

TYPED_TEST(UpdateRuleStateTest, WhatWasSavedDoesNotChangeAfterwards) {
  const auto rule = MakeUpdateRule<TypeParam>(OptimizerKind::kAdam, kParameters);
  Vector<TypeParam> parameters = Numbers<TypeParam>(kParameters, 0);
  this->Update(OptimizerKind::kAdam, *rule, 1, 2, parameters);
  const SavedState saved = SavedStateOf(*rule);
  const std::string hash = HashOfTensors(saved);
  this->Update(OptimizerKind::kAdam, *rule, 3, 4, parameters);
  EXPECT_EQ(HashOfTensors(saved), hash);
  EXPECT_NE(HashOfTensors(SavedStateOf(*rule)), hash);
}

TYPED_TEST(UpdateRuleStateTest, TensorsAreNamedAfterWhatTheyAre) {
  const SavedState adam = SavedStateOf(*MakeUpdateRule<TypeParam>(OptimizerKind::kAdam, kParameters));
  ASSERT_EQ(adam.tensors.size(), 3U);
  EXPECT_EQ(adam.tensors.at("optimizer.mean").shape, std::vector<int64_t>{kParameters});
  EXPECT_EQ(adam.tensors.at("optimizer.square").type, kTensorTypeOf<TypeParam>);
  EXPECT_EQ(adam.tensors.at("optimizer.updates").shape, std::vector<int64_t>{1});
  EXPECT_TRUE(SavedStateOf(*MakeUpdateRule<TypeParam>(OptimizerKind::kGradientDescent, 1)).tensors.empty());
}

TYPED_TEST(UpdateRuleStateTest, WhatAnotherKindSavedIsRefused) {
  for (const OptimizerKind kind : kAllOptimizers) {
    for (const OptimizerKind other : kAllOptimizers) {
      if (kind == other) continue;
      SCOPED_TRACE(absl::StrCat(Name(other), " for ", Name(kind)));
      this->ExpectRefused(kind, SavedStateOf(*MakeUpdateRule<TypeParam>(other, kParameters)));
    }
  }
}

TYPED_TEST(UpdateRuleStateTest, WhatARuleOfAnotherSizeOrPrecisionSavedIsRefused) {
  using Other = std::conditional_t<std::is_same_v<TypeParam, float>, double, float>;
  for (const OptimizerKind kind : kAllOptimizers) {
    if (kind == OptimizerKind::kGradientDescent) continue;
    SCOPED_TRACE(Name(kind));
    this->ExpectRefused(kind, SavedStateOf(*MakeUpdateRule<TypeParam>(kind, kParameters + 1)));
    this->ExpectRefused(kind, SavedStateOf(*MakeUpdateRule<Other>(kind, kParameters)));
  }
}

TYPED_TEST(UpdateRuleStateTest, DamagedStatesAreRefused) {
  const SavedState good = SavedStateOf(*MakeUpdateRule<TypeParam>(OptimizerKind::kAdam, kParameters));
  for (const char* missing : {"optimizer.mean", "optimizer.square", "optimizer.updates"}) {
    SavedState state = good;
    state.tensors.erase(missing);
    this->ExpectRefused(OptimizerKind::kAdam, state);
  }
  for (const double updates : {-1.0, 0.5, std::numeric_limits<double>::quiet_NaN(), HUGE_VAL}) {
    SavedState state = good;
    state.tensors["optimizer.updates"] = TensorOf(&updates, {1}, nullptr);
    this->ExpectRefused(OptimizerKind::kAdam, state);
  }
  SavedState state = good;
  state.tensors["optimizer.more"] = state.tensors["optimizer.mean"];
  this->ExpectRefused(OptimizerKind::kAdam, state);
}

// As those are that were written before there were other kinds.
TYPED_TEST(UpdateRuleStateTest, StatesThatNameNoKindAreOfGradientDescent) {
  EXPECT_TRUE(MakeUpdateRule<TypeParam>(OptimizerKind::kGradientDescent, kParameters)->Restore({}).ok());
  this->ExpectRefused(OptimizerKind::kMomentum, {});
}

}  // namespace
}  // namespace pilothouse::trainer
