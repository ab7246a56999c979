// What the native learner shows and takes beside learning: validation, gradient, activations, saved parameters.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/loop/curve_data.h"
#include "trainer/loop/learner_view.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

NumberTable Table(int64_t columns, std::vector<double> values) {
  const auto rows = static_cast<int64_t>(values.size()) / columns;
  return {rows, columns, std::move(values)};
}

std::unique_ptr<Learner> Make(const LearnerSpec& spec, Dataset data) {
  auto learner = MakeLearner(spec, std::move(data));
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// y = w·x + b, learnt with mse in float64.
LearnerSpec LineSpec(double w, double b) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x1");
  spec.network.initial_state = NumberArray{{2}, std::vector<double>{w, b}};
  spec.loss = LossFunction::kMse;
  spec.precision = Precision::kFloat64;
  return spec;
}

std::vector<double> StateOf(const Learner& learner) {
  return std::get<std::vector<double>>(learner.Snapshot()->State().values);
}

LearnerSpec CurveSpec() {
  LearnerSpec spec;
  spec.network = *ParseShorthand("2x8rx2");
  spec.precision = Precision::kFloat64;
  spec.seed = 3;
  return spec;
}

TEST(SupervisedLearnerValidation, IsTheMeanOverExamplesWhateverBlocksTheyAreComputedIn) {
  // 256 examples of squared error 1, a whole block, and 32 of squared error 3.
  std::vector<double> targets(1 + kPredictBlockRows, 1);
  targets.insert(targets.end(), 32, std::sqrt(3.0));
  LearnerSpec spec = LineSpec(0, 0);
  spec.keep_order = true;
  spec.validation_examples = kPredictBlockRows + 32;
  const auto learner = Make(spec, {Table(1, std::vector<double>(targets.size(), 1)), Table(1, targets)});
  EXPECT_EQ(learner->facts().examples, 1);
  EXPECT_EQ(learner->facts().validation_examples, kPredictBlockRows + 32);
  const auto validation = learner->Validate(7);
  ASSERT_TRUE(validation.ok()) << validation.status();
  EXPECT_NEAR(validation->loss, (256 * 1.0 + 32 * 3.0) / 288, 1e-12);
  EXPECT_EQ(validation->batch, 7);
  EXPECT_EQ(validation->examples, kPredictBlockRows + 32);
  EXPECT_FALSE(validation->accuracy.has_value());
}

TEST(SupervisedLearnerValidation, CountsTheLabelsWithTheLargestOutputAsRight) {
  // Outputs are x and −x: label 0 is predicted for x >= 0.
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x2");
  spec.network.initial_state = NumberArray{{4}, std::vector<double>{1, -1, 0, 0}};
  spec.keep_order = true;
  spec.validation_examples = 4;
  const auto learner = Make(spec, {Table(1, {1, 1, 1, -1, 0, -2}), Table(1, {0, 1, 0, 1, 0, 0})});
  EXPECT_EQ(learner->Validate(0)->accuracy, 0.75);
}

TEST(SupervisedLearnerValidation, OfBinaryOutputsCountsExamplesWithAllOutputsRight) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x2s");
  spec.network.initial_state = NumberArray{{4}, std::vector<double>{1, -1, 0, 0}};
  spec.loss = LossFunction::kBinaryCrossEntropy;
  spec.keep_order = true;
  spec.validation_examples = 4;
  const auto learner = Make(spec, {Table(1, {1, 1, 1, -1, -1}), Table(2, {1, 0, 1, 0, 1, 1, 0.4, 0.5, 0, 0})});
  EXPECT_EQ(learner->Validate(0)->accuracy, 0.5);
}

TEST(LearnerView, AValidationThatIsRestoredIsTheSameWithItsConfusionCounts) {
  LearnerSpec spec = CurveSpec();
  spec.validation_fraction = 0.4;
  const auto learner = Make(spec, Curve(30));
  const RunState state({}, ScheduledEta(EtaSchedule(), 0.1, 1), 0, BatchSizes{18, 18}, TimePoint());
  LearnerView view("run", "", state, *learner);
  const absl::StatusOr<Validation> validation = view.Validate();
  ASSERT_TRUE(validation.ok()) << validation.status();
  EXPECT_EQ(validation->confusion.size(), 4U);
  SavedState saved;
  view.Save(saved);
  LearnerView again("run", "", state, *learner);
  ASSERT_TRUE(again.Restore(saved).ok());
  EXPECT_EQ(again.Validate()->loss, validation->loss);
  EXPECT_EQ(again.Validate()->confusion, validation->confusion);
  EXPECT_EQ(again.validations(), 1) << "it was not made again";
}

TEST(SupervisedLearnerValidation, LeavesNoTraceInTraining) {
  LearnerSpec spec = CurveSpec();
  spec.validation_fraction = 0.4;
  const auto watched = Make(spec, Curve(1000));
  const auto alone = Make(spec, Curve(1000));
  for (int64_t batch = 1; batch <= 60; ++batch) {
    ASSERT_EQ(watched->Step(batch, {.eta = 0.1}), alone->Step(batch, {.eta = 0.1}));
    const auto first = watched->Validate(batch);
    EXPECT_EQ(watched->Validate(batch)->loss, first->loss);
    EXPECT_EQ(watched->Gradient().values, alone->Gradient().values);
    EXPECT_EQ(watched->LayerActivations().back().values.values, alone->LayerActivations().back().values.values);
  }
  EXPECT_EQ(StateOf(*watched), StateOf(*alone));
}

TEST(SupervisedLearnerValidation, ScoresAsThePredictionsDo) {
  LearnerSpec spec = CurveSpec();
  spec.keep_order = true;
  spec.standardize = true;
  spec.validation_examples = 300;
  const Dataset data = Curve(1000);
  const auto learner = Make(spec, data);
  for (int64_t batch = 1; batch <= 200; ++batch) learner->Step(batch, {.eta = 0.1});
  const auto predicted = std::get<std::vector<double>>(
      learner->Snapshot()->Predict(absl::MakeConstSpan(data.inputs.values).subspan(1400), 300).values);
  double loss = 0;
  for (size_t row = 0; row < 300; ++row) {
    loss -= std::log(predicted[2 * row + static_cast<size_t>(data.targets.values[700 + row])]) / 300;
  }
  EXPECT_NEAR(learner->Validate(200)->loss, loss, 1e-12);
}

TEST(SupervisedLearnerValidation, StandardisationIsMeasuredOnWhatIsLearntFrom) {
  LearnerSpec spec = LineSpec(1, 0);
  spec.keep_order = true;
  spec.standardize = true;
  spec.validation_examples = 1;
  // Mean 1 and deviation 1 of the first two; the third becomes 4.
  const auto learner = Make(spec, {Table(1, {0, 2, 5}), Table(1, {0, 0, 0})});
  EXPECT_EQ(learner->Validate(0)->loss, 16);
  EXPECT_EQ(std::get<std::vector<double>>(learner->Snapshot()->Predict({5}, 1).values)[0], 4);
}

TEST(SupervisedLearnerValidation, NeedsExamplesThatAreHeldOut) {
  const auto learner = Make(CurveSpec(), Curve(100));
  EXPECT_EQ(learner->facts().validation_examples, 0);
  EXPECT_EQ(ReasonOf(learner->Validate(0).status()), v1::ERROR_REASON_NO_VALIDATION_DATA);
}

TEST(SupervisedLearnerValidation, WhatIsHeldOutIsCheckedAndABatchFitsTheRest) {
  LearnerSpec spec = CurveSpec();
  const auto refused = [&](Dataset data) {
    const auto learner = MakeLearner(spec, std::move(data));
    return absl::StrCat(ReasonName(ReasonOf(learner.status())), " ", ToError(learner.status()).field());
  };
  spec.validation_fraction = 1.0;
  EXPECT_EQ(refused(Curve(100)), "SPEC_INVALID data.validation_fraction");
  spec.validation_fraction.reset();
  spec.validation_examples = 100;
  EXPECT_EQ(refused(Curve(100)), "SPEC_INVALID data.validation_examples");
  spec.validation_examples = 90;
  spec.batch_size = 11;
  EXPECT_EQ(refused(Curve(100)), "SPEC_INVALID batch_size");
  spec.batch_size.reset();
  EXPECT_EQ(Make(spec, Curve(100))->facts().batch_size, 10) << "fewer examples than a batch has by default";
  spec.keep_order = true;
  Dataset bad_label = Curve(100);
  bad_label.targets.values.back() = 2;
  EXPECT_EQ(refused(std::move(bad_label)), "LABEL_OUT_OF_RANGE data");
}

TEST(SupervisedLearnerValidation, ARowThatIsTooLargeIsNamedAsItStoodInTheData) {
  LearnerSpec spec = LineSpec(1, 0);
  spec.precision = Precision::kFloat32;
  spec.validation_examples = 3;
  const auto learner = MakeLearner(spec, {Table(1, {1, 2, 3, 1e300, 5, 6}), Table(1, {0, 0, 0, 0, 0, 0})});
  EXPECT_EQ(ToError(learner.status()).metadata().at("row"), "4") << learner.status();
}

TEST(SupervisedLearnerViews, GradientAndBlocksAreThoseOfTheLastBatch) {
  // mse: dw = 2·(w·x + b − t)·x, db = 2·(w·x + b − t).
  const auto learner = Make(LineSpec(2, 1), {Table(1, {3}), Table(1, {5})});
  EXPECT_EQ(std::get<std::vector<double>>(learner->Gradient().values), (std::vector<double>{0, 0}));
  learner->Step(1, {.eta = 0.1});
  EXPECT_EQ(std::get<std::vector<double>>(learner->Gradient().values), (std::vector<double>{12, 4}));
  EXPECT_EQ(learner->Gradient().shape, std::vector<int64_t>{2});

  const std::vector<ParameterBlock> blocks = Make(CurveSpec(), Curve(100))->facts().blocks;
  std::vector<std::string> described;
  for (const ParameterBlock& block : blocks) {
    described.push_back(absl::StrCat(block.name, " ", block.shape.size(), "-D ", block.offset, "+", block.size));
  }
  EXPECT_EQ(described, (std::vector<std::string>{"layers.0.weight 2-D 0+16", "layers.0.bias 1-D 16+8",
                                                 "layers.2.weight 2-D 24+16", "layers.2.bias 1-D 40+2"}));
}

TEST(SupervisedLearnerViews, LayerNormsHaveBlocksOfTheirOwn) {
  LearnerSpec spec = LineSpec(1, 0);
  spec.network = *ParseShorthand("1x2nrx1");
  const auto learner = Make(spec, {Table(1, {1, 2, -3}), Table(1, {0, 0, 0})});
  std::vector<std::string> described;
  for (const ParameterBlock& block : learner->facts().blocks) {
    described.push_back(absl::StrCat(block.name, " ", block.shape.size(), "-D ", block.offset, "+", block.size));
  }
  EXPECT_EQ(described,
            (std::vector<std::string>{"layers.0.weight 2-D 0+2", "layers.0.bias 1-D 2+2", "layers.1.weight 1-D 4+2",
                                      "layers.1.bias 1-D 6+2", "layers.3.weight 2-D 8+2", "layers.3.bias 1-D 10+1"}));
  learner->Step(1, {.eta = 0.1});
  std::vector<std::string> layers;
  for (const Activations& layer : learner->LayerActivations()) {
    layers.push_back(layer.layer + (layer.can_die ? " can die" : ""));
  }
  EXPECT_EQ(layers, (std::vector<std::string>{"layers.0", "layers.1", "layers.2 can die", "layers.3"}));
}

TEST(SupervisedLearnerViews, ActivationsAreWhatEachLayerGaveForTheLastBatch) {
  LearnerSpec spec = LineSpec(1, 0);
  spec.network = *ParseShorthand("1x2rx1");
  spec.network.initial_state = NumberArray{{7}, std::vector<double>{1, -1, 0, 0, 1, 1, 5}};
  spec.batch_size = 3;
  spec.keep_order = true;
  const auto learner = Make(spec, {Table(1, {1, 2, -3, 4, 5}), Table(1, {0, 0, 0, 0, 0})});
  EXPECT_TRUE(learner->LayerActivations().empty());
  learner->Step(1, {.eta = 0});
  learner->Step(2, {.eta = 0});  // the epoch's last batch, of two examples
  const auto layers = learner->LayerActivations();
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[0].layer, "layers.0");
  EXPECT_FALSE(layers[0].can_die);
  EXPECT_EQ(layers[1].layer, "layers.1");
  EXPECT_TRUE(layers[1].can_die);
  EXPECT_EQ(layers[1].values.shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(std::get<std::vector<double>>(layers[1].values.values), (std::vector<double>{4, 0, 5, 0}));
  EXPECT_EQ(std::get<std::vector<double>>(layers[2].values.values), (std::vector<double>{9, 10}));
}

TEST(SupervisedLearnerViews, AModelWithOtherParametersComputesWithThose) {
  LearnerSpec spec = LineSpec(1, 0);
  spec.standardize = true;
  const auto model = Make(spec, {Table(1, {0, 2}), Table(1, {0, 0})})->Snapshot();
  const auto other = model->With({{2}, std::vector<double>{10, 1}});
  EXPECT_EQ(std::get<std::vector<double>>(other->Predict({3}, 1).values)[0], 21);
  EXPECT_EQ(std::get<std::vector<double>>(model->Predict({3}, 1).values)[0], 2);
}

class LoadTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = absl::StrCat(testing::TempDir(), "/load-", getpid());
  const std::string path_ = folder_ + "/other.safetensors";
};

TEST_F(LoadTest, TakesAnotherRunsParametersAndKeepsItsOwnStandardisation) {
  LearnerSpec spec = LineSpec(10, 1);
  spec.standardize = true;
  ASSERT_TRUE(Make(spec, {Table(1, {100, 300}), Table(1, {0, 0})})->Snapshot()->Save(path_, 8).ok());
  spec = LineSpec(1, 0);
  spec.standardize = true;
  const auto learner = Make(spec, {Table(1, {0, 2}), Table(1, {0, 0})});
  EXPECT_TRUE(learner->Snapshot()->CheckFile(path_).ok());
  ASSERT_TRUE(learner->Load(path_).ok());
  EXPECT_EQ(StateOf(*learner), (std::vector<double>{10, 1}));
  EXPECT_EQ(std::get<std::vector<double>>(learner->Snapshot()->Predict({3}, 1).values)[0], 21);
}

TEST_F(LoadTest, TheOptimizerBeginsAnewWithThem) {
  for (const OptimizerKind optimizer : kAllOptimizers) {
    SCOPED_TRACE(Name(optimizer));
    LearnerSpec spec = CurveSpec();
    spec.optimizer = optimizer;
    const UpdateSettings settings = UsualSettings(optimizer);
    const auto fresh = Make(spec, Curve(100));
    ASSERT_TRUE(fresh->Snapshot()->Save(path_, 1).ok());
    const auto learner = Make(spec, Curve(100));
    UpdateSettings diverging = settings;
    diverging.eta = 1e30;
    for (int64_t batch = 1; batch <= 20; ++batch) learner->Step(batch, diverging);
    ASSERT_TRUE(learner->Load(path_).ok());
    for (int64_t batch = 1; batch <= 3; ++batch) {
      EXPECT_EQ(learner->Step(batch, settings), fresh->Step(batch, settings));
    }
    EXPECT_EQ(StateOf(*learner), StateOf(*fresh));
  }
}

TEST_F(LoadTest, RefusesWhatDoesNotFitAndChangesNothing) {
  const auto learner = Make(CurveSpec(), Curve(100));
  const std::vector<double> before = StateOf(*learner);
  EXPECT_EQ(ReasonOf(learner->Load(path_)), v1::ERROR_REASON_FILE_NOT_FOUND);
  std::ofstream(path_) << "half a file";
  EXPECT_EQ(ReasonOf(learner->Load(path_)), v1::ERROR_REASON_DATA_MALFORMED);
  LearnerSpec wider = CurveSpec();
  wider.network = *ParseShorthand("2x9rx2");
  LearnerSpec smaller_numbers = CurveSpec();
  smaller_numbers.precision = Precision::kFloat32;
  for (const LearnerSpec& other : {wider, smaller_numbers}) {
    ASSERT_TRUE(Make(other, Curve(100))->Snapshot()->Save(path_, 1).ok());
    EXPECT_EQ(ReasonOf(learner->Load(path_)), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(ReasonOf(learner->Snapshot()->CheckFile(path_)), v1::ERROR_REASON_DATA_MALFORMED);
  }
  EXPECT_EQ(StateOf(*learner), before);
}

}  // namespace
}  // namespace pilothouse::trainer
