// Whose parameters answered, what they scored, and what the data were, in words and as JSON.
#include "clients/cpp/pilot/answer_output.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "clients/cpp/pilot/answer_json.h"
#include "clients/cpp/pilot/data_output.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_output.h"

namespace pilothouse::client {
namespace {

using Rows = std::vector<std::vector<std::string>>;

v1::ModelUsed Used(v1::Model model, const std::string& file, int64_t batch) {
  v1::ModelUsed used;
  used.set_model(model);
  used.set_file(file);
  used.set_batch(batch);
  return used;
}

void AddScore(const std::string& name, double value, v1::EvaluateResponse& response) {
  v1::NamedValue& score = *response.add_values();
  score.set_name(name);
  score.set_value(value);
}

v1::EvaluateResponse Evaluation() {
  v1::EvaluateResponse response;
  response.set_part(v1::DATA_PART_TEST);
  *response.mutable_model() = Used(v1::MODEL_BEST, "saved/best.safetensors", 1200);
  response.set_examples(1800);
  AddScore("loss", 0.123456789, response);
  AddScore("accuracy", 0.75, response);
  AddScore("confusion.0.0", 1000, response);
  AddScore("confusion.0.1", 2.5, response);
  AddScore("confusion.1.1", 797.5, response);
  return response;
}

TEST(ModelText, NamesTheChoiceTheFileAndTheBatch) {
  EXPECT_EQ(ModelText(Used(v1::MODEL_BEST, "saved/best.safetensors", 1200)),
            "best: saved/best.safetensors, batch 1200");
  EXPECT_EQ(ModelText(Used(v1::MODEL_LAST, "", 5000)), "last, batch 5000");
  EXPECT_EQ(ModelText(Used(v1::MODEL_UNSPECIFIED, "saved/a\x1b.safetensors", 7)), "saved/a?.safetensors, batch 7");
}

TEST(Evaluations, AreTables) {
  EXPECT_EQ(EvaluationText("digits", Evaluation()),
            "digits, 1,800 examples of the test part, model best: saved/best.safetensors, batch 1200\n"
            "  loss      0.12346\n"
            "  accuracy  0.75\n"
            "\n"
            "what was taken for what:\n"
            "  class  as 0   as 1\n"
            "      0  1000    2.5\n"
            "      1     0  797.5\n");
}

TEST(Evaluations, OfNumbersHaveNoConfusion) {
  v1::EvaluateResponse response;
  response.set_part(v1::DATA_PART_VALIDATION);
  *response.mutable_model() = Used(v1::MODEL_LAST, "", 7);
  AddScore("r2", NAN, response);
  EXPECT_EQ(EvaluationText("curve", response),
            "curve, 0 examples of the validation part, model last, batch 7\n  r2  NaN\n");
  const Json json = Json::parse(EvaluationJson("curve", response));
  EXPECT_EQ(json["values"], Json::parse(R"({"r2": "NaN"})"));
  EXPECT_TRUE(json["confusion"].is_null());
  EXPECT_EQ(json["part"], "validation");
  EXPECT_EQ(json["model"], Json::parse(R"({"model": "last", "file": null, "batch": 7})"));
}

TEST(Evaluations, AreJsonWithTheConfusionAsAMatrix) {
  const Json json = Json::parse(EvaluationJson("digits", Evaluation()));
  EXPECT_EQ(json["run_id"], "digits");
  EXPECT_EQ(json["part"], "test");
  EXPECT_EQ(json["examples"], 1800);
  EXPECT_EQ(json["model"], Json::parse(R"({"model": "best", "file": "saved/best.safetensors", "batch": 1200})"));
  EXPECT_EQ(json["values"], Json::parse(R"({"loss": 0.123456789, "accuracy": 0.75})"));
  EXPECT_EQ(json["confusion"], Json::parse("[[1000.0, 2.5], [0.0, 797.5]]"));
}

TEST(Evaluations, KeepWhatLooksLikeAConfusionAndIsNone) {
  v1::EvaluateResponse response;
  for (const std::string name : {"confusion.0", "confusion.0.1.2", "confusion.-1.0", "confusion.a.b",
                                 "confusion.1000000000.0", "confusion.0.100"}) {
    AddScore(name, 1, response);
  }
  EXPECT_EQ(ToScores(response).values.size(), 6u);
  EXPECT_TRUE(ToScores(response).confusion.empty());
  AddScore("confusion.99.0", 3, response);
  EXPECT_EQ(ToScores(response).confusion.size(), 100u);
  EXPECT_EQ(ToScores(response).confusion[99][0], 3);
}

TEST(Predictions, SayWhoseTheyAreAsJson) {
  Prediction prediction;
  prediction.model = Used(v1::MODEL_UNSPECIFIED, "saved/swa.safetensors", 40);
  EXPECT_EQ(Json::parse(PredictionJson(prediction))["model"],
            Json::parse(R"({"model": null, "file": "saved/swa.safetensors", "batch": 40})"));
}

v1::Run RunWithParts() {
  v1::Run run;
  run.set_run_id("digits");
  v1::RunFacts& facts = *run.mutable_facts();
  facts.set_examples(1258);
  facts.set_parameters(9);
  facts.set_validation_examples(359);
  facts.set_test_examples(180);
  facts.add_input_names("age");
  facts.add_input_names("size");
  v1::RunSpec& spec = *run.mutable_spec();
  spec.set_threads(2);
  spec.mutable_data()->set_dataset_id("d1");
  spec.mutable_data()->set_validation_size("20%");
  spec.mutable_data()->set_test_size("180");
  spec.mutable_data()->set_split(v1::SPLIT_METHOD_STRATIFIED);
  spec.mutable_data()->set_split_seed(3);
  spec.mutable_data()->set_weight_column("sales");
  spec.mutable_data()->add_ignored_columns("id");
  return run;
}

TEST(DataText, SaysHowManyExamplesEachPartHas) {
  v1::RunFacts facts = RunWithParts().facts();
  EXPECT_EQ(ExamplesText(facts), "1,258 examples, 359 held out and 180 kept for the end");
  facts.set_validation_examples(0);
  EXPECT_EQ(ExamplesText(facts), "1,258 examples and 180 kept for the end");
  facts.set_test_examples(0);
  EXPECT_EQ(ExamplesText(facts), "1,258 examples");
}

TEST(DataText, SaysWhatIsNotAsUsual) {
  v1::Run run = RunWithParts();
  EXPECT_EQ(UnusualRows(run), (Rows{{"inputs", "age, size"},
                                    {"split", "stratified, seed 3"},
                                    {"weights", "column sales"},
                                    {"ignored", "column id"},
                                    {"threads", "2"}}));
  run.mutable_facts()->clear_input_names();
  run.mutable_spec()->mutable_data()->clear_split();
  EXPECT_EQ(UnusualRows(run)[0][1], "random, seed 3");
  run.mutable_spec()->set_keep_order(true);
  EXPECT_EQ(UnusualRows(run)[0][1], "tail, seed 3");
  EXPECT_TRUE(UnusualRows(v1::Run()).empty());
}

TEST(RunPage, ShowsPartsSplitWeightsAndThreads) {
  const std::string page = RunPage(RunWithParts(), absl::Now());
  for (const std::string part :
       {"1,258 examples, 359 held out and 180 kept for the end, 0 inputs", "\nsplit      stratified, seed 3\n",
        "\nweights    column sales\n", "\nignored    column id\n", "\ninputs     age, size\n", "\nthreads    2\n"}) {
    EXPECT_TRUE(absl::StrContains(page, part)) << part << page;
  }
  EXPECT_FALSE(absl::StrContains(RunPage(v1::Run(), absl::Now()), "threads"));
}

TEST(RunJson, HasTheSpecOfTheData) {
  const Json json = Json::parse(RunJson(RunWithParts()));
  EXPECT_EQ(json["facts"]["test_examples"], 180);
  EXPECT_EQ(json["facts"]["input_names"], Json::parse(R"(["age", "size"])"));
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["data"],
            Json::parse(R"({"dataset_id": "d1", "file": null, "target_columns": [], "weight_column": "sales",
                            "ignored_columns": ["id"], "standardize": false, "validation": "20%", "test": "180", "split": "stratified",
                            "split_seed": 3})"));
  v1::Run old;
  old.mutable_spec()->mutable_data()->set_validation_fraction(0.29);
  EXPECT_EQ(Json::parse(RunJson(old))["data"]["validation"], "0.29");
  EXPECT_EQ(Json::parse(RunJson(old))["data"]["split"], "random");
  EXPECT_EQ(Json::parse(RunJson(old))["threads"], 1);
  old.mutable_spec()->mutable_data()->set_validation_examples(29);
  EXPECT_EQ(Json::parse(RunJson(old))["data"]["validation"], "29");
  EXPECT_TRUE(Json::parse(RunJson(v1::Run()))["data"].is_null());
}

}  // namespace
}  // namespace pilothouse::client
