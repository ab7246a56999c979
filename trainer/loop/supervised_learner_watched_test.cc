// Looking on leaves no trace: whoever validates, predicts, asks for the state or saves it, the parameters stay the
// same, bit for bit.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/curve_data.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kExamples = 600;
// More than are predicted together.
constexpr int64_t kHeldOut = kPredictBlockRows + 13;
constexpr int64_t kBatches = 30;

struct Watched {
  std::string network;
  LossFunction loss = LossFunction::kCrossEntropy;
  Precision precision = Precision::kFloat32;
  OptimizerKind optimizer = OptimizerKind::kGradientDescent;
  // Unset: a full batch.
  std::optional<int64_t> batch_size = 32;
};

std::vector<Watched> All() {
  std::vector<Watched> all;
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    for (const OptimizerKind optimizer : kAllOptimizers) {
      all.push_back({"2x8bgd0.3x7nux2", LossFunction::kCrossEntropy, precision, optimizer});
    }
    all.push_back({"2x64rx48rx10", LossFunction::kCrossEntropy, precision});
    all.push_back({"2x64rx48rx10", LossFunction::kCrossEntropy, precision, OptimizerKind::kMomentum});
    all.push_back({"2x2tx1t", LossFunction::kHalfMse, precision});
    all.push_back({"2x2tx1t", LossFunction::kHalfMse, precision, OptimizerKind::kGradientDescent, std::nullopt});
    all.push_back({"2x2tx1t", LossFunction::kMse, precision, OptimizerKind::kAdam, std::nullopt});
    all.push_back({"2x5px1", LossFunction::kBinaryCrossEntropy, precision, OptimizerKind::kAdagrad, 1});
    all.push_back({"2x9lx1", LossFunction::kHuber, precision, OptimizerKind::kNesterov, 7});
  }
  return all;
}

std::unique_ptr<Learner> Make(const Watched& watched, Dataset data, std::optional<int64_t> held_out) {
  LearnerSpec spec;
  spec.network = *ParseShorthand(watched.network);
  spec.loss = watched.loss;
  spec.precision = watched.precision;
  spec.optimizer = watched.optimizer;
  spec.batch_size = watched.batch_size;
  spec.full_batch = !watched.batch_size.has_value();
  spec.keep_order = true;
  spec.standardize = true;
  spec.validation_examples = held_out;
  auto learner = MakeLearner(spec, std::move(data));
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// All that the next steps depend on.
std::string HashOf(const Learner& learner) { return HashOfTensors(SavedStateOf(learner)); }

class WatchedTest : public testing::TestWithParam<Watched> {
 protected:
  void SetUp() override {
    settings_ = UsualSettings(GetParam().optimizer);
    // Nothing is done to the gradient where a step is most likely to be taken at once.
    if (GetParam().optimizer == OptimizerKind::kGradientDescent) return;
    settings_.clip_norm = 0.5;
    settings_.weight_decay = 0.01;
  }

  UpdateSettings settings_;
};

// One learner holds examples out, and is asked for all it can tell after every batch; another was given nothing but the
// examples that the first learns from, and is left alone.
TEST_P(WatchedTest, LearnsAsIfItWereAlone) {
  const auto watched = Make(GetParam(), Curve(kExamples + kHeldOut), kHeldOut);
  const auto alone = Make(GetParam(), Curve(kExamples), std::nullopt);
  const Dataset asked = Curve(kHeldOut);
  for (int64_t batch = 1; batch <= kBatches; ++batch) {
    ASSERT_EQ(watched->Step(batch, settings_), alone->Step(batch, settings_)) << "at batch " << batch;
    ASSERT_TRUE(watched->Validate(batch).ok());
    watched->Snapshot()->Predict(asked.inputs.values, kHeldOut);
    watched->Snapshot()->State();
    watched->Gradient();
    watched->LayerActivations();
    SavedStateOf(*watched);
  }
  EXPECT_EQ(watched->Snapshot()->State().values, alone->Snapshot()->State().values);
  EXPECT_EQ(HashOf(*watched), HashOf(*alone));
}

TEST_P(WatchedTest, WhatWasTakenOfItStaysAsItWas) {
  const auto learner = Make(GetParam(), Curve(kExamples + kHeldOut), kHeldOut);
  for (int64_t batch = 1; batch <= 5; ++batch) learner->Step(batch, settings_);
  const auto model = learner->Snapshot();
  const SavedState saved = SavedStateOf(*learner);
  const NumberArray state = model->State();
  const Dataset asked = Curve(kHeldOut);
  const NumberArray predicted = model->Predict(asked.inputs.values, kHeldOut);
  const std::string hash = HashOfTensors(saved);
  for (int64_t batch = 6; batch <= kBatches; ++batch) {
    learner->Step(batch, settings_);
    ASSERT_TRUE(learner->Validate(batch).ok());
  }
  EXPECT_NE(learner->Snapshot()->State().values, state.values);
  EXPECT_EQ(model->State().values, state.values);
  EXPECT_EQ(model->Predict(asked.inputs.values, kHeldOut).values, predicted.values);
  EXPECT_EQ(HashOfTensors(saved), hash);
}

INSTANTIATE_TEST_SUITE_P(Networks, WatchedTest, testing::ValuesIn(All()), [](const auto& test) {
  return absl::StrCat(test.index, "_", Name(test.param.loss), "_", Name(test.param.optimizer), "_",
                      Name(test.param.precision));
});

}  // namespace
}  // namespace pilothouse::trainer
