// Checkpoints, rewinds, forks and replay, as a script sees them, against a fake service.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/program_fixture.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;
using LineageProgram = Program;

TEST_F(LineageProgram, MakesAndListsCheckpoints) {
  house_.AddRun("digits");
  EXPECT_TRUE(absl::StrContains(Run("checkpoints").output, "digits has no checkpoints yet"));
  house_.AddLoss("digits", 1200, 0.5);
  const Result made = Run("checkpoint digits --pin --note why");
  EXPECT_EQ(made.exit_code, kExitSuccess) << made.errors;
  EXPECT_EQ(made.output,
            "checkpoint of batch 1200: 12.3 kB in checkpoints/batch-000000001200.safetensors, pinned (receipt 2)\n");
  EXPECT_TRUE(absl::StartsWith(Run("checkpoint").output, "digits: checkpoint of batch 1200: 12.3 kB"));
  const Json json = Json::parse(Run("checkpoint digits --json").output);
  EXPECT_EQ(json["checkpoint"]["batch"], 1200);
  EXPECT_EQ(json["checkpoint"]["pinned"], false);
  EXPECT_EQ(json["run_id"], "digits");
  const Result list = Run("checkpoints dig");
  EXPECT_TRUE(absl::StrContains(list.output, "pinned")) << list.output;
  EXPECT_EQ(Json::parse(Run("checkpoints --json").output)["checkpoints"].size(), 3u);
  EXPECT_EQ(house_.asked()[0].note(), "why");
  EXPECT_TRUE(absl::StrContains(Run("state digits").output, "\ncheckpoint  batch 1,200, "));
  EXPECT_EQ(Run("checkpoint nobody").exit_code, kExitRefused);
}

TEST_F(LineageProgram, GoesBackAndSaysHowToGoOn) {
  house_.AddRun("digits");
  house_.AddLoss("digits", 5200, 0.5);
  const Result back = Run("rewind 4000");
  EXPECT_EQ(back.exit_code, kExitSuccess) << back.errors;
  EXPECT_TRUE(absl::StartsWith(back.output,
                               "digits is at batch 4000 now, paused (receipt 2)\n"
                               "what came after is kept as the branch rewind-1\n"))
      << back.output;
  EXPECT_TRUE(absl::StrContains(Run("state").output, "rewind-1 (4,000–5,200)"));
  const Json json = Json::parse(Run("rewind digits 0 --branch rest --json").output);
  EXPECT_EQ(json["branch"], "rest");
  EXPECT_EQ(json["value"], 0);
  EXPECT_EQ(json["applied_batch"], 4000);
  EXPECT_EQ(Json::parse(Run("rewind digits 9 --json").errors)["error"]["reason"], "BATCH_OUT_OF_RANGE");
  EXPECT_EQ(Json::parse(Run("rewind digits 0 --branch rest --json").errors)["error"]["reason"],
            "BRANCH_ALREADY_EXISTS");
}

TEST_F(LineageProgram, ForksAndShowsTheTree) {
  house_.AddRun("digits");
  house_.AddLoss("digits", 5200, 0.5);
  Run("rewind digits 4000");
  const Result fork = Run("fork --at 3000 --eta 0.003 --name digits-2 --batch-to 8000");
  EXPECT_EQ(fork.exit_code, kExitSuccess) << fork.errors;
  EXPECT_TRUE(
      absl::StartsWith(fork.output, "run digits-2 forked from digits, batch 3,000; it trains up to batch 8,000\n"))
      << fork.output;
  EXPECT_EQ(house_.forks().at(0).knobs(0).value(), 0.003);
  EXPECT_FALSE(house_.forks().at(0).request_id().empty());
  EXPECT_EQ(Json::parse(Run("fork digits --branch rewind-1 --name digits-3 --json").output)["parent"]["branch"],
            "rewind-1");
  house_.AddStatus("digits", v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(Run("fork digits --name digits-4").exit_code, kExitSuccess);
  EXPECT_EQ(Run("fork digits --at 6000").exit_code, kExitRefused);
  const Result tree = Run("runs --tree");
  EXPECT_TRUE(absl::StrContains(tree.output, "\n├─ rewind-1: 4,000–5,200, kept\n│  └─ digits-3 ")) << tree.output;
  EXPECT_TRUE(absl::StrContains(tree.output, "\n├─ digits-2 ")) << tree.output;
  EXPECT_TRUE(absl::StrContains(tree.output, "\n└─ digits-4 ")) << tree.output;
  EXPECT_EQ(Json::parse(Run("runs --tree --json").output)["runs"].size(), 4u);
}

TEST_F(LineageProgram, ShowsCheckpointsAndRewindsWhileItWatches) {
  house_.AddRun("digits");
  house_.AddLoss("digits", 5200, 0.5);
  Run("checkpoint digits");
  Run("rewind digits 4000");
  v1::Event failed;
  failed.mutable_checkpoint()->set_batch(4100);
  failed.mutable_checkpoint()->set_error("No space left on device.");
  house_.AddEvent("digits", failed);
  house_.AddStatus("digits", v1::RUN_STATUS_LOST, "the trainer was killed by signal 9; it is started again");
  house_.AddStatus("digits", v1::RUN_STATUS_STOPPED);
  const Result watch = Run("watch digits");
  for (const std::string line :
       {"batch 5200  checkpoint of batch 5200 written: 12.3 kB\n",
        "batch 5200  rewind to 4,000, what came after is rewind-1  by ", "batch 4000  status IDLE",
        "batch 4000  CHECKPOINT of batch 4100 FAILED: No space left on device. Training goes on.\n",
        "status LOST  the trainer was killed by signal 9; it is started again\n"}) {
    EXPECT_TRUE(absl::StrContains(watch.output, line)) << line << watch.output;
  }
}

class ReplayProgram : public Program {
 protected:
  // In the place of pilothouse-trainer: prints its words and ends with 7.
  const std::string trainer_ = folder_.Write("trainer", "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n");

  void SetUp() override {
    std::filesystem::permissions(trainer_, std::filesystem::perms::owner_all);
    variables_ = {"PILOTHOUSE_TRAINER=" + trainer_};
  }

  std::string NewDirectory(const std::string& name) const {
    std::filesystem::create_directory(folder_.Path(name));
    folder_.Write(name + "/run.db", "");
    return folder_.Path(name);
  }
};

TEST_F(ReplayProgram, BecomesTheTrainerWithADirectory) {
  const std::string directory = NewDirectory("copy");
  server_.reset();
  const Result result = Run("replay " + directory + " --through 40 --json --data /dev/null --data-dir /tmp");
  EXPECT_EQ(result.exit_code, 7) << result.errors;
  EXPECT_EQ(result.output, "--replay\n" + directory + "\n--through\n40\n--data\n/dev/null\n--data-dir\n/tmp\n--json\n");
}

TEST_F(ReplayProgram, AsksTheServiceForTheDirectoryOfARun) {
  house_.AddRun("digits");
  const Result away = Run("replay digits");
  EXPECT_EQ(away.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(away.errors, "/var/lib/pilothouse/runs/digits")) << away.errors;
  EXPECT_TRUE(absl::StrContains(away.errors, "Copy it")) << away.errors;
  const std::string directory = NewDirectory("digits");
  house_.Edit("digits", [&directory](v1::Run& run) { run.set_directory(directory); });
  EXPECT_EQ(Run("replay dig").output, "--replay\n" + directory + "\n");
  EXPECT_EQ(Run("replay").output, "--replay\n" + directory + "\n");
  EXPECT_EQ(Run("replay nobody").exit_code, kExitRefused);
}

TEST_F(ReplayProgram, SaysThatThereIsNoTrainer) {
  variables_ = {"PILOTHOUSE_TRAINER=/no/such/trainer"};
  const Result result = Run("replay " + NewDirectory("copy"));
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(result.errors, "cannot run /no/such/trainer (No such file")) << result.errors;
  EXPECT_TRUE(absl::StrContains(result.errors, "PILOTHOUSE_TRAINER")) << result.errors;
}

TEST_F(LineageProgram, CompletesCommandsAndOptions) {
  house_.AddRun("digits");
  const auto complete = [this](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    return Run(words).output;
  };
  EXPECT_EQ(complete({"check"}), "checkpoint\ncheckpoints\n");
  EXPECT_EQ(complete({"fork", ""}), "digits\n");
  EXPECT_EQ(complete({"fork", "--se"}), "--set\n--seed\n");
  EXPECT_EQ(complete({"checkpoint", "--at"}), "--at\n--at-batch\n");
  EXPECT_EQ(complete({"runs", "--t"}), "--timeout\n--tree\n");
  EXPECT_EQ(complete({"export", "digits", ""}), ":files\n");
  EXPECT_EQ(complete({"export", "digits", "out", "--format", "js"}), "jsonl\njsons\n");
  EXPECT_EQ(complete({"history", "--kinds", "c"}), "control\ncheckpoint\n");
  EXPECT_EQ(complete({"set", "digits", "checkpoint"}), "checkpoint_interval\ncheckpoint_every\n");
}

}  // namespace
}  // namespace pilothouse::client
