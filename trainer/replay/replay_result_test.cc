#include "trainer/replay/replay_result.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace pilothouse::trainer {
namespace {

TEST(ReplayResultTest, ValuesComeWithTheirBits) {
  EXPECT_EQ(ValueOf(0.25).text, "0.25");
  EXPECT_EQ(ValueOf(0.25).bits, "0x3fd0000000000000");
  EXPECT_EQ(ValueOf(0.25F).bits, "0x3e800000");
  EXPECT_EQ(ValueOf(0.1).text, "0.10000000000000001");
  EXPECT_EQ(ValueOf(std::numeric_limits<double>::quiet_NaN()).text, "nan");
}

TEST(ReplayResultTest, TellsADifferenceToPeopleAndPrograms) {
  ReplayResult result;
  result.losses = 11;
  result.through_batch = 11;
  result.difference = Difference{12, 34, "state", "parameter 5", ValueOf(0.5F), ValueOf(0.25F)};
  EXPECT_EQ(
      ToText(result),
      "differs at batch 12, sequence 34, state, parameter 5: the journal says 0.5 (0x3f000000), replay found 0.25 "
      "(0x3e800000)\nidentical until then (11 losses, 0 states, 0 checkpoints compared)\n");
  const nlohmann::json json = nlohmann::json::parse(ToJson(result));
  EXPECT_EQ(json["identical"], false);
  EXPECT_EQ(json["difference"]["sequence"], 34);
  EXPECT_EQ(json["difference"]["replay"]["bits"], "0x3e800000");
}

TEST(ReplayResultTest, TellsWhatWasLeftOutAndWhereAForkBegins) {
  ReplayResult result;
  result.through_batch = 50;
  result.losses = 1;
  result.first_batch = 40;
  result.parent = "digits";
  result.base = "checkpoints/base.safetensors";
  result.damaged = {{5, 7}};
  EXPECT_EQ(ToText(result),
            "begins at batch 40 of run digits, with checkpoints/base.safetensors\n"
            "the journal is damaged: the events from sequence 5 to 7 were left out\n"
            "identical through batch 50 (1 loss, 0 states, 0 checkpoints compared)\n");
  const nlohmann::json json = nlohmann::json::parse(ToJson(result));
  EXPECT_EQ(json["identical"], true);
  EXPECT_EQ(json["base"]["run_id"], "digits");
  EXPECT_EQ(json["damaged"][0][1], 7);
}

}  // namespace
}  // namespace pilothouse::trainer
