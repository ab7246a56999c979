#include "trainer/program/replay_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "trainer/replay/scripted_run.h"

namespace pilothouse::trainer {
namespace {

using testing::HasSubstr;

class ReplayCommandTest : public testing::Test {
 protected:
  int Run(const std::vector<std::string>& words) {
    out_.str("");
    err_.str("");
    return ReplayCommand(words, out_, err_);
  }

  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ReplayCommandTest, TheExitCodeTellsIdenticalFromDifferent) {
  ScriptedRun run(CircleSpec());
  const uint64_t last = run.TrainTo(12);
  const std::vector<std::string> words = {"--replay", run.journal().directory(), "--data", run.table()};
  EXPECT_EQ(Run(words), 0);
  EXPECT_EQ(out_.str(), "identical through batch 12 (12 losses, 0 states, 0 checkpoints compared)\n");
  run.journal().Rewrite(last, [](v1::Event& event) { event.mutable_loss()->set_value(-1); });
  EXPECT_EQ(Run(words), 1);
  EXPECT_THAT(out_.str(), HasSubstr("differs at batch 12"));
  EXPECT_EQ(Run({"--replay", run.journal().directory(), "--data", run.table(), "--through", "11", "--json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["losses"], 11);
}

TEST_F(ReplayCommandTest, WhatCannotBeGoneThroughIsSaidWithItsReason) {
  EXPECT_EQ(Run({"--replay", "/nowhere"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("[JOURNAL_FAILED]"));
  EXPECT_EQ(Run({"--replay", "/nowhere", "--json"}), 3);
  EXPECT_EQ(nlohmann::json::parse(err_.str())["error"]["reason"], "JOURNAL_FAILED");
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ReplayCommandTest, SaysWhatIsWrongWithTheCommandLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--replay"}, "--replay needs a value"},
      {{"--json"}, "needs the directory"},
      {{"--replay", "x", "--through", "-1"}, "--through takes a batch"},
      {{"--replay", "x", "--through", "1x"}, "--through takes a batch"},
      {{"--replay", "x", "--data", "1", "--data", "2", "--data", "3", "--data", "4"}, "for arrays"},
      {{"--replay", "x", "--service", "y"}, "unknown argument --service"},
  };
  for (const auto& [words, told] : cases) {
    EXPECT_EQ(Run(words), 2);
    EXPECT_THAT(err_.str(), HasSubstr(told));
  }
}

}  // namespace
}  // namespace pilothouse::trainer
