#include "trainer/loop/supervised_learner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <thread>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/safetensors.h"

namespace pilothouse::trainer {
namespace {

NumberTable Table(int64_t columns, std::vector<double> values) {
  const auto rows = static_cast<int64_t>(values.size()) / columns;
  return {rows, columns, std::move(values)};
}

Dataset Xor() { return {Table(2, {-.5, -.5, -.5, .5, .5, .5, .5, -.5}), Table(1, {-.5, .5, -.5, .5})}; }

LearnerSpec XorSpec(std::vector<double> state) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("2x2tx1t");
  spec.network.initial_state = NumberArray{{9}, std::move(state)};
  spec.loss = LossFunction::kHalfMse;
  spec.precision = Precision::kFloat64;
  spec.full_batch = true;
  return spec;
}

std::unique_ptr<Learner> Make(const LearnerSpec& spec, Dataset data) {
  auto learner = MakeLearner(spec, std::move(data));
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// Eight by eight pictures of bars: class c has row c lit, in noise.
Dataset Bars(int64_t rows) {
  Dataset data{{rows, 64, {}}, {rows, 1, {}}};
  uint64_t random = 1;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t pixel = 0; pixel < 64; ++pixel) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      const double noise = static_cast<double>(random >> 40) / (1 << 24);
      data.inputs.values.push_back(8 * noise + (pixel / 8 == row % 8 ? 6 : 0));
    }
    data.targets.values.push_back(static_cast<double>(row % 8));
  }
  return data;
}

LearnerSpec BarsSpec() {
  LearnerSpec spec;
  spec.network = *ParseShorthand("64x32rx8");
  spec.standardize = true;
  return spec;
}

template <typename T>
std::vector<T> StateOf(const Learner& learner) {
  return std::get<std::vector<T>>(learner.Snapshot()->State().values);
}

TEST(SupervisedLearner, LearnsXorAlongTheKnownTrajectory) {
  const auto learner = Make(XorSpec({.1, .2, .3, .4, .5, .6, .7, .8, .9}), Xor());
  std::vector<double> losses = {0};
  for (int64_t batch = 1; batch <= 5000; ++batch) losses.push_back(learner->Step(batch, {.eta = 0.1}));
  EXPECT_NEAR(losses[1], 0.545515713358, 1e-9);
  EXPECT_NEAR(losses[2], 0.540930747879, 1e-9);
  EXPECT_NEAR(losses[50], 0.140791682357, 1e-9);
  EXPECT_NEAR(losses[51], 0.140276354469, 1e-9);
  EXPECT_LT(losses[5000], 1e-20);
}

TEST(SupervisedLearner, ANetworkOfZerosHasTheSameLossForever) {
  const auto learner = Make(XorSpec(std::vector<double>(9, 0)), Xor());
  for (int64_t batch = 1; batch <= 1000; ++batch) ASSERT_EQ(learner->Step(batch, {.eta = 0.1}), 0.125);
}

TEST(SupervisedLearner, LearnsToTellPicturesApart) {
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    LearnerSpec spec = BarsSpec();
    spec.precision = precision;
    const auto learner = Make(spec, Bars(500));
    for (int64_t batch = 1; batch <= 20 * learner->facts().batches_per_epoch; ++batch)
      learner->Step(batch, {.eta = 0.1});
    Dataset unseen = Bars(2000);
    const NumberArray predicted = learner->Snapshot()->Predict(unseen.inputs.values, 2000);
    EXPECT_EQ(predicted.shape, (std::vector<int64_t>{2000, 8}));
    int right = 0;
    std::visit(
        [&](const auto& values) {
          for (int64_t row = 500; row < 2000; ++row) {
            const auto* p = values.data() + row * 8;
            right += std::max_element(p, p + 8) - p == row % 8 ? 1 : 0;
            EXPECT_NEAR(std::accumulate(p, p + 8, 0.0), 1, 1e-5);
          }
        },
        predicted.values);
    EXPECT_GT(right, 1500 * 95 / 100) << Name(precision);
  }
}

TEST(SupervisedLearner, TheSameSpecGivesTheSameBitsAndAnotherSeedDoesNot) {
  const auto train = [](uint64_t seed) {
    LearnerSpec spec = BarsSpec();
    spec.seed = seed;
    const auto learner = Make(spec, Bars(100));
    for (int64_t batch = 1; batch <= 50; ++batch) learner->Step(batch, {.eta = 0.1});
    return StateOf<float>(*learner);
  };
  EXPECT_EQ(train(1), train(1));
  EXPECT_NE(train(1), train(2));
}

TEST(SupervisedLearner, FullBatchAndKeptOrderMeanWhatTheySay) {
  // One weight, loss (w·x − t)²/2 with t = 0: the loss of a batch tells which examples were in it.
  const Dataset data{Table(1, {1, 2, 3, 4, 5}), Table(1, {0, 0, 0, 0, 0})};
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x1");
  spec.network.initial_state = NumberArray{{2}, std::vector<double>{1, 0}};
  spec.loss = LossFunction::kMse;
  spec.batch_size = 2;
  spec.keep_order = true;
  const auto kept = Make(spec, data);
  EXPECT_EQ(kept->facts().batches_per_epoch, 3);
  const double expected[] = {2.5, 12.5, 25, 2.5};
  for (int64_t batch = 1; batch <= 4; ++batch) EXPECT_EQ(kept->Step(batch, {.eta = 0}), expected[batch - 1]);

  spec.batch_size.reset();
  spec.keep_order = false;
  spec.full_batch = true;
  EXPECT_EQ(Make(spec, data)->Step(7, {.eta = 0}), 11);

  spec.full_batch = false;
  const auto by_default = Make(spec, data);
  EXPECT_EQ(by_default->facts().batches_per_epoch, 1) << "fewer examples than a batch has by default";
  EXPECT_EQ(by_default->Step(1, {.eta = 0}), 11);
}

TEST(SupervisedLearner, MakesNoUpdateWhereTheLossIsNotFinite) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x1");
  spec.network.initial_state = NumberArray{{2}, std::vector<double>{1, 0}};
  spec.loss = LossFunction::kMse;
  const auto learner = Make(spec, {Table(1, {1e30}), Table(1, {0})});
  int64_t batch = 1;
  while (std::isfinite(learner->Step(batch, {.eta = 1e3})) && batch < 100) ++batch;
  ASSERT_LT(batch, 100);
  // Bits, since NaN is not equal to itself.
  const auto state_bits = [&] {
    std::vector<uint32_t> bits;
    for (const float value : StateOf<float>(*learner)) bits.push_back(std::bit_cast<uint32_t>(value));
    return bits;
  };
  const std::vector<uint32_t> before = state_bits();
  EXPECT_FALSE(std::isfinite(learner->Step(batch, {.eta = 1e3})));
  EXPECT_EQ(state_bits(), before);
}

TEST(SupervisedLearner, SaysWhatItBuilt) {
  LearnerSpec spec = BarsSpec();
  spec.batch_size = 7;
  const auto learner = Make(spec, Bars(100));
  const LearnerFacts& facts = learner->facts();
  EXPECT_EQ(facts.examples, 100);
  EXPECT_EQ(facts.inputs, 64);
  EXPECT_EQ(facts.outputs, 8);
  EXPECT_EQ(facts.parameters, 64 * 32 + 32 + 32 * 8 + 8);
  EXPECT_EQ(facts.batches_per_epoch, 15);
  ASSERT_EQ(facts.layers.size(), 3U);
  EXPECT_EQ(facts.layers[0].description, "Affine 64→32");
  EXPECT_EQ(facts.layers[1].description, "ReLU");
  EXPECT_EQ(facts.layers[1].outputs, 32);
  EXPECT_EQ(facts.layers[1].parameters, 0);
  EXPECT_EQ(facts.layers[2].parameters, 32 * 8 + 8);
  EXPECT_EQ(learner->Snapshot()->State().shape, std::vector<int64_t>{facts.parameters});
}

TEST(SupervisedLearner, ASnapshotStaysAsItWas) {
  const auto learner = Make(XorSpec({.1, .2, .3, .4, .5, .6, .7, .8, .9}), Xor());
  const std::shared_ptr<const Model> model = learner->Snapshot();
  const NumberArray state = model->State();
  std::thread trainer([&] {
    for (int64_t batch = 1; batch <= 1000; ++batch) learner->Step(batch, {.eta = 0.1});
  });
  const NumberArray before = model->Predict({.5, -.5}, 1);
  trainer.join();
  EXPECT_EQ(model->State().values, state.values);
  EXPECT_EQ(model->Predict({.5, -.5}, 1).values, before.values);
  EXPECT_NE(learner->Snapshot()->State().values, state.values);
}

TEST(SupervisedLearner, PredictsManyRowsAsItDoesOneAndNoneAtAll) {
  const auto learner = Make(BarsSpec(), Bars(100));
  const auto model = learner->Snapshot();
  const Dataset data = Bars(600);
  const auto all = std::get<std::vector<float>>(model->Predict(data.inputs.values, 600).values);
  for (const int64_t row : {0, 255, 256, 599}) {
    const auto one = std::get<std::vector<float>>(
        model->Predict(absl::MakeConstSpan(data.inputs.values).subspan(static_cast<size_t>(row * 64), 64), 1).values);
    for (int64_t i = 0; i < 8; ++i) {
      EXPECT_NEAR(one[static_cast<size_t>(i)], all[static_cast<size_t>(row * 8 + i)], 1e-6);
    }
  }
  EXPECT_EQ(model->Predict({}, 0).shape, (std::vector<int64_t>{0, 8}));
}

TEST(SupervisedLearner, StandardisationIsPartOfTheModel) {
  // A line through data that is far off centre: hopeless at this eta without standardisation.
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x1");
  spec.loss = LossFunction::kHalfMse;
  spec.full_batch = true;
  spec.standardize = true;
  const auto learner = Make(spec, {Table(1, {1000, 1001, 1002, 1003}), Table(1, {2, 4, 6, 8})});
  for (int64_t batch = 1; batch <= 500; ++batch) learner->Step(batch, {.eta = 0.1});
  const auto predicted = std::get<std::vector<float>>(learner->Snapshot()->Predict({1000, 1004}, 2).values);
  EXPECT_NEAR(predicted[0], 2, 1e-3);
  EXPECT_NEAR(predicted[1], 10, 1e-3);
}

class SavedModelTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = absl::StrCat(testing::TempDir(), "/saved-model-", getpid());
  const std::string path_ = folder_ + "/model.safetensors";
};

TEST_F(SavedModelTest, ComesBackBitByBitWithItsBatch) {
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    for (const bool standardize : {false, true}) {
      LearnerSpec spec = BarsSpec();
      spec.precision = precision;
      spec.standardize = standardize;
      const auto learner = Make(spec, Bars(100));
      for (int64_t batch = 1; batch <= 12; ++batch) learner->Step(batch, {.eta = 0.01});
      const auto model = learner->Snapshot();
      ASSERT_TRUE(model->Save(path_, 12).ok());
      const auto saved = LoadModel(spec, path_);
      ASSERT_TRUE(saved.ok()) << saved.status();
      EXPECT_EQ(saved->batch, 12);
      EXPECT_EQ(saved->model->State().values, model->State().values);
      const Dataset data = Bars(9);
      EXPECT_EQ(saved->model->Predict(data.inputs.values, 9).values, model->Predict(data.inputs.values, 9).values);
    }
  }
}

TEST_F(SavedModelTest, NamesItsTensorsByLayer) {
  ASSERT_TRUE(Make(BarsSpec(), Bars(100))->Snapshot()->Save(path_, 3).ok());
  const auto file = ReadSafetensors(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<std::string> shapes;
  for (const auto& [name, array] : file->tensors) {
    shapes.push_back(absl::StrCat(name, " ", array.shape[0], array.shape.size() == 2 ? "x" : "",
                                  array.shape.size() == 2 ? absl::StrCat(array.shape[1]) : ""));
  }
  EXPECT_EQ(shapes,
            (std::vector<std::string>{"layers.0.bias 32", "layers.0.weight 64x32", "layers.2.bias 8",
                                      "layers.2.weight 32x8", "standardize.deviation 64", "standardize.mean 64"}));
  EXPECT_EQ(file->texts.at("batch"), "3");
  EXPECT_EQ(file->texts.at("precision"), "float32");
}

TEST_F(SavedModelTest, RefusesWhatIsMissingOrBelongsToAnotherRun) {
  LearnerSpec spec = BarsSpec();
  EXPECT_EQ(ReasonOf(LoadModel(spec, path_).status()), v1::ERROR_REASON_NO_PARAMETERS);
  // As behind a folder that may not be searched, nobody can tell whether it is there.
  std::filesystem::create_symlink(path_, path_);
  EXPECT_EQ(ReasonOf(LoadModel(spec, path_).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_EQ(ReasonOf(LoadModel(spec, path_, "aa").status()), v1::ERROR_REASON_FILE_NOT_FOUND);
  std::filesystem::remove(path_);
  ASSERT_TRUE(Make(spec, Bars(100))->Snapshot()->Save(path_, 3).ok());
  LearnerSpec other_precision = spec;
  other_precision.precision = Precision::kFloat64;
  LearnerSpec other_width = spec;
  other_width.network = *ParseShorthand("64x33rx8");
  LearnerSpec fewer_layers = spec;
  fewer_layers.network = *ParseShorthand("64x32");
  LearnerSpec as_it_is = spec;
  as_it_is.standardize = false;
  for (const LearnerSpec& other : {other_precision, other_width, fewer_layers, as_it_is}) {
    EXPECT_EQ(ReasonOf(LoadModel(other, path_).status()), v1::ERROR_REASON_DATA_MALFORMED);
  }
  auto file = *ReadSafetensors(path_);
  file.texts["batch"] = "-1";
  ASSERT_TRUE(WriteSafetensors(path_, file).ok());
  EXPECT_EQ(ReasonOf(LoadModel(spec, path_).status()), v1::ERROR_REASON_DATA_MALFORMED);
}

void ExpectRefused(const LearnerSpec& spec, Dataset data, v1::ErrorReason reason, const std::string& field) {
  const auto learner = MakeLearner(spec, std::move(data));
  ASSERT_FALSE(learner.ok()) << ReasonName(reason);
  EXPECT_EQ(ReasonOf(learner.status()), reason) << learner.status();
  EXPECT_EQ(ToError(learner.status()).field(), field) << learner.status();
}

TEST(SupervisedLearner, RefusesSpecsThatDoNotFitTogether) {
  LearnerSpec spec = BarsSpec();
  spec.network = *ParseShorthand("65x8");
  ExpectRefused(spec, Bars(10), v1::ERROR_REASON_NET_DATA_MISMATCH, "network");
  spec.network.layers[0] = AffineLayer{64, 0};
  ExpectRefused(spec, Bars(10), v1::ERROR_REASON_NET_INVALID, "network.layers");
  spec.network = *ParseShorthand("64x8t");
  ExpectRefused(spec, Bars(10), v1::ERROR_REASON_NET_LOSS_MISMATCH, "loss");
  spec.network = *ParseShorthand("64x7");
  ExpectRefused(spec, Bars(10), v1::ERROR_REASON_LABEL_OUT_OF_RANGE, "data");
  for (const int64_t size : {int64_t{0}, int64_t{-1}, int64_t{11}}) {
    spec = BarsSpec();
    spec.batch_size = size;
    ExpectRefused(spec, Bars(10), v1::ERROR_REASON_SPEC_INVALID, "batch_size");
  }
  spec.batch_size = 5;
  spec.full_batch = true;
  ExpectRefused(spec, Bars(10), v1::ERROR_REASON_SPEC_INVALID, "batch_size");
}

TEST(SupervisedLearner, RefusesNumbersThatFloat32CannotHold) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x1");
  spec.loss = LossFunction::kMse;
  ExpectRefused(spec, {Table(1, {1e300}), Table(1, {0})}, v1::ERROR_REASON_DATA_MALFORMED, "data");
  spec.network.initial_state = NumberArray{{2}, std::vector<double>{1e300, 0}};
  ExpectRefused(spec, {Table(1, {1}), Table(1, {0})}, v1::ERROR_REASON_DATA_MALFORMED, "network.initial_state");
  spec.precision = Precision::kFloat64;
  EXPECT_TRUE(MakeLearner(spec, {Table(1, {1e300}), Table(1, {0})}).ok());
}

TEST(SupervisedLearner, RefusesABatchThatNoMemoryHolds) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("1x65536x1");
  spec.loss = LossFunction::kMse;
  spec.full_batch = true;
  const int64_t rows = 20'000;
  ExpectRefused(spec, {Table(1, std::vector<double>(rows)), Table(1, std::vector<double>(rows))},
                v1::ERROR_REASON_SPEC_INVALID, "batch_size");
}

}  // namespace
}  // namespace pilothouse::trainer
