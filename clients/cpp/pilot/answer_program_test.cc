// Predictions, scores and the best parameters, as a script sees them, against a fake service.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/program_fixture.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;

class AnswerProgram : public Program {
 protected:
  // A run at batch 5,200, the best parameters of which are those of batch 1,200.
  AnswerProgram() {
    house_.AddRun("digits");
    house_.AddLoss("digits", 5200, 0.5);
    house_.SetLoss("digits", v1::LOSS_FUNCTION_CROSS_ENTROPY, 2, 2);
    house_.AddSaved("digits", "best.safetensors", 1200);
    house_.AddSaved("digits", "swa.safetensors", 5000);
    house_.Edit("digits", [](v1::Run& run) {
      run.mutable_facts()->set_test_examples(8);
      run.mutable_facts()->set_validation_examples(16);
    });
  }
};

TEST_F(AnswerProgram, PredictsWithTheParametersThatAreMeantAndSaysSo) {
  const std::string predict = "predict digits --data " + folder_.Write("bare.csv", "0.25,0.75\n");
  const std::string table = "row  class  probability\n  1      1         0.75\n";
  const Result last = Run(predict);
  EXPECT_EQ(last.output, table);
  EXPECT_EQ(last.errors, "pilot: model last, batch 5200\n");
  const Result best = Run(predict + " --model best");
  EXPECT_EQ(best.output, table);
  EXPECT_EQ(best.errors, "pilot: model best: saved/best.safetensors, batch 1200\n");
  EXPECT_EQ(Run(predict + " --model swa.safetensors").errors, "pilot: model saved/swa.safetensors, batch 5000\n");
  const Result written = Run(predict + " --model best --output " + folder_.Path("out.csv"));
  EXPECT_EQ(written.errors, best.errors);
  const Result json = Run(predict + " --model best --json");
  EXPECT_EQ(json.errors, "");
  EXPECT_EQ(Json::parse(json.output)["model"],
            Json::parse(R"({"model": "best", "file": "saved/best.safetensors", "batch": 1200})"));
  EXPECT_EQ(Json::parse(json.output)["first_batch"], 1200);
  const Result nothing = Run(predict + " --model none.safetensors");
  EXPECT_EQ(nothing.exit_code, kExitRefused);
  EXPECT_TRUE(absl::StrContains(nothing.errors, "nothing was saved as none.safetensors. [NO_PARAMETERS"))
      << nothing.errors;
}

TEST_F(AnswerProgram, ScoresThePartThatIsMeant) {
  const Result test = Run("evaluate --model best");
  EXPECT_EQ(test.exit_code, kExitSuccess) << test.errors;
  EXPECT_EQ(test.output,
            "digits, 8 examples of the test part, model best: saved/best.safetensors, batch 1200\n"
            "  loss      0.25\n"
            "  accuracy  0.875\n"
            "\n"
            "what was taken for what:\n"
            "  class  as 0  as 1\n"
            "      0     4     1\n"
            "      1     0     3\n");
  const Json json = Json::parse(Run("evaluate dig --part validation --json").output);
  EXPECT_EQ(json["part"], "validation");
  EXPECT_EQ(json["examples"], 16);
  EXPECT_EQ(json["model"]["model"], "last");
  EXPECT_EQ(json["values"]["accuracy"], 0.875);
  EXPECT_EQ(json["confusion"], Json::parse("[[4.0, 1.0], [0.0, 3.0]]"));
  ASSERT_EQ(house_.evaluations().size(), 2u);
  EXPECT_EQ(house_.evaluations()[0].model().model(), v1::MODEL_BEST);
  EXPECT_FALSE(house_.evaluations()[1].has_model());
  house_.AddStatus("digits", v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(Run("evaluate").exit_code, kExitSuccess);
  house_.Edit("digits", [](v1::Run& run) { run.mutable_facts()->clear_test_examples(); });
  const Result none = Run("evaluate digits");
  EXPECT_EQ(none.exit_code, kExitRefused);
  EXPECT_TRUE(absl::StrContains(none.errors, "[NO_TEST_DATA, part]")) << none.errors;
}

TEST_F(AnswerProgram, ShowsWhoseStateItIs) {
  EXPECT_FALSE(absl::StrContains(Run("state digits").output, "model"));
  EXPECT_TRUE(
      absl::StrContains(Run("state digits --model best").output, "\nmodel best: saved/best.safetensors, batch 1200\n"));
  const Result vector = Run("state digits --model swa.safetensors --vector");
  EXPECT_TRUE(absl::StrContains(vector.output, "\nmodel saved/swa.safetensors, batch 5000\nstate vector:\n0.1"))
      << vector.output;
  const Json json = Json::parse(Run("state digits --model best --json").output);
  EXPECT_EQ(json["model"]["batch"], 1200);
  EXPECT_TRUE(json["state"].is_null());
  EXPECT_TRUE(Json::parse(Run("state digits --vector --json").output)["model"].is_null());
}

TEST_F(AnswerProgram, ForksFromTheBest) {
  const Result fork = Run("fork digits --at best --name again --request-id mine");
  EXPECT_EQ(fork.exit_code, kExitSuccess) << fork.errors;
  EXPECT_EQ(fork.errors, "pilot: model best: saved/best.safetensors, batch 1200\n");
  EXPECT_TRUE(absl::StartsWith(fork.output, "run again forked from digits, batch 1,200; it waits there\n"))
      << fork.output;
  EXPECT_EQ(house_.forks().at(0).batch(), 1200);
  EXPECT_EQ(house_.forks().at(0).request_id(), "mine");
  const Result json = Run("fork digits --at best --name third --json");
  EXPECT_EQ(json.errors, "");
  EXPECT_EQ(Json::parse(json.output)["parent"]["batch"], 1200);
  EXPECT_EQ(Run("fork again --at best").exit_code, kExitRefused);
}

TEST_F(AnswerProgram, GoesBackToTheBest) {
  const Result back = Run("rewind digits best");
  EXPECT_EQ(back.exit_code, kExitSuccess) << back.errors;
  EXPECT_EQ(back.errors, "pilot: model best: saved/best.safetensors, batch 1200\n");
  EXPECT_TRUE(absl::StartsWith(back.output, "digits is at batch 1200 now, paused")) << back.output;
  house_.AddRun("other");
  EXPECT_TRUE(absl::StrContains(Run("rewind other best").errors, "[NO_PARAMETERS"));
  EXPECT_EQ(house_.changes(), 1);
}

TEST_F(AnswerProgram, GoesToTheBestThoughItsCheckpointIsDamaged) {
  house_.DamageBest("digits", "checkpoints/batch-1000.safetensors", 1000);
  EXPECT_TRUE(absl::StrContains(Run("state digits --model best").errors, "[CHECKPOINT_DAMAGED"));
  for (const std::string command : {"fork digits --at best --name again", "rewind digits best"}) {
    const Result gone = Run(command);
    EXPECT_EQ(gone.exit_code, kExitSuccess) << gone.errors;
    EXPECT_EQ(gone.errors,
              "pilot: the best parameters are those of batch 1,000, whose file is damaged: going there from a "
              "checkpoint before it\n");
  }
  EXPECT_EQ(house_.forks().at(0).batch(), 1000);
  EXPECT_EQ(Json::parse(Run("state digits --json").output)["run"]["batch"], 1000);
}

TEST_F(AnswerProgram, DoesNotGoToABatchOfWhichOnlyADamagedFileTells) {
  house_.DamageBest("digits", "saved/best.safetensors", 1000);
  EXPECT_TRUE(absl::StrContains(Run("rewind digits best").errors, "[CHECKPOINT_DAMAGED"));
  EXPECT_EQ(house_.changes(), 0);
}

TEST_F(AnswerProgram, DoesNotTakeABatchOfTheBestForOneOfAnotherLine) {
  house_.AddSaved("digits", "best.safetensors", 5000);
  Run("rewind digits 4000");
  house_.AddLoss("digits", 5100, 0.4);
  for (const std::string command : {"fork digits --at best --json", "rewind digits best --json"}) {
    const Result refused = Run(command);
    EXPECT_EQ(refused.exit_code, kExitRefused);
    const Json error = Json::parse(refused.errors)["error"];
    EXPECT_EQ(error["reason"], "BATCH_OUT_OF_RANGE");
    EXPECT_EQ(
        error["message"],
        "the best parameters are of batch 5000 of what was left behind as rewind-1, not of the present line; pilot "
        "fork digits --branch rewind-1 --at 5000 goes on from there.");
  }
  v1::PluginReport report;
  report.set_kind("save-best");
  report.mutable_output()->set_message("saved best.safetensors");
  // Of several branches that came so far it is the one that saved it.
  house_.AddPluginReport("digits", 5000, report, "rewind-1");
  Run("rewind digits 4500");
  house_.AddLoss("digits", 5200, 0.3);
  const Result of_first = Run("rewind digits best");
  EXPECT_TRUE(absl::StrContains(of_first.errors, "--branch rewind-1 --at 5000")) << of_first.errors;
  // Where the present line saved it, it is meant.
  house_.AddPluginReport("digits", 5000, report);
  EXPECT_EQ(Json::parse(Run("fork digits --at best --json").output)["parent"]["batch"], 5000);
  EXPECT_EQ(house_.histories().back().first_batch(), 5000);
  EXPECT_EQ(house_.histories().back().branch(), "");
  // So is the batch that a rewind went to.
  house_.AddSaved("digits", "best.safetensors", 4000);
  EXPECT_EQ(Run("rewind digits best").exit_code, kExitSuccess);
}

TEST_F(AnswerProgram, DoesNotTakeTheLastParametersOfAnOlderServiceForTheBest) {
  house_.BeOlder();
  const std::string predict = "predict digits --data " + folder_.Write("bare.csv", "0.25,0.75\n");
  EXPECT_EQ(Run(predict).errors, "pilot: model last, batch 5200\n");
  EXPECT_EQ(Run(predict + " --model last").exit_code, kExitSuccess);
  for (const std::string& line :
       {predict + " --model best", predict + " --model swa.safetensors", std::string("state digits --model best"),
        std::string("fork digits --at best"), std::string("rewind digits best")}) {
    const Result refused = Run(line);
    EXPECT_EQ(refused.exit_code, kExitRefused) << line;
    EXPECT_EQ(refused.output, "") << line;
    EXPECT_EQ(refused.errors,
              "pilot: the service is older than this client: it does not say which parameters it has used. Restart it "
              "with the programs of this version.\n");
  }
  const Result score = Run("evaluate digits");
  EXPECT_EQ(score.exit_code, kExitRefused);
  EXPECT_TRUE(absl::StrContains(score.errors, "does not know this call. Restart it with the programs of this version."))
      << score.errors;
}

TEST_F(AnswerProgram, CompletesModelsPartsAndTheBest) {
  const auto complete = [this](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    return Run(words).output;
  };
  EXPECT_EQ(complete({"eva"}), "evaluate\n");
  EXPECT_EQ(complete({"evaluate", ""}), "digits\n");
  EXPECT_EQ(complete({"evaluate", "--part", ""}), "test\nvalidation\n");
  EXPECT_EQ(complete({"predict", "digits", "--model", "b"}), "best\n");
  EXPECT_EQ(complete({"fork", "digits", "--at", ""}), "best\n");
  EXPECT_EQ(complete({"checkpoint", "digits", "--at", ""}), "");
  EXPECT_EQ(complete({"rewind", "digits", ""}), "best\n");
  EXPECT_EQ(complete({"start", "--split", "t"}), "tail\n");
  EXPECT_EQ(complete({"start", "--weight"}), "--weights\n--weight-column\n");
}

}  // namespace
}  // namespace pilothouse::client
