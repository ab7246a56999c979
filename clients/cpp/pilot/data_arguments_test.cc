// From the command line to requests: which data, which of their columns and which examples, and who answers.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/command_line.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/parse_line.h"
#include "clients/cpp/pilot/requests.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {
namespace {

v1::StartRunRequest Start(const std::string& options) {
  return BuildStartRequest(Parse("start --net 2x1 --loss mse --dataset d " + options).start, "");
}

std::string RefusedStart(const std::string& options) {
  return Refusal("start --net 2x1 --loss mse --dataset d " + options);
}

TEST(PartSizes, AreSentAsTheyAreWritten) {
  for (const std::string size : {"0.2", "20%", "100", "1", "29%", "12.5%", "0.001", ".5", "00.2", "99.999999999999999%",
                                 "0.99999999999999999", "999999999999999999"}) {
    EXPECT_EQ(Start("--validation " + size).spec().data().validation_size(), size);
    EXPECT_EQ(Start("--test " + size).spec().data().test_size(), size);
  }
  EXPECT_EQ(*ParsePartSize(" 20%\t"), "20%");
  const v1::DataSpec plain = Start("").spec().data();
  EXPECT_EQ(plain.validation_case(), v1::DataSpec::VALIDATION_NOT_SET);
  EXPECT_EQ(plain.test_size(), "");
}

TEST(PartSizes, AreRefusedWhereTheyAreNone) {
  for (const std::string wrong : {"100%",
                                  "101%",
                                  "0%",
                                  "0",
                                  "0.0",
                                  "-5",
                                  "-5%",
                                  "",
                                  " ",
                                  "%",
                                  "0.001x",
                                  "1.5",
                                  "1.0",
                                  "5.",
                                  "1.",
                                  "nan",
                                  "inf",
                                  "20%%",
                                  "2e1",
                                  "+5",
                                  "0x1",
                                  "1.2.3",
                                  "20 %",
                                  "100.0%",
                                  "0.1234567890123456789",
                                  "1234567890123456789"}) {
    const absl::StatusOr<std::string> size = ParsePartSize(wrong);
    ASSERT_FALSE(size.ok()) << wrong;
    EXPECT_TRUE(absl::StrContains(size.status().message(), "such as 20% or 0.2")) << size.status();
    EXPECT_TRUE(absl::StrContains(size.status().message(), "got \"" + wrong + "\"")) << size.status();
  }
  EXPECT_TRUE(absl::StrContains(RefusedStart("--validation 100%"), "--validation: expected a part of the examples"));
  EXPECT_TRUE(absl::StrContains(RefusedStart("--test 0"), "--test: expected a part of the examples"));
}

TEST(StartArguments, SayHowExamplesAreSplitAndWeighted) {
  const v1::RunSpec spec =
      Start("--split stratified --split-seed 18446744073709551615 --weight-column -2 --threads 64").spec();
  EXPECT_EQ(spec.data().split(), v1::SPLIT_METHOD_STRATIFIED);
  EXPECT_EQ(spec.data().split_seed(), 18446744073709551615u);
  EXPECT_EQ(spec.data().weight_column(), "-2");
  EXPECT_EQ(spec.threads(), 64);
  const v1::RunSpec plain = Start("").spec();
  EXPECT_EQ(plain.data().split(), v1::SPLIT_METHOD_UNSPECIFIED);
  EXPECT_EQ(plain.data().weight_column(), "");
  EXPECT_EQ(plain.threads(), 0);
  EXPECT_TRUE(absl::StrContains(RefusedStart("--split random-ish"), "one of random, tail, stratified"));
  for (const std::string wrong : {"0", "65", "-1", "2.0", "many", "99999999999"}) {
    EXPECT_TRUE(absl::StrContains(RefusedStart("--threads " + wrong), "from 1 to 64")) << wrong;
  }
}

// So that what the protocol gets, the command line gets too.
TEST(StartArguments, NameEverySplitOfTheProtocol) {
  const google::protobuf::EnumDescriptor& methods = *v1::SplitMethod_descriptor();
  for (int i = 1; i < methods.value_count(); ++i) {
    const absl::StatusOr<v1::SplitMethod> method = ParseSplit(methods.value(i)->name().substr(sizeof("SPLIT_METHOD")));
    ASSERT_TRUE(method.ok()) << method.status();
    EXPECT_EQ(*method, methods.value(i)->number());
  }
}

TEST(StartArguments, MayBeAskedAgain) {
  EXPECT_EQ(Start("--request-id mine").request_id(), "mine");
  EXPECT_EQ(Start("").request_id(), "");
  EXPECT_EQ(Parse("fork digits --request-id mine").fork.request.request_id(), "mine");
}

TEST(StartArguments, TakeWeightsWithInputsOnly) {
  const std::string begin = "start --net 2x1 --loss mse ";
  EXPECT_EQ(Parse(begin + "--inputs /dev/null --targets /dev/null --weights /dev/zero").start.weights, "/dev/zero");
  EXPECT_TRUE(
      absl::StrContains(Refusal(begin + "--data /dev/null --weights /dev/null"), "--weights requires --inputs"));
}

TEST(ModelArguments, NameWhoseParametersAreMeant) {
  for (const std::string command : {"state", "predict --inputs /dev/null", "evaluate"}) {
    EXPECT_EQ(Parse(command).model.ByteSizeLong(), 0u);
    EXPECT_EQ(Parse(command + " --model last").model.model(), v1::MODEL_LAST);
    EXPECT_EQ(Parse(command + " --model best").model.model(), v1::MODEL_BEST);
    const v1::ModelChoice file = Parse(command + " --model saved/best.safetensors").model;
    EXPECT_EQ(file.saved_file(), "best.safetensors");
    EXPECT_EQ(file.model(), v1::MODEL_UNSPECIFIED);
    EXPECT_TRUE(absl::StrContains(Refusal(command + " --model first"), "last, best, or the name of a saved file"));
  }
}

TEST(EvaluateArguments, NameAPart) {
  const Arguments plain = Parse("evaluate digits");
  EXPECT_EQ(plain.command, Command::kEvaluate);
  EXPECT_EQ(plain.run, "digits");
  EXPECT_EQ(plain.part, v1::DATA_PART_TEST);
  EXPECT_EQ(Parse("evaluate --part validation").part, v1::DATA_PART_VALIDATION);
  EXPECT_TRUE(absl::StrContains(Refusal("evaluate --part training"), "one of test, validation"));
}

TEST(LineageArguments, MayGoToTheBest) {
  const Arguments rewind = Parse("rewind digits best");
  EXPECT_EQ(rewind.run, "digits");
  EXPECT_TRUE(rewind.change.to_best);
  EXPECT_TRUE(rewind.change.change.has_rewind());
  EXPECT_FALSE(Parse("rewind digits 7").change.to_best);
  const Arguments fork = Parse("fork digits --at best");
  EXPECT_TRUE(fork.fork.at_best);
  EXPECT_FALSE(fork.fork.request.has_batch());
  EXPECT_FALSE(Parse("fork digits --at 7").fork.at_best);
  EXPECT_TRUE(absl::StrContains(Refusal("rewind digits worst"), "a whole number from 0 to 2^53, or best"));
  EXPECT_TRUE(absl::StrContains(Refusal("fork --at best --branch rewind-1"), "leave --branch out"));
}

}  // namespace
}  // namespace pilothouse::client
