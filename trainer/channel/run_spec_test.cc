#include "trainer/channel/run_spec.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

v1::RunSpec GoodSpec() {
  v1::RunSpec spec;
  spec.mutable_network()->set_shorthand("2x2tx1t");
  spec.mutable_data()->set_file("xor.csv");
  spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
  return spec;
}

// A name without what the ways of writing it differ by.
std::string Plain(std::string name) {
  name.erase(std::remove_if(name.begin(), name.end(), [](char c) { return c == ' ' || c == '_'; }), name.end());
  return absl::AsciiStrToLower(name);
}

v1::RunSpec Merged(const std::string& text) {
  v1::RunSpec change;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &change)) << text;
  v1::RunSpec spec = GoodSpec();
  spec.MergeFrom(change);
  return spec;
}

TEST(PlanRun, FillsInTheDefaults) {
  const absl::StatusOr<RunPlan> plan = PlanRun(GoodSpec());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->knobs.update.eta, 0.1);
  EXPECT_EQ(plan->knobs.loss_interval, 0.05);
  EXPECT_EQ(plan->knobs.loss_every, 0);
  EXPECT_EQ(plan->knobs.state_every, 0);
  EXPECT_EQ(plan->learner.precision, Precision::kFloat32);
  EXPECT_EQ(plan->learner.network.initializer, Initializer::kScaled);
  EXPECT_FALSE(plan->learner.batch_size.has_value());
  EXPECT_EQ(plan->learner.seed, 0u);
}

TEST(PlanRun, TakesOverWhatIsSaid) {
  const absl::StatusOr<RunPlan> plan = PlanRun(Merged(R"(
      network { layers { layers { affine { inputs: 3 outputs: 2 } } layers { identity {} }
                         layers { map { activation: ACTIVATION_SIGMOID } } }
                initializer: INITIALIZER_NORMAL
                initial_state { element_type: ELEMENT_TYPE_FLOAT32 shape: 8 data: "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" } }
      data { target_columns: "a" target_columns: "-1" standardize: true }
      loss: LOSS_FUNCTION_BINARY_CROSS_ENTROPY eta: 0.5 batch_size: 7 keep_order: true
      precision: PRECISION_FLOAT64 seed: 11
      report { loss_interval { seconds: 1 nanos: 500000000 } loss_every: -1 state_every: 20 })"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->learner.network.layers.size(), 3u);
  EXPECT_EQ(std::get<AffineLayer>(plan->learner.network.layers[0]).inputs, 3);
  EXPECT_EQ(std::get<MapLayer>(plan->learner.network.layers[2]).activation, Activation::kSigmoid);
  EXPECT_EQ(plan->learner.network.initializer, Initializer::kNormal);
  EXPECT_EQ(plan->learner.network.initial_state->shape, std::vector<int64_t>({8}));
  EXPECT_EQ(plan->columns.targets, std::vector<std::string>({"a", "-1"}));
  EXPECT_TRUE(plan->learner.standardize);
  EXPECT_EQ(plan->learner.loss, LossFunction::kBinaryCrossEntropy);
  EXPECT_EQ(plan->knobs.update.eta, 0.5);
  EXPECT_EQ(plan->learner.batch_size, 7);
  EXPECT_TRUE(plan->learner.keep_order);
  EXPECT_EQ(plan->learner.precision, Precision::kFloat64);
  EXPECT_EQ(plan->learner.seed, 11u);
  EXPECT_EQ(plan->knobs.loss_interval, 1.5);
  EXPECT_EQ(plan->knobs.loss_every, -1);
  EXPECT_EQ(plan->knobs.state_every, 20);
}

TEST(PlanRun, TakesEveryOptimizerWithItsUsualSettings) {
  for (int number = 1; number < v1::OptimizerKind_ARRAYSIZE; ++number) {
    const auto kind = static_cast<v1::OptimizerKind>(number);
    v1::RunSpec spec = GoodSpec();
    spec.mutable_optimizer()->set_kind(kind);
    const absl::StatusOr<RunPlan> plan = PlanRun(spec);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(absl::AsciiStrToLower(v1::OptimizerKind_Name(kind)),
              absl::StrCat("optimizer_kind_", Name(plan->learner.optimizer)));
    EXPECT_EQ(plan->knobs.optimizer, plan->learner.optimizer);
    EXPECT_EQ(plan->knobs.update.eta, UsualSettings(plan->learner.optimizer).eta);
  }
}

TEST(PlanRun, TakesTheSettingsOfItsOptimizer) {
  const absl::StatusOr<RunPlan> plan = PlanRun(Merged(R"(
      optimizer { kind: OPTIMIZER_KIND_ADAM settings { key: "beta1" value: 0.95 } settings { key: "clip_norm" value: 2 } }
      checkpoints { every: 7 } eta: 0.5)"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->knobs.update.eta, 0.5);
  EXPECT_EQ(plan->knobs.update.beta1, 0.95);
  EXPECT_EQ(plan->knobs.update.beta2, 0.999);
  EXPECT_EQ(plan->knobs.update.clip_norm, 2);
  EXPECT_EQ(plan->knobs.checkpoint_every, 7);
}

TEST(PlanRun, SaysWhichSettingsAnOptimizerHas) {
  const v1::Error error = ToError(
      PlanRun(Merged("optimizer { kind: OPTIMIZER_KIND_MOMENTUM settings { key: 'beta1' value: 0.5 } }")).status());
  EXPECT_EQ(error.metadata().at("known"), "momentum, weight_decay, clip_norm, clip_value");
  EXPECT_EQ(error.message(),
            "The optimizer momentum has no setting \"beta1\". It has: momentum, weight_decay, clip_norm, clip_value.");
}

TEST(PlanRun, TakesAnEtaScheduleAndSaysWhichEntryOfOneIsWrong) {
  const absl::StatusOr<RunPlan> plan = PlanRun(Merged("eta: 0.5 eta_schedule: '50,0.01;70,0.005'"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->knobs.update.eta, 0.5);
  EXPECT_EQ(plan->eta_schedule.text(), "50,0.01;70,0.005");
  EXPECT_EQ(PlanRun(GoodSpec())->eta_schedule.text(), "constant");
  const v1::Error error = ToError(PlanRun(Merged("eta_schedule: '50,0.01;70'")).status());
  EXPECT_EQ(error.message().substr(0, 14), "Entry 2, \"70\",") << error.message();
}

TEST(PlanRun, KnowsEveryActivationLossAndInitializerOfTheProtocol) {
  const google::protobuf::EnumDescriptor& activations = *v1::Activation_descriptor();
  for (int i = 1; i < activations.value_count(); ++i) {
    const std::string& name = activations.value(i)->name();
    const auto plan = PlanRun(Merged(
        absl::StrCat("network { layers { layers { affine { inputs: 1 outputs: 2 } } layers { map { activation: ", name,
                     " } } } }")));
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(Plain(Describe(plan->learner.network.layers[1])), Plain(name.substr(sizeof("ACTIVATION")))) << name;
  }
  const google::protobuf::EnumDescriptor& losses = *v1::LossFunction_descriptor();
  for (int i = 1; i < losses.value_count(); ++i) {
    const std::string& name = losses.value(i)->name();
    const auto plan = PlanRun(Merged(absl::StrCat("loss: ", name)));
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(Plain(Name(plan->learner.loss)), Plain(name.substr(sizeof("LOSS_FUNCTION")))) << name;
  }
  const std::pair<const char*, Initializer> initializers[] = {{"SCALED", Initializer::kScaled},
                                                              {"NORMAL", Initializer::kNormal},
                                                              {"GLOROT", Initializer::kGlorot},
                                                              {"HE", Initializer::kHe},
                                                              {"ZEROS", Initializer::kZeros}};
  EXPECT_EQ(v1::Initializer_descriptor()->value_count(), 1 + static_cast<int>(std::size(initializers)));
  for (const auto& [name, initializer] : initializers) {
    const auto plan = PlanRun(Merged(absl::StrCat("network { initializer: INITIALIZER_", name, " }")));
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->learner.network.initializer, initializer) << name;
  }
}

TEST(PlanRun, TakesBatchNorms) {
  const auto plan = PlanRun(Merged(R"(network { layers { layers { affine { inputs: 1 outputs: 2 } }
                                                         layers { batch_norm { features: 2 } } } })"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(std::get<BatchNormLayer>(plan->learner.network.layers[1]).features, 2);
}

TEST(PlanRun, TakesDropout) {
  const auto plan = PlanRun(Merged(R"(network { layers { layers { affine { inputs: 1 outputs: 2 } }
                                                         layers { dropout { rate: 0.25 } } } })"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(std::get<DropoutLayer>(plan->learner.network.layers[1]).rate, 0.25);
}

TEST(PlanRun, TakesLayerNorms) {
  const auto plan = PlanRun(Merged(R"(network { layers { layers { affine { inputs: 1 outputs: 2 } }
                                                         layers { layer_norm { features: 2 } } } })"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(std::get<LayerNormLayer>(plan->learner.network.layers[1]).features, 2);
}

struct BadSpec {
  const char* text;
  v1::ErrorReason reason;
  const char* field;
};

class BadSpecTest : public testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecTest, IsRefusedWithReasonAndField) {
  const v1::Error error = ToError(PlanRun(Merged(GetParam().text)).status());
  EXPECT_EQ(error.reason(), GetParam().reason) << error.DebugString();
  EXPECT_EQ(error.field(), GetParam().field) << error.DebugString();
  EXPECT_FALSE(error.message().empty());
}

INSTANTIATE_TEST_SUITE_P(
    PlanRun, BadSpecTest,
    testing::Values(
        BadSpec{"network { shorthand: '' }", v1::ERROR_REASON_NET_INVALID, "spec.network.shorthand"},
        BadSpec{"network { shorthand: '2xx1' }", v1::ERROR_REASON_NET_INVALID, "spec.network.shorthand"},
        BadSpec{"network { layers { } }", v1::ERROR_REASON_NET_INVALID, "spec.network.layers"},
        BadSpec{"network { layers { layers { } } }", v1::ERROR_REASON_NET_INVALID, "spec.network.layers.layers[0]"},
        BadSpec{"network { layers { layers { affine { inputs: 1 outputs: 1 } } layers { map { } } } }",
                v1::ERROR_REASON_NET_INVALID, "spec.network.layers.layers[1]"},
        BadSpec{"network { layers { layers { affine { inputs: 1 outputs: 1 } } layers { layer_norm { } } } }",
                v1::ERROR_REASON_NET_INVALID, "spec.network.layers"},
        BadSpec{"network { layers { layers { affine { inputs: 1 outputs: 1 } } layers { batch_norm { } } } }",
                v1::ERROR_REASON_NET_INVALID, "spec.network.layers"},
        BadSpec{"network { layers { layers { affine { inputs: 1 outputs: 1 } } layers { dropout { rate: 1 } } } }",
                v1::ERROR_REASON_NET_INVALID, "spec.network.layers"},
        BadSpec{"network { initializer: 99 }", v1::ERROR_REASON_SPEC_INVALID, "spec.network.initializer"},
        BadSpec{"network { initial_state { shape: 9 } }", v1::ERROR_REASON_ARRAY_DTYPE_INVALID,
                "spec.network.initial_state"},
        BadSpec{"network { initial_state { element_type: ELEMENT_TYPE_FLOAT64 shape: 9 data: 'short' } }",
                v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "spec.network.initial_state"},
        BadSpec{"network { initial_state { element_type: ELEMENT_TYPE_FLOAT64 shape: 1 data: '12345678' } }",
                v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "spec.network.initial_state"},
        BadSpec{"loss: 99", v1::ERROR_REASON_SPEC_INVALID, "spec.loss"},
        BadSpec{"precision: 99", v1::ERROR_REASON_SPEC_INVALID, "spec.precision"},
        BadSpec{"eta: 0", v1::ERROR_REASON_ETA_INVALID, "spec.eta"},
        BadSpec{"eta: -0.1", v1::ERROR_REASON_ETA_INVALID, "spec.eta"},
        BadSpec{"eta: nan", v1::ERROR_REASON_ETA_INVALID, "spec.eta"},
        BadSpec{"eta: inf", v1::ERROR_REASON_ETA_INVALID, "spec.eta"},
        BadSpec{"optimizer { kind: 99 }", v1::ERROR_REASON_SPEC_INVALID, "spec.optimizer.kind"},
        BadSpec{"optimizer { settings { key: 'momentum' value: 0.9 } }", v1::ERROR_REASON_SPEC_INVALID,
                "spec.optimizer.settings[momentum]"},
        BadSpec{"optimizer { settings { key: 'eta' value: 0.1 } }", v1::ERROR_REASON_SPEC_INVALID,
                "spec.optimizer.settings[eta]"},
        BadSpec{"optimizer { settings { key: 'loss_every' value: 1 } }", v1::ERROR_REASON_SPEC_INVALID,
                "spec.optimizer.settings[loss_every]"},
        BadSpec{"optimizer { kind: OPTIMIZER_KIND_NESTEROV settings { key: 'momentum' value: 1 } }",
                v1::ERROR_REASON_KNOB_OUT_OF_RANGE, "spec.optimizer.settings[momentum]"},
        BadSpec{"optimizer { settings { key: 'weight_decay' value: nan } }", v1::ERROR_REASON_KNOB_OUT_OF_RANGE,
                "spec.optimizer.settings[weight_decay]"},
        BadSpec{"eta_schedule: '50,0.01;70'", v1::ERROR_REASON_ETA_SCHEDULE_INVALID, "spec.eta_schedule"},
        BadSpec{"eta_schedule: 'cosine'", v1::ERROR_REASON_ETA_SCHEDULE_INVALID, "spec.eta_schedule"},
        BadSpec{"batch_size: 0", v1::ERROR_REASON_SPEC_INVALID, "spec.batch_size"},
        BadSpec{"batch_size: -5", v1::ERROR_REASON_SPEC_INVALID, "spec.batch_size"},
        BadSpec{"batch_size: 4 full_batch: true", v1::ERROR_REASON_SPEC_INVALID, "spec.batch_size"},
        BadSpec{"report { loss_interval { nanos: -1 } }", v1::ERROR_REASON_INTERVAL_INVALID,
                "spec.report.loss_interval"},
        BadSpec{"report { loss_interval { seconds: 3600 nanos: 1 } }", v1::ERROR_REASON_INTERVAL_INVALID,
                "spec.report.loss_interval"},
        BadSpec{"report { loss_interval { nanos: 1000000000 } }", v1::ERROR_REASON_INTERVAL_INVALID,
                "spec.report.loss_interval"},
        BadSpec{"report { loss_every: 9223372036854775807 }", v1::ERROR_REASON_SPEC_INVALID, "spec.report.loss_every"},
        BadSpec{"report { state_every: -9223372036854775808 }", v1::ERROR_REASON_SPEC_INVALID,
                "spec.report.state_every"},
        BadSpec{"network { shorthand: '1000x100' } report { state_every: 1 }", v1::ERROR_REASON_STATE_TOO_LARGE,
                "spec.report.state_every"}));

TEST(PlanRun, NeedsANetworkDataAndALoss) {
  v1::RunSpec no_network = GoodSpec();
  no_network.clear_network();
  EXPECT_EQ(ToError(PlanRun(no_network).status()).field(), "spec.network");
  v1::RunSpec no_data = GoodSpec();
  no_data.clear_data();
  EXPECT_EQ(ToError(PlanRun(no_data).status()).field(), "spec.data");
  v1::RunSpec no_loss = GoodSpec();
  no_loss.clear_loss();
  EXPECT_EQ(ToError(PlanRun(no_loss).status()).field(), "spec.loss");
}

TEST(PlanRun, TakesOverHowTheExamplesAreSplitAndWeighed) {
  const absl::StatusOr<RunPlan> plan = PlanRun(Merged(R"(
      data { validation_size: "20%" test_size: "0.1" split: SPLIT_METHOD_STRATIFIED split_seed: 7 weight_column: "w"
             ignored_columns: "id" ignored_columns: "3" }
      threads: 4)"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->learner.validation_size, "20%");
  EXPECT_EQ(plan->learner.test_size, "0.1");
  EXPECT_EQ(plan->learner.split_method, SplitMethod::kStratified);
  EXPECT_EQ(plan->learner.split_seed, 7u);
  EXPECT_EQ(plan->columns.weight, "w");
  EXPECT_EQ(plan->columns.ignored, std::vector<std::string>({"id", "3"}));
  EXPECT_EQ(plan->learner.threads, 4);
  EXPECT_TRUE(plan->retention.keep_best) << "something is held out";
  const absl::StatusOr<RunPlan> plain = PlanRun(GoodSpec());
  EXPECT_EQ(plain->learner.threads, 1) << "where nothing is said";
  EXPECT_FALSE(plain->learner.split_method.has_value());
  EXPECT_FALSE(plain->columns.weight.has_value());
  v1::RunSpec unknown = GoodSpec();
  unknown.mutable_data()->set_split(static_cast<v1::SplitMethod>(99));
  EXPECT_EQ(ToError(PlanRun(unknown).status()).field(), "spec.data.split");
}

class BuildRunTest : public testing::Test {
 protected:
  BuildRunTest() {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/xor.csv") << "-0.5,-0.5,-0.5\n-0.5,0.5,0.5\n0.5,0.5,-0.5\n0.5,-0.5,0.5\n";
    *welcome_.mutable_spec() = GoodSpec();
    welcome_.set_directory(directory_);
    welcome_.set_table_path(directory_ + "/xor.csv");
    welcome_.set_target(50);
  }
  ~BuildRunTest() override { std::filesystem::remove_all(directory_); }

  const std::string directory_ = absl::StrCat(testing::TempDir(), "/build-run-test-", getpid());
  v1::Welcome welcome_;
};

TEST_F(BuildRunTest, ReadsTheDataAndBuildsTheNetwork) {
  const absl::StatusOr<BuiltRun> run = BuildRun(welcome_, nullptr);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->learner->facts().examples, 4);
  EXPECT_EQ(run->learner->facts().parameters, 9);
  EXPECT_EQ(run->loop.target, 50);
  EXPECT_EQ(run->loop.directory, directory_);
  EXPECT_EQ(run->bytes_per_parameter, 4);
}

TEST_F(BuildRunTest, SplitsAndWeighsTheExamples) {
  std::ofstream table(directory_ + "/xor.csv");
  table << "a,w,b,t\n";
  for (int row = 0; row < 20; ++row) table << row << "," << 1 + row % 2 << "," << row * row << "," << row % 3 << "\n";
  table.close();
  v1::DataSpec& data = *welcome_.mutable_spec()->mutable_data();
  data.set_weight_column("w");
  data.set_validation_size("25%");
  data.set_test_size("0.1");
  welcome_.mutable_spec()->set_threads(2);
  const absl::StatusOr<BuiltRun> run = BuildRun(welcome_, nullptr);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->learner->facts().examples, 13);
  EXPECT_EQ(run->learner->facts().validation_examples, 5);
  EXPECT_EQ(run->learner->facts().test_examples, 2);
  EXPECT_EQ(run->learner->facts().inputs, 2);
  EXPECT_EQ(run->learner->facts().input_names, std::vector<std::string>({"a", "b"}));
}

TEST_F(BuildRunTest, ArraysHaveNoColumnOfWeights) {
  welcome_.clear_table_path();
  welcome_.set_inputs_path(directory_ + "/xor.csv");
  welcome_.set_targets_path(directory_ + "/xor.csv");
  welcome_.mutable_spec()->mutable_data()->set_weight_column("w");
  EXPECT_EQ(ToError(BuildRun(welcome_, nullptr).status()).field(), "spec.data.weight_column");
  welcome_.mutable_spec()->mutable_data()->add_ignored_columns("1");
  EXPECT_EQ(ToError(BuildRun(welcome_, nullptr).status()).field(), "spec.data.ignored_columns");
}

TEST_F(BuildRunTest, HoldsTheRunsLock) {
  const absl::StatusOr<BuiltRun> run = BuildRun(welcome_, nullptr);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(ReasonOf(BuildRun(welcome_, nullptr).status()), v1::ERROR_REASON_TRAINER_FAILED);
}

TEST_F(BuildRunTest, BlamesTheFieldOfTheSpecThatDoesNotFitTheData) {
  welcome_.mutable_spec()->mutable_network()->set_shorthand("3x1");
  const v1::Error width = ToError(BuildRun(welcome_, nullptr).status());
  EXPECT_EQ(width.reason(), v1::ERROR_REASON_NET_DATA_MISMATCH) << width.DebugString();
  EXPECT_EQ(width.field().substr(0, 5), "spec.") << width.DebugString();
  *welcome_.mutable_spec() = GoodSpec();
  welcome_.mutable_spec()->mutable_data()->add_target_columns("label");
  const v1::Error column = ToError(BuildRun(welcome_, nullptr).status());
  EXPECT_EQ(column.reason(), v1::ERROR_REASON_COLUMN_NOT_FOUND) << column.DebugString();
  EXPECT_EQ(column.field(), "spec.data.target_columns");
  *welcome_.mutable_spec() = GoodSpec();
  welcome_.mutable_spec()->set_batch_size(5);
  const v1::Error size = ToError(BuildRun(welcome_, nullptr).status());
  EXPECT_EQ(size.reason(), v1::ERROR_REASON_SPEC_INVALID) << size.DebugString();
  EXPECT_EQ(size.field(), "spec.batch_size");
  *welcome_.mutable_spec() = GoodSpec();
  welcome_.mutable_spec()->set_threads(-1);
  EXPECT_EQ(ToError(BuildRun(welcome_, nullptr).status()).field(), "spec.threads");
  *welcome_.mutable_spec() = GoodSpec();
  welcome_.mutable_spec()->mutable_data()->set_test_size("all");
  EXPECT_EQ(ToError(BuildRun(welcome_, nullptr).status()).field(), "spec.data.test_size");
}

}  // namespace
}  // namespace pilothouse::trainer
