// The program as a script sees it: output, errors and exit codes, against a fake service.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/program_fixture.h"
#include "clients/cpp/testing/child_process.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;

TEST_F(Program, SaysThatNothingAnswers) {
  server_.reset();
  const Result result = Run("runs");
  EXPECT_EQ(result.exit_code, kExitUnreachable);
  EXPECT_TRUE(absl::StartsWith(result.errors, "pilot: no service answers at unix:")) << result.errors;
  EXPECT_TRUE(absl::StrContains(result.errors, "Start one with deploy/quickstart --service or pilothoused"))
      << result.errors;
  EXPECT_EQ(Json::parse(Run("runs --json").errors)["error"]["exit_code"], kExitUnreachable);
}

TEST_F(Program, SaysThatWhatWasNotAnsweredMayHaveBeenDone) {
  house_.AddRun("digits");
  house_.LoseNextAnswers(std::numeric_limits<int>::max());
  const std::unique_ptr<ChildProcess> start = Begin("start --net 2x1 --loss mse --dataset d");
  const std::unique_ptr<ChildProcess> fork = Begin("fork digits");
  const std::unique_ptr<ChildProcess> change = Begin("pause digits --request-id mine");
  for (const std::unique_ptr<ChildProcess>* making : {&start, &fork}) {
    const Result result = End(*making);
    EXPECT_EQ(result.exit_code, kExitUnreachable);
    EXPECT_TRUE(
        absl::StrContains(result.errors, "may have been made all the same: the list of runs (pilot runs) tells"))
        << result.errors;
  }
  const Result result = End(change);
  EXPECT_EQ(result.exit_code, kExitUnreachable);
  EXPECT_TRUE(absl::StrContains(result.errors, "asking again with the request id mine tells")) << result.errors;
}

TEST_F(Program, PrintsTheReceiptOfAChange) {
  house_.AddRun("digits");
  const Result eta = Run("set-eta digits 0.01 --note why");
  EXPECT_EQ(eta.exit_code, kExitSuccess) << eta.errors;
  EXPECT_EQ(eta.output, "eta is 0.01 from batch 0 on (receipt 1)\n");
  EXPECT_EQ(Run("batch-to +50").output, "digits: target is 50 from batch 0 on (receipt 2)\n");
  EXPECT_EQ(Run("set loss_every 5").output, "digits: loss_every is 5 from batch 0 on (receipt 3)\n");
  EXPECT_EQ(Run("pause digits").output, "paused at batch 0 (receipt 4)\n");
  const Json receipt = Json::parse(Run("resume digits --json --request-id again").output);
  EXPECT_EQ(receipt["control_id"], 5);
  EXPECT_EQ(receipt["request_id"], "again");
  EXPECT_EQ(Json::parse(Run("resume digits --json --request-id again").output), receipt);
  EXPECT_TRUE(absl::StrContains(house_.asked()[0].origin(), "/pilot"));
  EXPECT_EQ(house_.asked()[0].note(), "why");
  EXPECT_TRUE(absl::StartsWith(Run("stop digits").output, "digits stopped at batch 0, loss none yet (receipt 6)"));
}

TEST_F(Program, SaysThatAChangeThatIsWaitedForIsNotTakenBack) {
  house_.AddRun("digits");
  EXPECT_TRUE(absl::StrContains(Run("set-eta digits 0.01 --at-batch 7").errors,
                                "waiting for batch 7; once the run has taken the change, Ctrl-C ends"));
  EXPECT_EQ(Run("set-eta digits 0.01 --at-batch 7 --json").errors, "");
  EXPECT_EQ(Run("set-eta digits 0.01").errors, "");
}

TEST_F(Program, WaitsForNoBatchThatHasPassed) {
  house_.AddRun("digits");
  house_.Edit("digits", [](v1::Run& run) { run.set_batch(10); });
  EXPECT_FALSE(absl::StrContains(Run("set-eta digits 0.01 --at-batch 7").errors, "waiting"));
  EXPECT_TRUE(absl::StrContains(Run("set-eta digits 0.01 --at-batch 11").errors, "waiting for batch 11"));
}

TEST_F(Program, SaysWhatHoldsUpARunThatDoesNotComeToTheBatchThatIsWaitedFor) {
  house_.AddRun("digits");
  const auto errors_at = [&](v1::RunStatus status, v1::IdleReason reason, int64_t target, int64_t resume_target) {
    house_.Edit("digits", [&](v1::Run& run) {
      run.set_status(status);
      run.set_idle_reason(reason);
      run.set_batch(5);
      run.set_target(target);
      run.set_resume_target(resume_target);
    });
    return Run("set-eta digits 0.01 --at-batch 7").errors;
  };
  EXPECT_TRUE(absl::StrContains(errors_at(v1::RUN_STATUS_IDLE, v1::IDLE_REASON_PAUSED, 5, 100),
                                "pilot: digits is IDLE (paused) at batch 5 and comes to that batch only if it is told "
                                "to train on: pilot resume digits\n"));
  EXPECT_TRUE(absl::StrContains(errors_at(v1::RUN_STATUS_IDLE, v1::IDLE_REASON_TARGET_REACHED, 5, 5),
                                "is IDLE (target reached) at batch 5 and comes to that batch only if it is told to "
                                "train on: pilot batch-to digits 7\n"));
  EXPECT_TRUE(absl::StrContains(errors_at(v1::RUN_STATUS_TRAINING, v1::IDLE_REASON_UNSPECIFIED, 6, 6),
                                "digits trains up to batch 6 and comes to that batch only if it is told to train on: "
                                "pilot batch-to digits 7\n"));
  EXPECT_FALSE(
      absl::StrContains(errors_at(v1::RUN_STATUS_TRAINING, v1::IDLE_REASON_UNSPECIFIED, 7, 7), "comes to that batch"));
  EXPECT_FALSE(
      absl::StrContains(errors_at(v1::RUN_STATUS_LOST, v1::IDLE_REASON_UNSPECIFIED, 6, 6), "comes to that batch"))
      << "what it will be told to train for is not known before it is back";
}

TEST_F(Program, TellsARefusalFromWrongUsage) {
  house_.AddRun("digits");
  const Result refused = Run("set-eta nobody 0.1");
  EXPECT_EQ(refused.exit_code, kExitRefused);
  EXPECT_EQ(refused.errors, "pilot: no run is named nobody. [RUN_NOT_FOUND, run_id]\n");
  EXPECT_EQ(Json::parse(Run("set digits momentum 1 --json").errors)["error"]["reason"], "KNOB_UNKNOWN");
  const Result usage = Run("batch-to digits 50.5");
  EXPECT_EQ(usage.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(usage.errors, "whole number of batches")) << usage.errors;
  EXPECT_EQ(house_.changes(), 0);
}

TEST_F(Program, ChangesNoRunThatWasNotMeant) {
  EXPECT_EQ(Run("pause").exit_code, kExitUsage);
  house_.AddRun("digits-1");
  house_.AddRun("digits-2");
  const Result ambiguous = Run("pause");
  EXPECT_EQ(ambiguous.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(ambiguous.errors, "digits-2, digits-1")) << ambiguous.errors;
  house_.AddStatus("digits-2", v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(Run("pause digits").exit_code, kExitRefused);
  EXPECT_EQ(house_.changes(), 0);
  EXPECT_EQ(Run("pause").exit_code, kExitSuccess);
}

TEST_F(Program, ReadsARunByTheBeginningOfItsId) {
  EXPECT_EQ(Run("state").exit_code, kExitUsage);
  house_.AddRun("digits");
  house_.AddRun("xor-1");
  house_.AddRun("xor-2");
  EXPECT_TRUE(absl::StrContains(Run("state dig").output, "digits"));
  EXPECT_EQ(Run("state xor").exit_code, kExitUsage);
  EXPECT_EQ(Run("state zebra").exit_code, kExitRefused);
  EXPECT_TRUE(absl::StrContains(Run("state digits --vector").output, "state vector:\n0.1"));
  const Json state = Json::parse(Run("state digits --vector --json").output);
  EXPECT_EQ(state["run"]["facts"]["parameters"], 9);
  EXPECT_EQ(state["state"].size(), 9u);
}

TEST_F(Program, ListsTheNewestRunsOrAll) {
  EXPECT_TRUE(absl::StrContains(Run("runs").output, "no runs yet"));
  for (int i = 10; i < 35; ++i) house_.AddRun("run-" + std::to_string(i));
  const Result newest = Run("runs");
  EXPECT_TRUE(absl::StrContains(newest.output, "run-34")) << newest.output;
  EXPECT_FALSE(absl::StrContains(newest.output, "run-14"));
  EXPECT_TRUE(absl::StrContains(newest.output, "pilot runs --all"));
  EXPECT_TRUE(absl::StrContains(Run("runs --all").output, "run-10"));
  EXPECT_EQ(Json::parse(Run("runs --json").output)["runs"].size(), 20u);
}

TEST_F(Program, StartsARunFromALocalFile) {
  const std::string table = folder_.Write("xor.csv", "a,b,y\n0,0,0\n0,1,1\n");
  const Result result = Run("start --net 2x2tx1t --loss mse --name xor --data " + table);
  ASSERT_EQ(result.exit_code, kExitSuccess) << result.errors;
  EXPECT_TRUE(absl::StrContains(result.output, "run xor started")) << result.output;
  EXPECT_TRUE(absl::StrContains(result.output, "Affine 2→2"));
  EXPECT_TRUE(absl::StrContains(result.output, "pilot batch-to xor 5000"));
  EXPECT_EQ(house_.uploaded().at(v1::DATASET_PART_TABLE), "a,b,y\n0,0,0\n0,1,1\n");
  EXPECT_EQ(house_.starts().at(0).spec().data().dataset_id(), "dataset-1");
  EXPECT_FALSE(house_.starts().at(0).request_id().empty());
  const std::string empty = folder_.Write("empty.csv", "");
  const Result nothing = Run("start --net 2x1 --loss mse --data " + empty);
  EXPECT_EQ(nothing.exit_code, kExitUsage);
  EXPECT_EQ(nothing.errors, "pilot: " + empty + " is empty.\n");
  EXPECT_EQ(Run("start --net 2x1 --loss mse --name xor --dataset d").exit_code, kExitRefused);
  EXPECT_EQ(Json::parse(Run("start --net 2x1 --loss mse --dataset d --json").output)["run_id"], "fake-2");
}

TEST_F(Program, PredictsRowsOfATable) {
  house_.AddRun("digits");
  house_.SetLoss("digits", v1::LOSS_FUNCTION_CROSS_ENTROPY, 2, 2);
  const std::string bare = folder_.Write("bare.csv", "0.25,0.75\n0.9,0.1\n");
  EXPECT_EQ(Run("predict digits --data " + bare).output,
            "row  class  probability\n  1      1         0.75\n  2      0          0.9\n");
  // With the targets, as it was trained on.
  const std::string full = folder_.Write("full.csv", "a,b,class\n0.25,0.75,1\n");
  const Json json = Json::parse(Run("predict digits --json --data " + full).output);
  EXPECT_EQ(json["classes"], Json::parse("[1]"));
  EXPECT_EQ(json["outputs"], Json::parse("[[0.25, 0.75]]"));
  EXPECT_TRUE(absl::StartsWith(Run("predict digits --data " + full).errors,
                               "pilot: the inputs, in this order: a, b; left out: class\n"));
  const std::string wide = folder_.Write("wide.csv", "1,2,3,4\n");
  EXPECT_TRUE(absl::StrContains(Run("predict digits --data " + wide).errors, "[ARRAY_SHAPE_INVALID"));
  EXPECT_EQ(Run("predict digits --data " + bare + " --output " + folder_.Path("out.csv")).exit_code, kExitSuccess);
  std::ifstream file(folder_.Path("out.csv"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}),
            "class,probability,output_1,output_2\n1,0.75,0.25,0.75\n0,0.9,0.9,0.1\n");
}

TEST_F(Program, ShowsTheHistoryOfARunThatHasEnded) {
  house_.AddRun("digits");
  house_.AddLoss("digits", 1, 2.3);
  house_.AddStatus("digits", v1::RUN_STATUS_STOPPED);
  const Result result = Run("watch");
  EXPECT_EQ(result.exit_code, kExitSuccess) << result.errors;
  const std::vector<std::string> lines = absl::StrSplit(result.output, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u) << result.output;
  EXPECT_TRUE(absl::StrContains(lines[1], "batch 1  loss 2.3"));
  EXPECT_TRUE(absl::StrContains(lines[2], "status STOPPED"));
}

TEST_F(Program, TellsThatTheWatchedRunFailed) {
  house_.AddRun("digits");
  house_.AddStatus("digits", v1::RUN_STATUS_FAILED, "the trainer was killed");
  // Though the watch was of losses only.
  const Result result = Run("watch digits --kinds loss");
  EXPECT_EQ(result.exit_code, kExitRunFailed);
  EXPECT_EQ(result.errors, "pilot: run digits FAILED: the trainer was killed\n");
}

TEST_F(Program, WatchesAcrossARestartOfTheService) {
  house_.AddRun("digits");
  const std::unique_ptr<ChildProcess> watch = Begin("watch digits --json --from-start");
  for (int batch = 1; batch <= 5; ++batch) house_.AddLoss("digits", batch, 1.0 / batch);
  ASSERT_TRUE(watch->ReadUntil("\"sequence\":5"));
  server_.reset();
  ASSERT_TRUE(watch->ReadUntil("\"type\":\"connection\""));
  house_.AddLoss("digits", 6, 0.1);
  server_.emplace(house_, folder_.Address());
  ASSERT_TRUE(watch->ReadUntil("\"sequence\":6"));
  house_.AddStatus("digits", v1::RUN_STATUS_COMPLETED);
  EXPECT_EQ(watch->Wait(), kExitSuccess) << watch->errors();
  std::vector<int> sequences;
  for (const absl::string_view line : absl::StrSplit(watch->output(), '\n', absl::SkipEmpty())) {
    const Json json = Json::parse(std::string(line));
    if (json.contains("sequence")) sequences.push_back(json["sequence"]);
  }
  EXPECT_EQ(sequences, (std::vector<int>{1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(Program, GivesUpWatchingWhereItIsTold) {
  house_.AddRun("digits");
  const std::unique_ptr<ChildProcess> watch = Begin("watch digits --give-up 300ms");
  ASSERT_TRUE(watch->ReadUntil("run digits"));
  server_.reset();
  EXPECT_EQ(watch->Wait(), kExitUnreachable);
  EXPECT_TRUE(absl::StrContains(watch->errors(), "connection lost, retrying"));
}

TEST_F(Program, LeavesAWatchOnCtrlC) {
  house_.AddRun("digits");
  const std::unique_ptr<ChildProcess> watch = Begin("watch digits");
  ASSERT_TRUE(watch->ReadUntil("run digits"));
  watch->Signal(SIGINT);
  EXPECT_EQ(watch->Wait(), kExitInterrupted);
  EXPECT_TRUE(absl::StrContains(watch->errors(), "pilot watch digits")) << watch->errors();
}

TEST_F(Program, DrawsAPanelOnATerminalAndGivesTheTerminalBack) {
  house_.AddRun("digits");
  const std::unique_ptr<ChildProcess> watch = Begin("watch digits", ChildProcess::Output::kTerminal);
  house_.AddLoss("digits", 1, 2.3);
  house_.AddLoss("digits", 2, 1.1);
  ASSERT_TRUE(watch->ReadUntil("\x1b[?1049h\x1b[?25l")) << watch->output();
  ASSERT_TRUE(watch->ReadUntil("loss 1.1")) << watch->output();
  watch->Signal(SIGINT);
  EXPECT_EQ(watch->Wait(), kExitInterrupted);
  const size_t left = watch->output().find("\x1b[?25h\x1b[?1049l");
  ASSERT_NE(left, std::string::npos) << watch->output();
  EXPECT_TRUE(absl::StrContains(watch->output().substr(left), "The run goes on"));
}

TEST_F(Program, CompletesInBash) {
  house_.AddRun("digits");
  const std::string pilot = PILOT_BINARY;
  const auto complete = [&](const std::string& words, int at) {
    const std::string script = "PATH=" + pilot.substr(0, pilot.rfind('/')) +
                               ":$PATH; source <(pilot completion bash); " + "COMP_WORDS=(" + words +
                               "); COMP_CWORD=" + std::to_string(at) + "; _pilot; printf '%s\\n' \"${COMPREPLY[@]}\"";
    ChildProcess bash({"bash", "-c", script}, {"PILOTHOUSE_ADDRESS=" + folder_.Address()});
    EXPECT_EQ(bash.Wait(), 0) << bash.errors();
    return bash.output();
  };
  EXPECT_EQ(complete("pilot set", 1), "set-eta\nset\n");
  EXPECT_EQ(complete("pilot set-eta digits sch", 3), "schedule\n");
  EXPECT_EQ(complete("pilot watch ''", 2), "digits\n");
  EXPECT_EQ(complete("pilot start --loss m", 3), "mse\n");
  EXPECT_EQ(complete("pilot start --tar", 2), "--targets\n--target-column\n");
  EXPECT_EQ(complete("pilot set digits loss_e", 3), "loss_every\n");
  EXPECT_EQ(complete("pilot set digits beta", 3), "beta1\nbeta2\n");
  EXPECT_EQ(complete("pilot start --optimizer ada", 3), "adam\nadamw\nadagrad\n");
  EXPECT_EQ(complete("pilot start --data " + folder_.Path("so"), 3), folder_.Path("socket") + "\n");
}

}  // namespace
}  // namespace pilothouse::client
