// What the native learner goes on with, bit for bit.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/curve_data.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

LearnerSpec Spec(Precision precision = Precision::kFloat32, OptimizerKind optimizer = OptimizerKind::kGradientDescent) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("2x8rx2");
  spec.precision = precision;
  spec.optimizer = optimizer;
  spec.batch_size = 3;
  spec.seed = 3;
  spec.standardize = true;
  return spec;
}

std::unique_ptr<Learner> Make(const LearnerSpec& spec) {
  auto learner = MakeLearner(spec, Curve(20));
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// The losses of the batches from `first` to `last`.
std::vector<double> Train(Learner& learner, int64_t first, int64_t last) {
  std::vector<double> losses;
  const UpdateSettings settings{.eta = 0.1, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.99, .rho = 0.9, .epsilon = 1e-8};
  for (int64_t batch = first; batch <= last; ++batch) losses.push_back(learner.Step(batch, settings));
  return losses;
}

TEST(SupervisedLearnerState, ARestoredOneGoesOnBitForBit) {
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    for (const OptimizerKind optimizer : kAllOptimizers) {
      SCOPED_TRACE(Name(optimizer));
      const auto learner = Make(Spec(precision, optimizer));
      Train(*learner, 1, 10);
      const SavedState saved = SavedStateOf(*learner);
      const std::vector<double> losses = Train(*learner, 11, 20);
      const auto other = Make(Spec(precision, optimizer));
      Train(*other, 1, 3);
      ASSERT_TRUE(other->Restore(saved).ok());
      EXPECT_EQ(Train(*other, 11, 20), losses);
      EXPECT_EQ(HashOfTensors(SavedStateOf(*other)), HashOfTensors(SavedStateOf(*learner)));
    }
  }
}

TEST(SupervisedLearnerState, ARestoredOneWithLayerNormsGoesOnBitForBit) {
  LearnerSpec spec = Spec();
  spec.network = *ParseShorthand("2x8nux8lx2n");
  const auto learner = Make(spec);
  Train(*learner, 1, 10);
  const SavedState saved = SavedStateOf(*learner);
  EXPECT_NE(FindTensor(saved, "layers.1.weight", TensorType::kFloat32, {8}), nullptr);
  const std::vector<double> losses = Train(*learner, 11, 20);
  const auto other = Make(spec);
  ASSERT_TRUE(other->Restore(saved).ok());
  EXPECT_EQ(Train(*other, 11, 20), losses);
  EXPECT_EQ(HashOfTensors(SavedStateOf(*other)), HashOfTensors(SavedStateOf(*learner)));
}

TEST(SupervisedLearnerState, WhatWasSavedDoesNotChangeAfterwards) {
  const auto learner = Make(Spec());
  const SavedState saved = SavedStateOf(*learner);
  const std::string hash = HashOfTensors(saved);
  Train(*learner, 1, 5);
  EXPECT_EQ(HashOfTensors(saved), hash);
  EXPECT_NE(HashOfTensors(SavedStateOf(*learner)), hash);
}

TEST(SupervisedLearnerState, TheParametersAreCopiedOnce) {
  const auto learner = Make(Spec());
  const SavedState saved = SavedStateOf(*learner);
  const SavedTensor& weights = saved.tensors.at("layers.0.weight");
  const SavedTensor& biases = saved.tensors.at("layers.0.bias");
  EXPECT_EQ(weights.owner, biases.owner);
  EXPECT_EQ(weights.bytes.data() + weights.bytes.size(), biases.bytes.data()) << "they lie as in the state vector";
}

TEST(SupervisedLearnerState, IsSavedUnderTheNamesOfAModelInItsType) {
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    const SavedState saved = SavedStateOf(*Make(Spec(precision)));
    const TensorType type = precision == Precision::kFloat32 ? TensorType::kFloat32 : TensorType::kFloat64;
    EXPECT_NE(FindTensor(saved, "layers.0.weight", type, {2, 8}), nullptr);
    EXPECT_NE(FindTensor(saved, "layers.2.bias", type, {2}), nullptr);
    EXPECT_NE(FindTensor(saved, "standardize.mean", TensorType::kFloat64, {2}), nullptr);
    EXPECT_NE(FindTensor(saved, "standardize.deviation", TensorType::kFloat64, {2}), nullptr);
    EXPECT_EQ(saved.tensors.size(), 6u);
  }
}

TEST(SupervisedLearnerState, AStateThatDoesNotFitIsRefusedAndChangesNothing) {
  const auto learner = Make(Spec());
  Train(*learner, 1, 5);
  const std::string before = HashOfTensors(SavedStateOf(*learner));
  SavedState missing = SavedStateOf(*Make(Spec()));
  missing.tensors.erase("layers.2.bias");
  LearnerSpec wider = Spec();
  wider.network = *ParseShorthand("2x9rx2");
  for (const SavedState& saved : {missing, SavedStateOf(*Make(wider)), SavedStateOf(*Make(Spec(Precision::kFloat64))),
                                  SavedStateOf(*Make(Spec(Precision::kFloat32, OptimizerKind::kMomentum)))}) {
    EXPECT_EQ(ReasonOf(learner->Restore(saved)), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(HashOfTensors(SavedStateOf(*learner)), before);
  }
}

TEST(SupervisedLearnerState, AfterAResetTheRunBeginsAnew) {
  LearnerSpec given = Spec();
  given.network.initial_state = NumberArray{{42}, std::vector<float>(42, 0.25f)};
  for (const LearnerSpec& spec : {Spec(), given, Spec(Precision::kFloat32, OptimizerKind::kAdam)}) {
    const auto learner = Make(spec);
    const std::string beginning = HashOfTensors(SavedStateOf(*learner));
    const std::vector<double> losses = Train(*learner, 1, 10);
    learner->Reset();
    EXPECT_EQ(HashOfTensors(SavedStateOf(*learner)), beginning);
    EXPECT_TRUE(learner->LayerActivations().empty());
    const NumberArray gradient = learner->Gradient();
    EXPECT_EQ(std::get<std::vector<float>>(gradient.values), std::vector<float>(42, 0));
    EXPECT_EQ(Train(*learner, 1, 10), losses);
  }
}

TEST(SupervisedLearnerState, AParameterThatIsNoNumberKeepsItsBits) {
  const auto learner = Make(Spec());
  SavedState saved = SavedStateOf(*learner);
  const uint32_t odd_nan = 0x7fc01234;
  std::vector<float> values(8, -0.0f);
  std::memcpy(&values[3], &odd_nan, sizeof(odd_nan));
  const auto owner = std::make_shared<const std::vector<float>>(values);
  saved.tensors["layers.0.bias"] = TensorOf(owner->data(), {8}, owner);
  ASSERT_TRUE(learner->Restore(saved).ok());
  EXPECT_EQ(HashOfTensors(SavedStateOf(*learner)), HashOfTensors(saved));
}

class CheckpointAsParametersTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  const std::string path_ = absl::StrCat(testing::TempDir(), "/checkpoint-as-parameters-", getpid());
};

TEST_F(CheckpointAsParametersTest, WhatElseACheckpointHoldsIsPassedOver) {
  const auto learner = Make(Spec());
  Train(*learner, 1, 5);
  SavedState checkpoint = SavedStateOf(*learner);
  checkpoint.tensors["plugins.average.state"] = TensorOf("what it remembers");
  checkpoint.tensors["optimizer.momentum"] = checkpoint.tensors.at("layers.0.bias");
  checkpoint.texts["batch"] = "5";
  checkpoint.texts["loop"] = "{}";
  ASSERT_TRUE(WriteSafetensors(path_, checkpoint).ok());
  const absl::StatusOr<SavedModel> model = LoadModel(Spec(), path_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->batch, 5);
  EXPECT_EQ(model->model->State().values, learner->Snapshot()->State().values);
  const auto other = Make(Spec());
  EXPECT_TRUE(other->Snapshot()->CheckFile(path_).ok());
  ASSERT_TRUE(other->Load(path_).ok());
  EXPECT_EQ(other->Snapshot()->State().values, learner->Snapshot()->State().values);
}

TEST_F(CheckpointAsParametersTest, AnyOtherTensorIsRefused) {
  const auto learner = Make(Spec());
  SavedState checkpoint = SavedStateOf(*learner);
  checkpoint.texts["batch"] = "5";
  checkpoint.tensors["layers.7.bias"] = checkpoint.tensors.at("layers.0.bias");
  ASSERT_TRUE(WriteSafetensors(path_, checkpoint).ok());
  EXPECT_EQ(ReasonOf(LoadModel(Spec(), path_).status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ReasonOf(learner->Load(path_)), v1::ERROR_REASON_DATA_MALFORMED);
}

}  // namespace
}  // namespace pilothouse::trainer
