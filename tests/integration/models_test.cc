// What a run's last and best parameters answer and score, while it lives and when it has ended, and going on from them.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/tensor.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"

namespace pilothouse::testing {
namespace {

constexpr std::chrono::seconds kPatience{60};

// A run on three classes with noise, so that validation is best somewhere on the way; it holds 30 of 120 examples out
// for validation, and keeps 12 for the end.
class Models : public ::testing::Test {
 protected:
  static std::string Table() {
    std::string table;
    for (int row = 0; row < 120; ++row) {
      const double x = std::sin(row * 1.7);
      const double y = std::cos(row * 2.9);
      const int label = row % 7 == 0 ? row % 3 : x > y ? 2 : x * y > 0.1 ? 1 : 0;
      absl::StrAppend(&table, x, ",", y, ",", label, "\n");
    }
    return table;
  }

  void SetUp() override {
    v1::RunSpec spec;
    spec.mutable_network()->set_shorthand("2x16tx3");
    spec.mutable_data()->set_dataset_id(*service_.UploadTable(Table()));
    spec.mutable_data()->set_validation_size("25%");
    spec.mutable_data()->set_test_size("0.1");
    spec.mutable_data()->set_split(v1::SPLIT_METHOD_STRATIFIED);
    spec.set_loss(v1::LOSS_FUNCTION_CROSS_ENTROPY);
    spec.set_eta(0.5);
    spec.set_batch_size(8);
    spec.set_threads(2);
    v1::PluginSpec& validate = *spec.add_plugins();
    validate.set_kind("validate");
    validate.set_schedule("each(50)");
    spec.add_plugins()->set_kind("save-best");
    const auto run = service_.Start(spec, 3000, "r");
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->facts().test_examples(), 12);
    EXPECT_EQ(run->facts().validation_examples(), 30);
    EXPECT_EQ(run->facts().examples(), 78);
    ASSERT_TRUE(Eventually([&] { return service_.State("r")->run().status() == v1::RUN_STATUS_IDLE; }, kPatience));
  }

  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(const Request& request,
                               grpc::Status (v1::TrainingControl::Stub::*call)(grpc::ClientContext*, const Request&,
                                                                               Response*)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    Response response;
    const grpc::Status status = (service_.stub().*call)(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }
  absl::StatusOr<v1::EvaluateResponse> Evaluate(v1::Model model, v1::DataPart part = v1::DATA_PART_TEST,
                                                const std::string& run_id = "r") {
    v1::EvaluateRequest request;
    request.set_run_id(run_id);
    request.set_part(part);
    request.mutable_model()->set_model(model);
    return Ask(request, &v1::TrainingControl::Stub::Evaluate);
  }
  absl::StatusOr<v1::PredictResponse> Predict(v1::Model model, const std::string& saved_file = "") {
    v1::PredictRequest request;
    request.set_run_id("r");
    *request.mutable_inputs() = MakeTensor(std::vector<double>{0.25, -0.5, 0.75, 0.125}, {2, 2});
    request.mutable_model()->set_model(model);
    request.mutable_model()->set_saved_file(saved_file);
    return Ask(request, &v1::TrainingControl::Stub::Predict);
  }
  absl::StatusOr<v1::GetStateResponse> State(v1::Model model, const std::string& run_id = "r") {
    v1::GetStateRequest request;
    request.set_run_id(run_id);
    request.set_include_state_vector(true);
    request.mutable_model()->set_model(model);
    return Ask(request, &v1::TrainingControl::Stub::GetState);
  }

  static std::map<std::string, double> ValuesOf(const v1::EvaluateResponse& response) {
    std::map<std::string, double> values;
    for (const v1::NamedValue& value : response.values()) values[value.name()] = value.value();
    return values;
  }

  TestService service_;
};

TEST_F(Models, TheLastScoreTheSameWhileTheRunLivesAndWhenItHasStopped) {
  const absl::StatusOr<v1::EvaluateResponse> living = Evaluate(v1::MODEL_UNSPECIFIED);
  ASSERT_TRUE(living.ok()) << living.status();
  EXPECT_EQ(living->part(), v1::DATA_PART_TEST);
  EXPECT_EQ(living->model().model(), v1::MODEL_LAST);
  EXPECT_EQ(living->model().batch(), 3000);
  EXPECT_EQ(living->model().file(), "");
  EXPECT_EQ(living->examples(), 12);
  EXPECT_TRUE(ValuesOf(*living).contains("accuracy"));
  EXPECT_TRUE(ValuesOf(*living).contains("confusion.2.0"));
  ASSERT_TRUE(service_.Stop("r").ok());
  const absl::StatusOr<v1::EvaluateResponse> stopped = Evaluate(v1::MODEL_LAST);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(ValuesOf(*stopped), ValuesOf(*living));
  EXPECT_EQ(stopped->model().batch(), 3000);
  EXPECT_EQ(stopped->model().file().rfind("checkpoints/", 0), 0u) << stopped->model().file();
}

TEST_F(Models, TheBestAnswersAndScoresAndSaysWhichItWas) {
  const absl::StatusOr<v1::EvaluateResponse> best = Evaluate(v1::MODEL_BEST, v1::DATA_PART_VALIDATION);
  ASSERT_TRUE(best.ok()) << best.status();
  EXPECT_EQ(best->model().model(), v1::MODEL_BEST);
  EXPECT_EQ(best->model().file(), "saved/best.safetensors");
  EXPECT_EQ(best->examples(), 30);
  const absl::StatusOr<v1::EvaluateResponse> last = Evaluate(v1::MODEL_LAST, v1::DATA_PART_VALIDATION);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_LT(ValuesOf(*best)["loss"], ValuesOf(*last)["loss"]);
  EXPECT_EQ(best->model().batch() % 50, 0);
  EXPECT_LT(best->model().batch(), 3000);
  const absl::StatusOr<v1::PredictResponse> by_best = Predict(v1::MODEL_BEST);
  ASSERT_TRUE(by_best.ok()) << by_best.status();
  EXPECT_EQ(by_best->batch(), best->model().batch());
  EXPECT_EQ(by_best->model().batch(), best->model().batch());
  const absl::StatusOr<v1::PredictResponse> by_name = Predict(v1::MODEL_UNSPECIFIED, "best.safetensors");
  ASSERT_TRUE(by_name.ok()) << by_name.status();
  EXPECT_EQ(by_name->outputs().data(), by_best->outputs().data());
  const absl::StatusOr<v1::PredictResponse> by_last = Predict(v1::MODEL_UNSPECIFIED);
  ASSERT_TRUE(by_last.ok()) << by_last.status();
  EXPECT_EQ(by_last->model().model(), v1::MODEL_LAST);
  EXPECT_NE(by_last->outputs().data(), by_best->outputs().data());
  EXPECT_EQ(ReasonOf(Predict(v1::MODEL_BEST, "none.safetensors").status()), v1::ERROR_REASON_NO_PARAMETERS);
}

TEST_F(Models, AForkAtTheBestBatchBeginsWithTheBestParameters) {
  const absl::StatusOr<v1::GetStateResponse> best = State(v1::MODEL_BEST);
  ASSERT_TRUE(best.ok()) << best.status();
  EXPECT_EQ(best->run().batch(), 3000) << "the run is where it is";
  v1::ForkRequest fork;
  fork.set_run_id("r");
  fork.set_new_run_id("f");
  fork.set_batch(best->model().batch());
  const absl::StatusOr<v1::ForkResponse> forked = Ask(fork, &v1::TrainingControl::Stub::Fork);
  ASSERT_TRUE(forked.ok()) << forked.status();
  const absl::StatusOr<v1::GetStateResponse> state = State(v1::MODEL_UNSPECIFIED, "f");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->run().batch(), best->model().batch());
  EXPECT_EQ(state->state().data(), best->state().data());
  EXPECT_FALSE(state->has_model());
  // It has the same examples kept for the end.
  EXPECT_EQ(ValuesOf(*Evaluate(v1::MODEL_LAST, v1::DATA_PART_TEST, "f")), ValuesOf(*Evaluate(v1::MODEL_BEST)));
}

// Another byte, and as large as before.
void Damage(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-1, std::ios::end);
  const int last = file.get();
  file.seekp(-1, std::ios::end);
  file.put(static_cast<char>(last ^ 1));
}

TEST_F(Models, ACheckpointThatIsNotWhatWasWrittenIsRefusedAndAForkTrainsItsParametersAgain) {
  const absl::StatusOr<v1::GetStateResponse> living = State(v1::MODEL_LAST);
  ASSERT_TRUE(living.ok()) << living.status();
  ASSERT_TRUE(service_.Stop("r").ok());
  const std::string file = Predict(v1::MODEL_LAST)->model().file();
  Damage(absl::StrCat(living->run().directory(), "/", file));
  const absl::Status refused = Predict(v1::MODEL_LAST).status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_CHECKPOINT_DAMAGED) << refused;
  EXPECT_EQ(ToError(refused).metadata().at("file"), file);
  EXPECT_EQ(ReasonOf(Evaluate(v1::MODEL_LAST).status()), v1::ERROR_REASON_CHECKPOINT_DAMAGED);
  EXPECT_EQ(ReasonOf(State(v1::MODEL_LAST).status()), v1::ERROR_REASON_CHECKPOINT_DAMAGED);
  v1::ForkRequest fork;
  fork.set_run_id("r");
  fork.set_new_run_id("f");
  fork.set_batch(3000);
  ASSERT_TRUE(Ask(fork, &v1::TrainingControl::Stub::Fork).ok());
  const absl::StatusOr<v1::GetStateResponse> again = State(v1::MODEL_LAST, "f");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state().data(), living->state().data());
}

TEST_F(Models, WhatIsNotThereIsRefused) {
  const std::string xor_run = service_.StartXor();
  EXPECT_EQ(ReasonOf(Evaluate(v1::MODEL_LAST, v1::DATA_PART_TEST, xor_run).status()), v1::ERROR_REASON_NO_TEST_DATA);
  EXPECT_EQ(ReasonOf(Evaluate(v1::MODEL_LAST, v1::DATA_PART_VALIDATION, xor_run).status()),
            v1::ERROR_REASON_NO_VALIDATION_DATA);
  EXPECT_EQ(ReasonOf(Evaluate(v1::MODEL_BEST, v1::DATA_PART_TEST, xor_run).status()), v1::ERROR_REASON_NO_PARAMETERS);
  EXPECT_EQ(ReasonOf(Evaluate(v1::MODEL_LAST, v1::DATA_PART_TEST, "nobody").status()), v1::ERROR_REASON_RUN_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Evaluate(static_cast<v1::Model>(7)).status()), v1::ERROR_REASON_SPEC_INVALID);
}

TEST_F(Models, DataThatHaveChangedAreNotScored) {
  ASSERT_TRUE(service_.Stop("r").ok());
  const auto folder = *std::filesystem::directory_iterator(service_.directory() + "/datasets");
  std::ofstream(folder.path() / "table.csv", std::ios::app) << "1,1,1\n";
  EXPECT_EQ(ReasonOf(Evaluate(v1::MODEL_LAST).status()), v1::ERROR_REASON_DATA_CHANGED);
  EXPECT_TRUE(Predict(v1::MODEL_LAST).ok()) << "which needs no data";
}

}  // namespace
}  // namespace pilothouse::testing
