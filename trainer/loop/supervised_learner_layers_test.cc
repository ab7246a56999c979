// The native learner with layers that learn otherwise than they predict.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
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

INSTANTIATE_TEST_SUITE_P(Networks, LayersTest, testing::Values("2x8rd0.5x2", "2x8nud0.3x8d0x2"),
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

}  // namespace
}  // namespace pilothouse::trainer
