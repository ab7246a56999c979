// Data as a script and a person see them: uploads, and tables to predict, against a fake service.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/program_fixture.h"
#include "clients/cpp/pilothouse_client/npy.h"
#include "clients/cpp/testing/child_process.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;

class DataProgram : public Program {
 protected:
  std::string WriteArray(const std::string& name, const std::vector<double>& values,
                         const std::vector<int64_t>& shape) const {
    return folder_.Write(name, WriteNpy(MakeTensor(values, shape)));
  }

  const std::string start_ = "start --net 2x2tx1t --loss mse ";
};

TEST_F(DataProgram, StartsARunFromAnyKindOfFile) {
  EXPECT_EQ(Run(start_ + "--data " + folder_.Write("a.tsv", "1\t2\t3\n")).exit_code, kExitSuccess);
  EXPECT_EQ(house_.upload_format(), v1::DATASET_FORMAT_TSV);
  EXPECT_EQ(Run(start_ + "--data " + WriteArray("a.npy", {1, 2, 3}, {1, 3})).exit_code, kExitSuccess);
  EXPECT_EQ(house_.upload_format(), v1::DATASET_FORMAT_NPY);
  EXPECT_EQ(Run(start_ + "--data " + folder_.Write("a.npz", "PK\x03\x04")).exit_code, kExitSuccess);
  EXPECT_EQ(house_.upload_format(), v1::DATASET_FORMAT_NPZ);
  const Result arrays = Run(start_ + "--inputs " + WriteArray("x.npy", {1, 2}, {1, 2}) + " --targets " +
                            WriteArray("y.npy", {3}, {1}) + " --weights " + WriteArray("w.npy", {2}, {1}));
  EXPECT_EQ(arrays.exit_code, kExitSuccess) << arrays.errors;
  EXPECT_EQ(house_.upload_format(), v1::DATASET_FORMAT_ARRAYS);
  EXPECT_EQ(house_.uploaded().count(v1::DATASET_PART_WEIGHTS), 1u);
}

TEST_F(DataProgram, SaysHowTheExamplesWereParted) {
  const Result result = Run(start_ +
                            "--dataset d --name xor --validation 25% --test 1 --split stratified --split-seed 3 "
                            "--weight-column w --threads 2 --request-id mine");
  ASSERT_EQ(result.exit_code, kExitSuccess) << result.errors;
  EXPECT_TRUE(absl::StartsWith(result.output,
                               "run xor started: 4 examples, 1 held out and 1 kept for the end, 1 batches per epoch, 9 "
                               "parameters\n  split    stratified, seed 3\n  weights  column w\n  threads  2\n\n"))
      << result.output;
  const v1::StartRunRequest request = house_.starts().at(0);
  EXPECT_EQ(request.request_id(), "mine");
  EXPECT_EQ(request.spec().data().validation_size(), "25%");
  EXPECT_EQ(request.spec().data().test_size(), "1");
  EXPECT_EQ(request.spec().threads(), 2);
  const Json state = Json::parse(Run("state xor --json").output)["run"];
  EXPECT_EQ(state["facts"]["test_examples"], 1);
  EXPECT_EQ(state["data"]["split"], "stratified");
  // Nothing was sent where the line is wrong.
  EXPECT_EQ(Run(start_ + "--validation 2 --data /no/such/file").exit_code, kExitUsage);
  EXPECT_EQ(Run(start_ + "--validation 1.5 --data " + folder_.Write("a.csv", "1,2,3\n")).exit_code, kExitUsage);
  EXPECT_TRUE(house_.uploaded().empty());
}

TEST_F(DataProgram, SaysThatAnOlderServiceStartedTheRunWithoutItsParts) {
  house_.BeOlder();
  const Result result = Run(start_ + "--dataset d --name xor --test 1 --watch");
  EXPECT_EQ(result.exit_code, kExitRefused);
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(result.errors,
            "pilot: the service is older than this client: run xor was started WITHOUT the test part that was asked "
            "for; pilot stop xor ends it. Restart the service with the programs of this version.\n");
  EXPECT_EQ(Run("stop xor").exit_code, kExitSuccess);
}

TEST_F(DataProgram, ShowsOnATerminalHowFarAnUploadHasCome) {
  const std::string table = folder_.Write("big.csv", "1,2,3\n");
  std::filesystem::resize_file(table, 17 << 20);
  const std::unique_ptr<ChildProcess> seen = Begin(start_ + "--data " + table, ChildProcess::Output::kTerminal);
  EXPECT_EQ(seen->Wait(), kExitSuccess) << seen->output();
  for (const std::string part :
       {"\r\x1b[Ksent 5 % of 17.8 MB\r\x1b[Ksent 11 % of 17.8 MB", "sent 100 % of 17.8 MB\r\x1b[Krun fake-1 started"}) {
    EXPECT_TRUE(absl::StrContains(seen->output(), part)) << part << seen->output();
  }
  EXPECT_EQ(Run(start_ + "--data " + table).errors, "");
  const std::unique_ptr<ChildProcess> json = Begin(start_ + "--json --data " + table, ChildProcess::Output::kTerminal);
  EXPECT_EQ(json->Wait(), kExitSuccess);
  EXPECT_FALSE(absl::StrContains(json->output(), "sent")) << json->output();
  variables_ = {"TERM=dumb"};
  const std::unique_ptr<ChildProcess> dumb = Begin(start_ + "--data " + table, ChildProcess::Output::kTerminal);
  EXPECT_EQ(dumb->Wait(), kExitSuccess);
  EXPECT_FALSE(absl::StrContains(dumb->output(), "sent")) << dumb->output();
}

TEST_F(DataProgram, ShowsNothingOfASmallUpload) {
  const std::unique_ptr<ChildProcess> child =
      Begin(start_ + "--data " + folder_.Write("a.csv", "1,2,3\n"), ChildProcess::Output::kTerminal);
  EXPECT_EQ(child->Wait(), kExitSuccess) << child->output();
  EXPECT_FALSE(absl::StrContains(child->output(), "sent")) << child->output();
}

TEST_F(DataProgram, PredictsTablesOfAnyKindWithTargetsAndWeightsInThem) {
  house_.AddRun("digits");
  house_.SetLoss("digits", v1::LOSS_FUNCTION_MSE, 2, 2);
  house_.Edit("digits", [](v1::Run& run) {
    run.mutable_spec()->mutable_data()->add_target_columns("y");
    run.mutable_spec()->mutable_data()->set_weight_column("w");
  });
  for (const std::string& path :
       {folder_.Write("full.csv", "w,a,y,b\n9,0.25,1,0.75\n"), folder_.Write("part.tsv", "a\tw\tb\n0.25\t9\t0.75\n"),
        folder_.Write("bare.csv", "0.25,0.75\n"), WriteArray("bare.npy", {0.25, 0.75}, {1, 2})}) {
    const Result result = Run("predict digits --json --data " + path);
    ASSERT_EQ(result.exit_code, kExitSuccess) << path << result.errors;
    EXPECT_EQ(Json::parse(result.output)["outputs"], Json::parse("[[0.25, 0.75]]")) << path;
  }
  const Result npz = Run("predict digits --data " + folder_.Write("x.npz", "PK\x03\x04"));
  EXPECT_EQ(npz.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(npz.errors, "is an NPZ file, which predict does not read")) << npz.errors;
}

TEST_F(DataProgram, TakesTheColumnsByTheirNamesWhereTheRunKnowsThem) {
  house_.AddRun("digits");
  house_.SetLoss("digits", v1::LOSS_FUNCTION_MSE, 2, 2);
  house_.Edit("digits", [](v1::Run& run) {
    run.mutable_spec()->mutable_data()->add_ignored_columns("id");
    run.mutable_facts()->add_input_names("a");
    run.mutable_facts()->add_input_names("b");
  });
  const Result result = Run("predict digits --json --data " + folder_.Write("x.csv", "b,id,a\n0.75,r1,0.25\n"));
  ASSERT_EQ(result.exit_code, kExitSuccess) << result.errors;
  EXPECT_EQ(Json::parse(result.output)["outputs"], Json::parse("[[0.25, 0.75]]"));
  const Result shown = Run("predict digits --data " + folder_.Path("x.csv"));
  EXPECT_TRUE(absl::StrContains(shown.errors, "the inputs, by their names: a, b; left out: id")) << shown.errors;
  const Result bare = Run("predict digits --json --data " + folder_.Write("bare.csv", "0.25,0.75\n"));
  EXPECT_EQ(Json::parse(bare.output)["outputs"], Json::parse("[[0.25, 0.75]]"));
  const Result missing = Run("predict digits --data " + folder_.Write("other.csv", "a,c\n1,2\n"));
  EXPECT_EQ(missing.exit_code, kExitRefused);
  EXPECT_TRUE(absl::StrContains(missing.errors, "a column b, which this table does not have; it has a, c"))
      << missing.errors;
  const Result text = Run("predict digits --data " + folder_.Write("text.csv", "b,id,a\nhigh,r1,0.25\n"));
  EXPECT_TRUE(absl::StrContains(text.errors, "line 2, column 1: \"high\" is not a finite number")) << text.errors;
}

TEST_F(DataProgram, SaysWhichColumnsAreIgnored) {
  const Result result = Run(start_ + "--dataset d --name xor --ignore-column id --ignore-column -2");
  ASSERT_EQ(result.exit_code, kExitSuccess) << result.errors;
  EXPECT_TRUE(absl::StrContains(result.output, "\n  ignored  columns id, -2\n")) << result.output;
  const v1::DataSpec data = house_.starts().at(0).spec().data();
  EXPECT_EQ(std::vector<std::string>(data.ignored_columns().begin(), data.ignored_columns().end()),
            (std::vector<std::string>{"id", "-2"}));
}

}  // namespace
}  // namespace pilothouse::client
