// Plugins as they are written on a command line.
#include "clients/cpp/pilot/plugin_grammar.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/command_line.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/requests.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {
namespace {

using Words = std::vector<std::string>;

v1::PluginSpec Spec(const std::string& text) {
  const absl::StatusOr<v1::PluginSpec> spec = ParsePluginSpec(text);
  EXPECT_TRUE(spec.ok()) << text << ": " << spec.status();
  return spec.value_or(v1::PluginSpec());
}

Arguments Parse(const Words& words) {
  const auto parsed = ParseCommandLine(words);
  if (const auto* const arguments = std::get_if<Arguments>(&parsed)) return *arguments;
  ADD_FAILURE() << std::get<ParseExit>(parsed).text;
  return {};
}

std::string Refusal(const Words& words) {
  const auto parsed = ParseCommandLine(words);
  const auto* const exit = std::get_if<ParseExit>(&parsed);
  if (exit != nullptr && exit->exit_code == kExitUsage) return exit->text;
  ADD_FAILURE() << "it was not refused";
  return "";
}

v1::StartRunRequest Start(Words words) {
  words.insert(words.begin(), {"start", "--net", "2x1", "--loss", "mse", "--dataset", "d"});
  return BuildStartRequest(Parse(words).start, "");
}

TEST(SplitWords, HonoursQuotesAsAShellDoes) {
  EXPECT_EQ(*SplitWords("  a 'b  c'd \"e \\\" \\\\ \\n\" f\\ g '' "), (Words{"a", "b  cd", "e \" \\ \\n", "f g", ""}));
  EXPECT_EQ(*SplitWords(""), Words());
  for (const char* const open : {"a 'b", "a \"b"}) {
    EXPECT_TRUE(absl::StrContains(std::string(SplitWords(open).status().message()), "is missing")) << open;
  }
}

TEST(PluginSpec, TakesAScheduleWithOrWithoutQuotes) {
  for (const auto& [text, schedule] : std::vector<std::tuple<std::string, std::string>>{
           {"notify", ""},
           {"each(10) notify", "each(10)"},
           {"always notify", "always"},
           {"never notify", "never"},
           {"~always notify", "~always"},
           {"each(10) & ~at(20, 30) notify", "each(10) & ~at(20, 30)"},
           {"'each(10) & ~at(20, 30)' notify", "each(10) & ~at(20, 30)"},
           {"each (10) |at( 5 ) notify", "each (10) |at( 5 )"},
           {"~ (each(30 s) & from(1 h)) notify", "~ (each(30 s) & from(1 h))"},
           {"always & each(2) notify", "always & each(2)"},
       }) {
    const v1::PluginSpec spec = Spec(text);
    EXPECT_EQ(spec.kind(), "notify") << text;
    EXPECT_EQ(spec.schedule(), schedule) << text;
  }
}

TEST(PluginSpec, TakesSettingsAndThePluginsOwnOptions) {
  const v1::PluginSpec spec = Spec(
      "each(100) save-best metric='validation_loss' message='half (way) there = 50 %' empty= timeline=wall-time "
      "point=after_validation priority=-5 name=best required=yes allowance=1.5s max_failures=7");
  EXPECT_EQ(spec.settings().at("metric"), "validation_loss");
  EXPECT_EQ(spec.settings().at("message"), "half (way) there = 50 %");
  EXPECT_EQ(spec.settings().at("empty"), "");
  EXPECT_EQ(spec.settings().size(), 3u);
  EXPECT_EQ(spec.timeline(), v1::TIMELINE_WALL_TIME);
  EXPECT_EQ(spec.point(), v1::PLUGIN_POINT_AFTER_VALIDATION);
  EXPECT_EQ(spec.priority(), -5);
  EXPECT_EQ(spec.name(), "best");
  EXPECT_TRUE(spec.required());
  EXPECT_EQ(spec.allowance().seconds(), 1);
  EXPECT_EQ(spec.allowance().nanos(), 500000000);
  EXPECT_EQ(spec.max_failures(), 7);
  const v1::PluginSpec bare = Spec("notify");
  EXPECT_FALSE(bare.has_priority() || bare.has_required() || bare.has_allowance());
}

TEST(PluginSpec, IsRefusedWithWhatIsRight) {
  for (const auto& [text, words] : std::vector<std::tuple<std::string, std::string>>{
           {"", "kind of plugin is missing"},
           {"metric=x", "kind of plugin is missing"},
           {"each(10)", "missing behind the schedule \"each(10)\""},
           {"each(10) metric=x", "missing behind the schedule \"each(10)\""},
           {"each(10 notify", "\"each(10 notify\" lacks a \")\""},
           {"hourly notify", "\"hourly\" before the kind notify is not a schedule"},
           {"notify each(10)", "missing behind the schedule"},
           {"each(10) notify loud", "\"loud\" behind the kind notify is not of the form name=value"},
           {"notify =3", "\"=3\" behind the kind notify is not of the form name=value"},
           {"notify 1a=3", "name=value"},
           {"notify a=1 a=2", "a is given twice"},
           {"notify name=a name=b", "name is given twice"},
           {"notify 'a", "closing '"},
           {"notify timeline=days", "batches, examples, epochs, wall_time, training_time; got \"days\""},
           {"notify point=nowhere", "start, before_batch, after_batch, after_validation, before_stop, end; got"},
           {"notify priority=1001", "-1000 to 1000; got \"1001\""},
           {"notify required=maybe", "yes, no"},
           {"notify allowance=0", "above 0 and at most 1h; got \"0\""},
           {"notify allowance=61m", "at most 1h"},
           {"notify max_failures=0", "1 to 1000; got \"0\""},
           {"notify name=", "got \"\""},
       }) {
    const absl::Status status = ParsePluginSpec(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_TRUE(absl::StrContains(std::string(status.message()), words)) << text << ": " << status;
  }
}

TEST(StartArguments, TakePluginsInTheirOrder) {
  const v1::StartRunRequest request =
      Start({"--plugin", "each(100) validate", "--plugin", "save-best metric=validation_loss"});
  ASSERT_EQ(request.spec().plugins_size(), 2);
  EXPECT_EQ(request.spec().plugins(0).schedule(), "each(100)");
  EXPECT_EQ(request.spec().plugins(1).kind(), "save-best");
  EXPECT_EQ(request.spec().data().validation_case(), v1::DataSpec::VALIDATION_NOT_SET);
  EXPECT_TRUE(absl::StrContains(Refusal({"start", "--net", "2x1", "--loss", "mse", "--dataset", "d", "--plugin", ""}),
                                "--plugin: the kind of plugin is missing"));
}

TEST(PluginArguments, TakeTheRunOrLeaveItOut) {
  for (const auto& [words, run, schedule] : std::vector<std::tuple<Words, std::string, std::string>>{
           {{"save-best"}, "", ""},
           {{"each(100)", "save-best"}, "", "each(100)"},
           {{"digits", "save-best"}, "digits", ""},
           {{"digits", "each(100)", "save-best"}, "digits", "each(100)"},
           {{"digits", "each(10) & ~at(20, 30)", "save-best"}, "digits", "each(10) & ~at(20, 30)"},
           {{"digits", "never", "save-best"}, "digits", "never"},
       }) {
    Words line = {"plugin", "add"};
    line.insert(line.end(), words.begin(), words.end());
    const Arguments arguments = Parse(line);
    EXPECT_EQ(arguments.command, Command::kPluginAdd);
    EXPECT_EQ(arguments.run, run);
    EXPECT_EQ(arguments.change.change.attach_plugin().plugin().schedule(), schedule);
    EXPECT_EQ(arguments.change.change.attach_plugin().plugin().kind(), "save-best");
  }
}

TEST(PluginArguments, BecomeChanges) {
  const Arguments add = Parse({"plugin",     "add",        "digits",      "notify", "message=half way", "--timeline",
                               "epochs",     "--point",    "end",         "--name", "reminder",         "--priority",
                               "-5",         "--required", "--allowance", "2s",     "--max-failures",   "9",
                               "--at-batch", "7",          "--note",      "why",    "--request-id",     "id1",
                               "--json"});
  const v1::PluginSpec& spec = add.change.change.attach_plugin().plugin();
  EXPECT_EQ(spec.settings().at("message"), "half way");
  EXPECT_EQ(spec.timeline(), v1::TIMELINE_EPOCHS);
  EXPECT_EQ(spec.point(), v1::PLUGIN_POINT_END);
  EXPECT_EQ(spec.name(), "reminder");
  EXPECT_EQ(spec.priority(), -5);
  EXPECT_TRUE(spec.required());
  EXPECT_EQ(spec.allowance().seconds(), 2);
  EXPECT_EQ(spec.max_failures(), 9);
  EXPECT_EQ(add.change.options.at_batch, 7);
  EXPECT_EQ(add.change.options.note, "why");
  EXPECT_TRUE(add.global.json);
  const Arguments schedule =
      Parse({"plugin", "schedule", "digits", "notify", "each(2)", "|", "at(5)", "--timeline", "epochs"});
  EXPECT_EQ(schedule.command, Command::kPluginSchedule);
  EXPECT_EQ(schedule.run, "digits");
  EXPECT_EQ(schedule.change.change.reschedule_plugin().name(), "notify");
  EXPECT_EQ(schedule.change.change.reschedule_plugin().schedule(), "each(2) | at(5)");
  EXPECT_EQ(schedule.change.change.reschedule_plugin().timeline(), v1::TIMELINE_EPOCHS);
  EXPECT_EQ(Parse({"plugin", "schedule", "notify", "never"}).run, "");
  const Arguments remove = Parse({"plugin", "remove", "digits", "notify"});
  EXPECT_EQ(remove.command, Command::kPluginRemove);
  EXPECT_EQ(remove.run, "digits");
  EXPECT_EQ(remove.change.change.detach_plugin().name(), "notify");
  EXPECT_EQ(Parse({"plugin", "list", "digits"}).run, "digits");
  EXPECT_EQ(Parse({"plugin", "kinds", "notify"}).plugin_kind, "notify");
}

TEST(PluginArguments, AreRefusedWhereTheyMakeNoSense) {
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin"}), "pilot plugin --help"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "attach"}), "no command plugin attach"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "add"}), "needs the kind"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "add", "--name", "x"}), "needs the kind"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "add", "digits", "often", "notify"}),
                                "\"often\" between the run digits and the kind notify is not a schedule"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "add", "notify", "--loud"}), "--loud"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "add", "notify", "--loud"}), "See pilot plugin add --help."));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "add", "notify", "name=a", "--name", "b"}), "name is given twice"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "remove"}), "needs the name"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "schedule"}), "needs the name of a plugin and its new schedule"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "schedule", "digits", "notify"}), "[RUN] NAME SCHEDULE"));
  EXPECT_TRUE(absl::StrContains(Refusal({"plugin", "schedule", "each(5)"}), "[RUN] NAME SCHEDULE"));
}

TEST(PluginHelp, ExplainsSchedulesTimelinesPointsAndEveryCommand) {
  const auto help = [](Words words) {
    words.push_back("--help");
    const auto parsed = ParseCommandLine(words);
    const auto* const exit = std::get_if<ParseExit>(&parsed);
    return exit != nullptr && exit->exit_code == kExitSuccess ? exit->text : "";
  };
  const std::string text = help({"plugin"});
  for (const std::string word :
       {"each(N)", "until(B)", "`always`", "training_time", "before_stop", "validation_loss"}) {
    EXPECT_TRUE(absl::StrContains(text, word)) << word;
  }
  for (const std::string& command : CommandNames("plugin")) {
    EXPECT_TRUE(absl::StrContains(text, "  " + command + " ")) << command;
    EXPECT_TRUE(absl::StartsWith(help({"plugin", command}), "Usage: pilot plugin " + command)) << command;
  }
}

}  // namespace
}  // namespace pilothouse::client
