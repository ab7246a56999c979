// What the program does with plugins, as a script sees it, against a fake service.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/program_fixture.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;
using PluginProgram = Program;

TEST_F(PluginProgram, AttachesReschedulesAndDetaches) {
  house_.AddRun("digits");
  const Result added = Run("plugin add digits each(100) validate --note why");
  EXPECT_EQ(added.exit_code, kExitSuccess) << added.errors;
  EXPECT_EQ(added.output, "validate is attached after batch 0; 1 plugin now (receipt 1)\n");
  EXPECT_EQ(Run({"plugin", "add", "each(10) & ~at(20, 30)", "notify", "message=half way", "--name", "says"}).output,
            "digits: says is attached after batch 0; 2 plugins now (receipt 2)\n");
  EXPECT_EQ(Run({"plugin", "schedule", "says", "each(2)", "--timeline", "epochs"}).output,
            "digits: says is due each(2) on epochs after batch 0 (receipt 3)\n");
  const Json list = Json::parse(Run("plugin list dig --json").output);
  ASSERT_EQ(list["plugins"].size(), 2u);
  EXPECT_EQ(list["plugins"][0]["schedule"], "each(100)");
  EXPECT_EQ(list["plugins"][1]["settings"]["message"], "half way");
  EXPECT_EQ(list["plugins"][1]["timeline"], "epochs");
  EXPECT_TRUE(absl::StrContains(Run("state digits").output, "validate, says"));
  EXPECT_EQ(Json::parse(Run("state digits --json").output)["run"]["plugins"].size(), 2u);
  EXPECT_EQ(Json::parse(Run("plugin remove digits says --json").output)["plugin"], "says");
  const Result list_text = Run("plugin list");
  EXPECT_TRUE(absl::StrContains(list_text.output, "validate")) << list_text.output;
  EXPECT_FALSE(absl::StrContains(list_text.output, "says")) << list_text.output;
  EXPECT_EQ(house_.asked()[0].note(), "why");
  Run("plugin remove digits validate");
  EXPECT_TRUE(absl::StrContains(Run("plugin list").output, "digits has no plugins"));
}

TEST_F(PluginProgram, SaysWhichPluginWaitsForWhatNothingBringsAbout) {
  house_.AddRun("digits");
  EXPECT_EQ(
      Run("plugin add digits notify --point after_validation").output,
      "notify is attached after batch 0; 1 plugin now (receipt 1)\n"
      "notify waits for a validation, which no plugin makes; add one: pilot plugin add digits 'each(100)' validate\n");
}

TEST_F(PluginProgram, TellsARefusalFromWrongUsage) {
  house_.AddRun("digits");
  EXPECT_EQ(Run("plugin add digits paint").exit_code, kExitRefused);
  EXPECT_EQ(Run("plugin remove digits nobody").exit_code, kExitRefused);
  EXPECT_EQ(Run("plugin list nobody").exit_code, kExitRefused);
  const Result schedule = Run("plugin schedule digits validate each(");
  EXPECT_EQ(schedule.exit_code, kExitRefused);
  EXPECT_EQ(Run("plugin add digits validate").exit_code, kExitSuccess);
  EXPECT_EQ(Run("plugin schedule digits validate each(").errors,
            "pilot: a \")\" is missing. [SCHEDULE_INVALID, schedule]\n  each(\n       ^\n");
  EXPECT_EQ(Run("plugin add digits each(5 notify").exit_code, kExitUsage);
  EXPECT_EQ(Run("plugin add digits notify loud").exit_code, kExitUsage);
  EXPECT_EQ(Run("plugin frobnicate").exit_code, kExitUsage);
  EXPECT_EQ(house_.changes(), 1);
}

TEST_F(PluginProgram, ListsKindsWithoutARun) {
  const Result all = Run("plugin kinds");
  EXPECT_EQ(all.exit_code, kExitSuccess) << all.errors;
  EXPECT_TRUE(absl::StartsWith(all.output, "notify\n  Says something, so that")) << all.output;
  EXPECT_TRUE(absl::StrContains(all.output, "message         what to say (must be given)")) << all.output;
  const Result one = Run("plugin kinds validate");
  EXPECT_TRUE(absl::StartsWith(one.output, "validate\n")) << one.output;
  EXPECT_FALSE(absl::StrContains(one.output, "notify")) << one.output;
  EXPECT_EQ(Json::parse(Run("plugin kinds --json").output)["kinds"].size(), 2u);
  const Result unknown = Run("plugin kinds paint");
  EXPECT_EQ(unknown.exit_code, kExitRefused);
  EXPECT_TRUE(absl::StrContains(unknown.errors, "notify, validate. [PLUGIN_KIND_UNKNOWN, kind]")) << unknown.errors;
}

TEST_F(PluginProgram, StartsARunWithPlugins) {
  const Result result = Run({"start", "--net", "2x1", "--loss", "mse", "--dataset", "d", "--validation", "20%",
                             "--plugin", "each(10) & ~at(20, 30) validate", "--plugin", "notify message='half way'"});
  ASSERT_EQ(result.exit_code, kExitSuccess) << result.errors;
  const v1::RunSpec spec = house_.starts().at(0).spec();
  EXPECT_EQ(spec.data().validation_size(), "20%");
  ASSERT_EQ(spec.plugins_size(), 2);
  EXPECT_EQ(spec.plugins(0).schedule(), "each(10) & ~at(20, 30)");
  EXPECT_EQ(spec.plugins(1).settings().at("message"), "half way");
}

TEST_F(PluginProgram, WatchesARunThatAPluginCompletes) {
  house_.AddRun("digits");
  v1::PluginReport report;
  report.set_plugin("validate");
  v1::NamedValue& loss = *report.mutable_output()->add_values();
  loss.set_name("loss");
  loss.set_value(0.31);
  house_.AddPluginReport("digits", 500, report);
  house_.AddStatus("digits", v1::RUN_STATUS_COMPLETED, "early-stopping: no gain");
  const Result result = Run("watch digits");
  EXPECT_EQ(result.exit_code, kExitSuccess) << result.errors;
  EXPECT_TRUE(absl::StrContains(result.output, "batch 500  validate: loss 0.31\n")) << result.output;
  EXPECT_TRUE(absl::StrContains(result.output, "status COMPLETED  early-stopping: no gain")) << result.output;
  const std::string lines = Run("watch digits --kinds plugin --json").output;
  // The first line is the snapshot.
  const Json only = Json::parse(lines.substr(lines.find('\n') + 1));
  EXPECT_EQ(only["values"]["loss"], 0.31);
}

TEST_F(PluginProgram, CompletesCommandsAndOptions) {
  house_.AddRun("digits");
  const auto complete = [this](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    return Run(words).output;
  };
  EXPECT_EQ(complete({"pl"}), "plugin\n");
  EXPECT_EQ(complete({"plugin", ""}), "add\nschedule\nremove\nlist\nkinds\n");
  EXPECT_EQ(complete({"plugin", "add", ""}), "digits\n");
  EXPECT_EQ(complete({"plugin", "add", "--ti"}), "--timeout\n--timeline\n");
  EXPECT_EQ(complete({"plugin", "add", "--timeline", "wa"}), "wall_time\n");
  EXPECT_EQ(complete({"plugin", "add", "--point", "before"}), "before_batch\nbefore_stop\n");
  EXPECT_EQ(complete({"start", "--val"}), "--validation\n");
  EXPECT_EQ(complete({"watch", "--kinds", "p"}), "plugin\n");
}

}  // namespace
}  // namespace pilothouse::client
