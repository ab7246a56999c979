#include "trainer/channel/saved_query.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/tensor.h"
#include "trainer/channel/run_spec.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/data/dataset.h"

namespace pilothouse::trainer {
namespace {

// A run of three batches, saved, and a query about it.
class SavedQueryTest : public testing::Test {
 protected:
  SavedQueryTest() {
    v1::RunSpec& spec = *query_.mutable_spec();
    spec.mutable_network()->set_shorthand("2x2tx1t");
    spec.mutable_data()->set_dataset_id("xor");
    spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
    spec.set_precision(v1::PRECISION_FLOAT64);
    Dataset data{{4, 2, {-0.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0.5, -0.5}}, {4, 1, {-0.5, 0.5, -0.5, 0.5}}};
    absl::StatusOr<std::unique_ptr<Learner>> learner = MakeLearner(PlanRun(spec)->learner, std::move(data));
    for (int64_t batch = 1; batch <= 3; ++batch) (*learner)->Step(batch, {.eta = 0.1});
    model_ = (*learner)->Snapshot();
    query_.set_checkpoint_path(saved_path_);
    EXPECT_TRUE(model_->Save(query_.checkpoint_path(), 3).ok());
    query_.mutable_query()->set_query_id(17);
  }
  ~SavedQueryTest() override { std::filesystem::remove(saved_path_); }

  const std::string saved_path_ = absl::StrCat(testing::TempDir(), "/saved-query-test-", getpid(), ".safetensors");
  v1::SavedQuery query_;
  std::shared_ptr<const Model> model_;
};

TEST_F(SavedQueryTest, PredictsAsTheRunDid) {
  const std::vector<double> inputs = {0.5, 0.25};
  *query_.mutable_query()->mutable_predict()->mutable_inputs() = MakeTensor(absl::MakeConstSpan(inputs), {1, 2});
  const v1::Answer answer = AnswerSaved(query_, PluginKinds());
  EXPECT_EQ(answer.query_id(), 17u);
  EXPECT_EQ(answer.predict().batch(), 3);
  EXPECT_EQ(ToDoubles(answer.predict().outputs()), std::get<std::vector<double>>(model_->Predict(inputs, 1).values));
}

TEST_F(SavedQueryTest, ReturnsTheSavedStateVectorWhenAskedFor) {
  query_.mutable_query()->mutable_state();
  EXPECT_FALSE(AnswerSaved(query_, PluginKinds()).state().has_state());
  query_.mutable_query()->mutable_state()->set_include_state_vector(true);
  const v1::Answer answer = AnswerSaved(query_, PluginKinds());
  EXPECT_EQ(answer.state().batch(), 3);
  EXPECT_EQ(answer.state().status(), v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(ToDoubles(answer.state().state()), std::get<std::vector<double>>(model_->State().values));
}

TEST_F(SavedQueryTest, DoesNotNeedTheStateTheRunBeganFrom) {
  v1::Tensor& initial = *query_.mutable_spec()->mutable_network()->mutable_initial_state();
  initial.set_element_type(v1::ELEMENT_TYPE_FLOAT64);
  initial.add_shape(9);
  query_.mutable_query()->mutable_state();
  EXPECT_TRUE(AnswerSaved(query_, PluginKinds()).has_state());
}

TEST_F(SavedQueryTest, RefusesAFileThatIsNotWhatWasWritten) {
  query_.mutable_query()->mutable_state();
  const std::string written = *FileHash(saved_path_);
  query_.set_checkpoint_sha256(written);
  EXPECT_TRUE(AnswerSaved(query_, PluginKinds()).has_state());
  std::fstream file(saved_path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('\x01');
  file.close();
  query_.clear_checkpoint_sha256();
  EXPECT_TRUE(AnswerSaved(query_, PluginKinds()).has_state()) << "a file whose hash nobody knows";
  query_.set_checkpoint_sha256(written);
  const v1::Answer damaged = AnswerSaved(query_, PluginKinds());
  EXPECT_EQ(damaged.error().reason(), v1::ERROR_REASON_CHECKPOINT_DAMAGED);
  EXPECT_EQ(damaged.error().metadata().at("file"), saved_path_);
  std::filesystem::remove(saved_path_);
  const v1::Answer gone = AnswerSaved(query_, PluginKinds());
  EXPECT_EQ(gone.error().reason(), v1::ERROR_REASON_NO_PARAMETERS);
  EXPECT_EQ(gone.error().metadata().at("file"), saved_path_);
}

class SavedScoresTest : public SavedQueryTest {
 protected:
  SavedScoresTest() {
    std::ofstream table(table_);
    for (int row = 0; row < 10; ++row) table << row % 3 << "," << row % 4 << "," << (row % 2 == 0 ? 0.5 : -0.5) << "\n";
    table.close();
    query_.mutable_spec()->mutable_data()->set_test_size("30%");
    query_.mutable_data()->set_table_path(table_);
    query_.mutable_query()->mutable_evaluate()->set_part(v1::DATA_PART_TEST);
  }
  ~SavedScoresTest() override { std::filesystem::remove(table_); }

  const std::string table_ = absl::StrCat(testing::TempDir(), "/saved-scores-test-", getpid(), ".csv");
};

TEST_F(SavedScoresTest, AreThoseOfTheRunsOwnParts) {
  const v1::Answer answer = AnswerSaved(query_, PluginKinds());
  ASSERT_TRUE(answer.has_evaluate()) << answer.DebugString();
  EXPECT_EQ(answer.evaluate().batch(), 3);
  EXPECT_EQ(answer.evaluate().examples(), 3);
  const absl::StatusOr<RunPlan> plan = PlanRun(query_.spec());
  const absl::StatusOr<std::unique_ptr<Learner>> learner = BuildLearner(*plan, {.table = table_});
  ASSERT_TRUE(learner.ok()) << learner.status();
  ASSERT_TRUE((*learner)->Load(saved_path_).ok());
  EXPECT_EQ(answer.evaluate().values(0).name(), "loss");
  EXPECT_EQ(answer.evaluate().values(0).value(), (*learner)->Test(3)->loss);
  query_.mutable_spec()->set_full_batch(true);
  query_.mutable_spec()->set_threads(8);
  EXPECT_EQ(AnswerSaved(query_, PluginKinds()).evaluate().values(0).value(), answer.evaluate().values(0).value());
}

TEST_F(SavedScoresTest, AreThoseOfANetworkWithBatchNormsToo) {
  query_.mutable_spec()->mutable_network()->set_shorthand("2x3btx1");
  query_.mutable_spec()->set_full_batch(true);
  const absl::StatusOr<RunPlan> plan = PlanRun(query_.spec());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const absl::StatusOr<std::unique_ptr<Learner>> learner = BuildLearner(*plan, {.table = table_});
  ASSERT_TRUE(learner.ok()) << learner.status();
  (*learner)->Step(1, {.eta = 0.1});
  ASSERT_TRUE((*learner)->Snapshot()->Save(saved_path_, 1).ok());
  const v1::Answer answer = AnswerSaved(query_, PluginKinds());
  ASSERT_TRUE(answer.has_evaluate()) << answer.DebugString();
  EXPECT_EQ(answer.evaluate().values(0).value(), (*learner)->Test(1)->loss);
}

TEST_F(SavedScoresTest, AreRefusedOfPartsThatAreNotThereAndOfOtherData) {
  query_.mutable_query()->mutable_evaluate()->set_part(v1::DATA_PART_VALIDATION);
  EXPECT_EQ(AnswerSaved(query_, PluginKinds()).error().reason(), v1::ERROR_REASON_NO_VALIDATION_DATA);
  query_.mutable_query()->mutable_evaluate()->set_part(v1::DATA_PART_TEST);
  query_.mutable_data()->set_data_sha256("another");
  EXPECT_EQ(AnswerSaved(query_, PluginKinds()).error().reason(), v1::ERROR_REASON_DATA_CHANGED);
  query_.mutable_data()->clear_data_sha256();
  query_.mutable_spec()->mutable_data()->clear_test_size();
  EXPECT_EQ(AnswerSaved(query_, PluginKinds()).error().reason(), v1::ERROR_REASON_NO_TEST_DATA);
}

TEST_F(SavedQueryTest, SaysWhatIsWrongInTheAnswer) {
  EXPECT_EQ(AnswerSaved(query_, PluginKinds()).error().reason(), v1::ERROR_REASON_SPEC_INVALID) << "no question";
  query_.mutable_query()->mutable_predict();
  EXPECT_EQ(AnswerSaved(query_, PluginKinds()).error().reason(), v1::ERROR_REASON_ARRAY_DTYPE_INVALID);
  query_.mutable_query()->mutable_state();
  query_.set_checkpoint_path(testing::TempDir() + "/nowhere.safetensors");
  const v1::Answer missing = AnswerSaved(query_, PluginKinds());
  EXPECT_EQ(missing.error().reason(), v1::ERROR_REASON_NO_PARAMETERS);
  EXPECT_EQ(missing.query_id(), 17u);
  query_.mutable_spec()->mutable_network()->set_shorthand("2x");
  EXPECT_EQ(AnswerSaved(query_, PluginKinds()).error().reason(), v1::ERROR_REASON_NET_INVALID);
}

}  // namespace
}  // namespace pilothouse::trainer
