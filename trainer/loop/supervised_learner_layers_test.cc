// The native learner with layers that learn otherwise than they predict.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/curve_data.h"
#include "trainer/loop/supervised_learner.h"

namespace pilothouse::trainer {
namespace {

// Batches of 4 of 24 examples; 6 are held out.
LearnerSpec Spec(const std::string& network, Precision precision = Precision::kFloat64) {
  LearnerSpec spec;
  spec.network = *ParseShorthand(network);
  spec.precision = precision;
  spec.batch_size = 4;
  spec.seed = 3;
  spec.standardize = true;
  spec.validation_examples = 6;
  return spec;
}

std::unique_ptr<Learner> Make(const LearnerSpec& spec) {
  auto learner = MakeLearner(spec, Curve(30));
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// The losses of the batches from `first` to `last`.
std::vector<double> Train(Learner& learner, int64_t first, int64_t last) {
  std::vector<double> losses;
  for (int64_t batch = first; batch <= last; ++batch) losses.push_back(learner.Step(batch, {.eta = 0.1}));
  return losses;
}

std::string HashOf(const Learner& learner) { return HashOfTensors(SavedStateOf(learner)); }

class LayersTest : public testing::TestWithParam<std::string> {};

TEST_P(LayersTest, ARestoredOneGoesOnBitForBitWhateverCameBetween) {
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    const auto learner = Make(Spec(GetParam(), precision));
    Train(*learner, 1, 10);
    const SavedState saved = SavedStateOf(*learner);
    const std::vector<double> losses = Train(*learner, 11, 20);
    const auto other = Make(Spec(GetParam(), precision));
    Train(*other, 1, 3);
    ASSERT_TRUE(other->Restore(saved).ok());
    EXPECT_EQ(Train(*other, 11, 20), losses);
    EXPECT_EQ(HashOf(*other), HashOf(*learner));
    ASSERT_TRUE(learner->Restore(saved).ok());
    EXPECT_EQ(Train(*learner, 11, 20), losses) << "taken back";
    learner->Reset();
    Train(*learner, 1, 10);
    EXPECT_EQ(HashOf(*learner), HashOfTensors(saved)) << "begun anew";
  }
}

TEST_P(LayersTest, LookingOnLeavesNoTraceInTraining) {
  const auto watched = Make(Spec(GetParam()));
  const auto alone = Make(Spec(GetParam()));
  const Dataset data = Curve(9);
  for (int64_t batch = 1; batch <= 20; ++batch) {
    ASSERT_EQ(watched->Step(batch, {.eta = 0.1}), alone->Step(batch, {.eta = 0.1}));
    EXPECT_EQ(watched->Validate(batch)->loss, watched->Validate(batch)->loss);
    watched->Snapshot()->Predict(data.inputs.values, 9);
    EXPECT_EQ(watched->Gradient().values, alone->Gradient().values);
    EXPECT_EQ(watched->LayerActivations().back().values.values, alone->LayerActivations().back().values.values);
  }
  EXPECT_EQ(HashOf(*watched), HashOf(*alone));
}

TEST_P(LayersTest, AnExampleIsPredictedAsItIsAmongOthers) {
  const auto learner = Make(Spec(GetParam()));
  Train(*learner, 1, 20);
  const auto model = learner->Snapshot();
  const Dataset data = Curve(9);
  const auto all = std::get<std::vector<double>>(model->Predict(data.inputs.values, 9).values);
  const auto one =
      std::get<std::vector<double>>(model->Predict(absl::MakeConstSpan(data.inputs.values).subspan(8, 2), 1).values);
  EXPECT_NEAR(one[0], all[8], 1e-12);
  EXPECT_NEAR(one[1], all[9], 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Networks, LayersTest,
                         testing::Values("2x8rd0.5x2", "2x8nud0.3x8d0x2", "2x8brx2", "2x8bud0.3x8nlx2b"),
                         [](const auto& test) { return absl::StrCat("Network", test.index); });

TEST(DropoutLearner, DropoutTakesPartInTrainingAndNotInPredicting) {
  LearnerSpec spec = Spec("2x8rd0.5x2");
  const auto dropping = Make(spec);
  spec.network = *ParseShorthand("2x8rx2");
  const auto whole = Make(spec);
  const std::vector<double> inputs = {0.1, 0.2, -0.3, 0.4};
  EXPECT_EQ(dropping->Snapshot()->Predict(inputs, 2).values, whole->Snapshot()->Predict(inputs, 2).values);
  EXPECT_EQ(dropping->Validate(0)->loss, whole->Validate(0)->loss);
  EXPECT_NE(Train(*dropping, 1, 1), Train(*whole, 1, 1));
}

TEST(DropoutLearner, OfTwoSeedsWithTheSameBeginningDropoutDropsDifferently) {
  LearnerSpec spec = Spec("2x8rd0.5x2");
  spec.keep_order = true;
  std::vector<double> state(42);
  for (size_t i = 0; i < state.size(); ++i) state[i] = std::sin(static_cast<double>(i));
  spec.network.initial_state = NumberArray{{42}, state};
  const auto one = Make(spec);
  spec.seed = 4;
  const auto other = Make(spec);
  EXPECT_NE(Train(*one, 1, 1), Train(*other, 1, 1));
}

TEST(BatchNormLearner, KeepsItsRunningStatisticsAsTensorsOfTheirOwn) {
  const auto learner = Make(Spec("2x8brx2", Precision::kFloat32));
  const SavedState before = SavedStateOf(*learner);
  const SavedTensor* mean = FindTensor(before, "layers.1.running_mean", TensorType::kFloat32, {8});
  const SavedTensor* variance = FindTensor(before, "layers.1.running_var", TensorType::kFloat32, {8});
  ASSERT_TRUE(mean != nullptr && variance != nullptr);
  EXPECT_EQ(std::string(mean->bytes), std::string(32, '\0')) << "zeros";
  const std::vector<float> ones(8, 1);
  EXPECT_EQ(std::memcmp(variance->bytes.data(), ones.data(), 32), 0);
  EXPECT_NE(FindTensor(before, "layers.1.weight", TensorType::kFloat32, {8}), nullptr);
  EXPECT_EQ(before.tensors.size(), 10U);
  EXPECT_EQ(learner->Snapshot()->State().shape, std::vector<int64_t>{24 + 16 + 18}) << "they are no parameters";
  const std::string hash = HashOfTensors(before);
  Train(*learner, 1, 1);
  EXPECT_EQ(HashOfTensors(before), hash);
  const SavedState after = SavedStateOf(*learner);
  EXPECT_NE(after.tensors.at("layers.1.running_mean").bytes, mean->bytes);
  EXPECT_NE(after.tensors.at("layers.1.running_var").bytes, variance->bytes);
}

TEST(BatchNormLearner, ValidatesAndPredictsByTheRunningStatistics) {
  const LearnerSpec spec = Spec("2x8brx2");
  const auto learner = Make(spec);
  Train(*learner, 1, 20);
  SavedState state = SavedStateOf(*learner);
  const double loss = learner->Validate(20)->loss;
  const Dataset data = Curve(9);
  const NumberArray predicted = learner->Snapshot()->Predict(data.inputs.values, 9);
  const std::vector<double> fours(8, 4);
  state.tensors["layers.1.running_var"] = TensorOf(fours.data(), {8}, nullptr);
  ASSERT_TRUE(learner->Restore(state).ok());
  EXPECT_NE(learner->Validate(20)->loss, loss);
  EXPECT_NE(learner->Snapshot()->Predict(data.inputs.values, 9).values, predicted.values);
}

TEST(BatchNormLearner, AStepThatDivergesLeavesTheRunningStatistics) {
  LearnerSpec spec = Spec("2x8bx1", Precision::kFloat32);
  spec.loss = LossFunction::kMse;
  const auto learner = Make(spec);
  int64_t batch = 1;
  while (std::isfinite(learner->Step(batch, {.eta = 1e20})) && batch < 100) ++batch;
  ASSERT_LT(batch, 100);
  const std::string before = HashOf(*learner);
  EXPECT_FALSE(std::isfinite(learner->Step(batch, {.eta = 1e20})));
  EXPECT_EQ(HashOf(*learner), before);
}

TEST(BatchNormLearner, AStateWithoutFittingRunningStatisticsIsRefusedAndChangesNothing) {
  const auto learner = Make(Spec("2x8brx2"));
  Train(*learner, 1, 5);
  const std::string before = HashOf(*learner);
  const SavedState good = SavedStateOf(*Make(Spec("2x8brx2")));
  SavedState missing = good;
  missing.tensors.erase("layers.1.running_var");
  SavedState narrow = good;
  narrow.tensors["layers.1.running_mean"] = good.tensors.at("layers.3.bias");
  SavedState negative = good;
  const std::vector<double> variances = {1, 1, 1, -1e-9, 1, 1, 1, 1};
  negative.tensors["layers.1.running_var"] = TensorOf(variances.data(), {8}, nullptr);
  for (const SavedState& state : {missing, narrow, negative, SavedStateOf(*Make(Spec("2x8nrx2")))}) {
    EXPECT_EQ(ReasonOf(learner->Restore(state)), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(HashOf(*learner), before);
  }
}

class SavedBatchNormTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  const std::string path_ = absl::StrCat(testing::TempDir(), "/saved-batch-norm-", getpid());
};

TEST_F(SavedBatchNormTest, RunningStatisticsTravelWithTheParameters) {
  const LearnerSpec spec = Spec("2x8brx2");
  const auto learner = Make(spec);
  Train(*learner, 1, 20);
  const auto model = learner->Snapshot();
  ASSERT_TRUE(model->Save(path_, 20).ok());
  const Dataset data = Curve(9);
  const NumberArray predicted = model->Predict(data.inputs.values, 9);
  const absl::StatusOr<SavedModel> saved = LoadModel(spec, path_);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->model->Predict(data.inputs.values, 9).values, predicted.values);
  const auto other = Make(spec);
  EXPECT_TRUE(other->Snapshot()->CheckFile(path_).ok());
  ASSERT_TRUE(other->Load(path_).ok());
  EXPECT_EQ(HashOf(*other), HashOf(*learner));
  EXPECT_EQ(other->Validate(20)->loss, learner->Validate(20)->loss);
}

TEST(BatchNormLearner, AModelWithOtherParametersKeepsTheRunningStatistics) {
  const LearnerSpec spec = Spec("2x8brx2");
  const auto learner = Make(spec);
  Train(*learner, 1, 20);
  const SavedState trained = SavedStateOf(*learner);
  const auto both = Make(spec);
  const NumberArray others = both->Snapshot()->State();
  SavedState state = SavedStateOf(*both);
  for (const char* name : {"layers.1.running_mean", "layers.1.running_var"}) {
    state.tensors[name] = trained.tensors.at(name);
  }
  ASSERT_TRUE(both->Restore(state).ok());
  const Dataset data = Curve(9);
  EXPECT_EQ(learner->Snapshot()->With(others)->Predict(data.inputs.values, 9).values,
            both->Snapshot()->Predict(data.inputs.values, 9).values);
}

TEST_F(SavedBatchNormTest, AFileOfANetworkWithoutThemIsRefusedAndTheOtherWayRound) {
  const auto with = Make(Spec("2x8brx2"));
  const auto without = Make(Spec("2x8nrx2"));
  ASSERT_TRUE(without->Snapshot()->Save(path_, 1).ok());
  EXPECT_EQ(ReasonOf(with->Load(path_)), v1::ERROR_REASON_DATA_MALFORMED);
  ASSERT_TRUE(with->Snapshot()->Save(path_, 1).ok());
  EXPECT_EQ(ReasonOf(without->Load(path_)), v1::ERROR_REASON_DATA_MALFORMED);
}

TEST(BatchNormLearner, RefusesBatchesOfOneExample) {
  LearnerSpec spec = Spec("2x8brx1");
  // Of few examples all may be of one class, which is refused as well.
  spec.loss = LossFunction::kMse;
  spec.validation_examples.reset();
  const auto refused = [&](int64_t examples) {
    const auto learner = MakeLearner(spec, Curve(examples));
    return absl::StrCat(ReasonName(ReasonOf(learner.status())), " ", ToError(learner.status()).field());
  };
  EXPECT_EQ(refused(29), "SPEC_INVALID batch_size") << "the last of 4, 4, … 1";
  EXPECT_TRUE(MakeLearner(spec, Curve(30)).ok());
  spec.batch_size = 1;
  EXPECT_EQ(refused(30), "SPEC_INVALID batch_size");
  spec.batch_size.reset();
  EXPECT_EQ(refused(33), "SPEC_INVALID batch_size") << "the usual 32 and 1";
  EXPECT_TRUE(MakeLearner(spec, Curve(31)).ok());
  spec.full_batch = true;
  EXPECT_TRUE(MakeLearner(spec, Curve(33)).ok());
  EXPECT_EQ(refused(1), "SPEC_INVALID batch_size");
  spec.network = *ParseShorthand("2x8nrd0.5x1");
  EXPECT_TRUE(MakeLearner(spec, Curve(1)).ok()) << "without batch norms";
}

}  // namespace
}  // namespace pilothouse::trainer
