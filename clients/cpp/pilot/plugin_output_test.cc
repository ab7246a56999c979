// What is said about plugins.
#include "clients/cpp/pilot/plugin_output.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/plugin_json.h"
#include "clients/cpp/pilot/session.h"
#include "clients/cpp/pilot/text.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

using ParsedJson = nlohmann::json;

v1::PluginStatus Plugin(const std::string& name, const std::string& schedule, v1::Timeline timeline) {
  v1::PluginStatus plugin;
  plugin.mutable_spec()->set_name(name);
  plugin.mutable_spec()->set_schedule(schedule);
  plugin.mutable_spec()->set_timeline(timeline);
  plugin.mutable_spec()->set_point(v1::PLUGIN_POINT_AFTER_BATCH);
  return plugin;
}

std::string NextDue(v1::Timeline timeline, double next_due, double now = 0) {
  v1::PluginStatus plugin = Plugin("x", "each(1)", timeline);
  plugin.set_next_due(next_due);
  plugin.set_now(now);
  return NextDueText(plugin);
}

v1::PluginReport Failure(const std::string& message) {
  v1::PluginReport report;
  report.set_plugin("early-stopping");
  report.mutable_failure()->set_message(message);
  report.mutable_failure()->set_failures_in_a_row(3);
  return report;
}

v1::PluginReport Scores() {
  v1::PluginReport report;
  report.set_plugin("validate");
  report.set_kind("validate");
  v1::NamedValue& loss = *report.mutable_output()->add_values();
  loss.set_name("loss");
  loss.set_value(0.31);
  v1::NamedValue& accuracy = *report.mutable_output()->add_values();
  accuracy.set_name("accuracy");
  accuracy.set_value(0.94);
  return report;
}

TEST(NextDue, IsToldInTheTimelinesWords) {
  EXPECT_EQ(NextDue(v1::TIMELINE_BATCHES, 300), "batch 300");
  EXPECT_EQ(NextDue(v1::TIMELINE_BATCHES, 2990000), "batch 2,990,000");
  EXPECT_EQ(NextDue(v1::TIMELINE_BATCHES, 9007199254740992.0 / 2), "batch 4,503,599,627,370,496");
  EXPECT_EQ(NextDue(v1::TIMELINE_EXAMPLES, 12000), "example 12,000");
  EXPECT_EQ(NextDue(v1::TIMELINE_EPOCHS, 2.5), "epoch 2.5");
  EXPECT_EQ(NextDue(v1::TIMELINE_EPOCHS, 1.0 / 3), "epoch 0.333");
  EXPECT_EQ(NextDue(v1::TIMELINE_EPOCHS, 1e-9), "epoch 0");
  EXPECT_EQ(NextDue(v1::TIMELINE_EPOCHS, 1999.9996), "epoch 2,000");
  EXPECT_EQ(NextDue(v1::TIMELINE_WALL_TIME, 114, 100), "in 14 s");
  EXPECT_EQ(NextDue(v1::TIMELINE_WALL_TIME, 99, 100), "now");
  EXPECT_EQ(NextDue(v1::TIMELINE_TRAINING_TIME, 114, 100), "in 14 s training");
}

TEST(NextDue, MayBeNeverOrAnEvent) {
  v1::PluginStatus plugin = Plugin("x", "at(1)", v1::TIMELINE_BATCHES);
  EXPECT_EQ(NextDueText(plugin), "never");
  plugin.set_waits_for("a validation");
  EXPECT_EQ(NextDueText(plugin), "next validation");
  plugin.set_waits_for("the end");
  EXPECT_EQ(NextDueText(plugin), "at the end");
  plugin.clear_waits_for();
  plugin.mutable_spec()->set_point(v1::PLUGIN_POINT_START);
  EXPECT_EQ(NextDueText(plugin), "-");
}

TEST(Schedules, NameTheirTimelineWhereTheirUnitsDoNot) {
  EXPECT_EQ(ScheduleText("each(100)", v1::TIMELINE_BATCHES), "each(100)");
  EXPECT_EQ(ScheduleText("each(100)", v1::TIMELINE_EXAMPLES), "each(100) on examples");
  EXPECT_EQ(ScheduleText("each(5 epochs)", v1::TIMELINE_EPOCHS), "each(5 epochs)");
  EXPECT_EQ(ScheduleText("each(1e3 examples)", v1::TIMELINE_EXAMPLES), "each(1e3 examples)");
  EXPECT_EQ(ScheduleText("each(30s)", v1::TIMELINE_WALL_TIME), "each(30s)");
  EXPECT_EQ(ScheduleText("each(30s)", v1::TIMELINE_TRAINING_TIME), "each(30s) on training time");
  EXPECT_EQ(ScheduleText("each(7)", v1::TIMELINE_UNSPECIFIED), "each(7)");
}

TEST(PluginTable, FitsAnOrdinaryTerminal) {
  v1::ListPluginsResponse list;
  v1::PluginStatus report = Plugin("report-loss", "", v1::TIMELINE_UNSPECIFIED);
  report.set_built_in(true);
  *list.add_plugins() = report;
  v1::PluginStatus validate = Plugin("validate", "each(100)", v1::TIMELINE_BATCHES);
  validate.set_runs(29900);
  validate.set_last_batch(2990000);
  validate.set_next_due(2990100);
  validate.mutable_total_time()->set_seconds(299);
  *list.add_plugins() = validate;
  v1::PluginStatus stopping = Plugin("early-stopping", "always", v1::TIMELINE_BATCHES);
  stopping.set_waits_for("a validation");
  stopping.set_failures(2);
  stopping.set_last_failure("it took 11 s, which is longer than its allowance of 10 s; give it more with allowance.");
  *list.add_plugins() = stopping;
  const std::string table = PluginTable(list, 80);
  const std::vector<std::string> lines = absl::StrSplit(table, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 7u) << table;
  for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), 80) << line;
  EXPECT_TRUE(absl::StartsWith(lines[0], "plugin ")) << table;
  EXPECT_TRUE(absl::StartsWith(lines[1], "report-loss * ")) << table;
  EXPECT_TRUE(absl::StartsWith(lines[2], "validate ")) << table;
  EXPECT_TRUE(absl::StrContains(lines[2], "batch 2,990,100  29,900       0  10.0 ms")) << table;
  EXPECT_TRUE(absl::StrContains(lines[3], "next validation")) << table;
  EXPECT_TRUE(absl::StartsWith(lines[4], "    last failure: it took 11 s")) << table;
  EXPECT_EQ(lines.back(), "* part of the run itself");
}

TEST(PluginTable, ShowsALongScheduleInFullBelow) {
  const std::string schedule = "each(10) & ~at(20, 30, 40, 50, 60, 70) | each(7) & from(1000) & until(100000000)";
  v1::ListPluginsResponse list;
  *list.add_plugins() = Plugin("notify", schedule, v1::TIMELINE_BATCHES);
  const std::vector<std::string> lines = absl::StrSplit(PluginTable(list, 80), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_TRUE(absl::StrContains(lines[1], "…"));
  EXPECT_EQ(lines[2] + lines[3].substr(5), "    schedule: " + schedule);
}

TEST(PluginKinds, AreDescribedWithinTheWidth) {
  v1::PluginKind kind;
  kind.set_name("reduce-eta");
  kind.set_description(std::string("Lowers eta when a metric has not improved for a number of looks, ") +
                       "and says so to everybody who watches the run.");
  kind.set_usual_schedule("always");
  kind.set_usual_point(v1::PLUGIN_POINT_AFTER_VALIDATION);
  v1::PluginSetting& factor = *kind.add_settings();
  factor.set_name("factor");
  factor.set_description("what eta is multiplied by, above 0 and below 1, each time that it is to become lower");
  factor.set_usual("0.5");
  v1::PluginSetting& metric = *kind.add_settings();
  metric.set_name("metric");
  metric.set_description("what to look at");
  metric.set_required(true);
  EXPECT_EQ(PluginKindList({kind}, 80),
            "reduce-eta\n"
            "  Lowers eta when a metric has not improved for a number of looks, and says so\n"
            "  to everybody who watches the run.\n"
            "  Usually always, after validation.\n"
            "    factor          what eta is multiplied by, above 0 and below 1, each time\n"
            "                    that it is to become lower (usually 0.5)\n"
            "    metric          what to look at (must be given)\n");
  EXPECT_EQ(ParsedJson::parse(PluginKindsJson({kind}))["kinds"][0]["settings"][1]["required"], true);
  v1::ListPluginKindsResponse all;
  *all.add_kinds() = kind;
  EXPECT_EQ(ChooseKinds(all, "reduce-eta")->size(), 1u);
  const absl::Status unknown = ChooseKinds(all, "raise-eta").status();
  EXPECT_EQ(ReasonOf(unknown), v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN);
  EXPECT_TRUE(absl::StrContains(std::string(unknown.message()), "reduce-eta"));
}

TEST(PluginEvents, AreLines) {
  v1::Event event;
  event.set_batch(500);
  *event.mutable_plugin() = Scores();
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  batch 500  validate: loss 0.31, accuracy 0.94"));
  event.mutable_plugin()->mutable_output()->set_message("as good\nas it gets");
  event.mutable_plugin()->mutable_output()->add_histograms();
  EXPECT_TRUE(
      absl::EndsWith(EventLine(event), "validate: loss 0.31, accuracy 0.94, 1 histogram  as good | as it gets"));
  for (int i = 0; i < 10; ++i) event.mutable_plugin()->mutable_output()->add_values();
  EXPECT_TRUE(absl::StrContains(EventLine(event), ", 4 more values, 1 histogram"));
  *event.mutable_plugin() = Failure("no \x1b[2Jloss yet.");
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  early-stopping failed: no ?[2Jloss yet; 3 times in a row"));
  event.mutable_plugin()->mutable_failure()->set_detached(true);
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "; 3 times in a row; detached"));
  event.mutable_plugin()->mutable_failure()->set_detached(false);
  event.mutable_plugin()->mutable_failure()->set_paused(true);
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "; the run pauses"));
}

TEST(PluginControls, SayWhoChangedWhat) {
  v1::ControlReport control;
  control.set_plugin("best");
  v1::PluginSpec& spec = *control.mutable_change()->mutable_attach_plugin()->mutable_plugin();
  spec.set_kind("save-best");
  spec.set_schedule("each(5)");
  spec.set_timeline(v1::TIMELINE_EPOCHS);
  EXPECT_EQ(ControlText(control), "attach best of kind save-best, each(5) on epochs");
  control.mutable_change()->mutable_detach_plugin()->set_name("best");
  EXPECT_EQ(ControlText(control), "detach best");
  control.mutable_change()->mutable_reschedule_plugin()->set_schedule("each(7)");
  EXPECT_EQ(ControlText(control), "schedule best, each(7)");
  control.mutable_change()->mutable_parameters()->set_from_run_id("run-b");
  control.mutable_change()->mutable_parameters()->set_from_batch(5000);
  EXPECT_EQ(ControlText(control), "parameters of run-b at batch 5,000");
  v1::Event event;
  event.set_batch(500);
  v1::ControlReport& eta = *event.mutable_control();
  eta.mutable_change()->mutable_knob()->set_name("eta");
  eta.set_previous_value(0.1);
  eta.set_value(0.05);
  eta.set_origin("plugin reduce-eta");
  eta.set_note("no gain for 3 looks");
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  eta 0.1 → 0.05  by plugin reduce-eta  \"no gain for 3 looks\""));
}

TEST(PluginReceipts, AreSentences) {
  v1::Receipt receipt;
  receipt.set_control_id(57);
  receipt.set_applied_batch(120);
  receipt.set_value(3);
  receipt.set_plugin("validate");
  v1::Change change;
  change.mutable_attach_plugin();
  EXPECT_EQ(ReceiptLine(change, receipt), "validate is attached after batch 120; 3 plugins now (receipt 57)");
  change.mutable_detach_plugin();
  receipt.set_value(1);
  EXPECT_EQ(ReceiptLine(change, receipt), "validate is detached after batch 120; 1 plugin now (receipt 57)");
  change.mutable_reschedule_plugin()->set_schedule("each(50)");
  EXPECT_EQ(ReceiptLine(change, receipt), "validate is due each(50) after batch 120 (receipt 57)");
  EXPECT_EQ(ParsedJson::parse(ReceiptJson("digits", receipt))["plugin"], "validate");
  EXPECT_TRUE(ParsedJson::parse(ReceiptJson("digits", v1::Receipt()))["plugin"].is_null());
}

TEST(PluginJson, HasTheDocumentedFields) {
  WatchItem item;
  *item.message.add_events()->mutable_plugin() = Scores();
  v1::PluginOutput& output = *item.message.mutable_events(0)->mutable_plugin()->mutable_output();
  output.mutable_values(1)->set_value(NAN);
  v1::Histogram& histogram = *output.add_histograms();
  histogram.set_name("weights");
  histogram.set_maximum(2);
  histogram.add_counts(7);
  *item.message.add_events()->mutable_plugin() = Failure("no.");
  v1::ControlReport& control = *item.message.add_events()->mutable_control();
  control.set_plugin("best");
  control.mutable_change()->mutable_attach_plugin()->mutable_plugin()->set_kind("save-best");
  const std::vector<std::string> lines = absl::StrSplit(WatchLines(item), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);
  const ParsedJson report = ParsedJson::parse(lines[0]);
  EXPECT_EQ(report["type"], "plugin");
  EXPECT_EQ(report["plugin"], "validate");
  EXPECT_EQ(report["values"], ParsedJson::parse(R"({"loss": 0.31, "accuracy": "NaN"})"));
  EXPECT_EQ(report["histograms"],
            ParsedJson::parse(R"([{"name": "weights", "minimum": 0.0, "maximum": 2.0, "counts": [7]}])"));
  EXPECT_TRUE(report["failure"].is_null());
  EXPECT_EQ(ParsedJson::parse(lines[1])["failure"],
            ParsedJson::parse(R"({"message": "no.", "failures_in_a_row": 3, "detached": false, "paused": false})"));
  const ParsedJson attached = ParsedJson::parse(lines[2]);
  EXPECT_EQ(attached["control"], "attach_plugin");
  EXPECT_EQ(attached["name"], "best");
  EXPECT_EQ(attached["spec"]["kind"], "save-best");
}

TEST(RunPage, TellsHeldOutExamplesAndPlugins) {
  v1::Run run;
  run.mutable_facts()->set_parameters(9);
  run.mutable_facts()->set_examples(1200);
  run.mutable_facts()->set_validation_examples(300);
  *run.add_plugins() = Plugin("validate", "each(1)", v1::TIMELINE_BATCHES);
  v1::PluginStatus failing = Plugin("notify", "each(1)", v1::TIMELINE_BATCHES);
  failing.set_failures(1);
  *run.add_plugins() = failing;
  v1::PluginStatus own = Plugin("report-loss", "", v1::TIMELINE_BATCHES);
  own.set_built_in(true);
  *run.add_plugins() = own;
  const std::string page = RunPage(run, absl::UnixEpoch());
  EXPECT_TRUE(absl::StrContains(page, "1,200 examples and 300 held out")) << page;
  EXPECT_TRUE(absl::StrContains(page, "plugins  validate, notify (failed 1 time)\n")) << page;
  for (int i = 0; i < 10; ++i) *run.add_plugins() = failing;
  EXPECT_TRUE(absl::StrContains(RunPage(run, absl::UnixEpoch()), ", 4 more\n")) << RunPage(run, absl::UnixEpoch());
}

TEST(RunPage, TellsTheOptimizerOfARunThatIsKnownWhole) {
  v1::Run run;
  EXPECT_FALSE(absl::StrContains(RunPage(run, absl::UnixEpoch()), "optimizer"));
  EXPECT_TRUE(ParsedJson::parse(RunJson(run))["optimizer"].is_null());
  run.mutable_spec();
  EXPECT_TRUE(absl::StrContains(RunPage(run, absl::UnixEpoch()), "optimizer  gradient_descent\n"));
  run.mutable_spec()->mutable_optimizer()->set_kind(v1::OPTIMIZER_KIND_ADAMW);
  EXPECT_TRUE(absl::StrContains(RunPage(run, absl::UnixEpoch()), "optimizer  adamw\n"));
  EXPECT_EQ(ParsedJson::parse(RunJson(run))["optimizer"], "adamw");
}

TEST(RunPage, TellsWhetherEtaFollowsItsSchedule) {
  v1::Run run;
  run.set_eta(0.01);
  run.mutable_spec();
  EXPECT_TRUE(absl::StrContains(RunPage(run, absl::UnixEpoch()), "eta        0.01\n"))
      << RunPage(run, absl::UnixEpoch());
  run.mutable_spec()->set_eta_schedule("50,0.01");
  run.set_eta_follows_schedule(true);
  const std::string page = RunPage(run, absl::UnixEpoch());
  EXPECT_TRUE(absl::StrContains(page, "eta        0.01 (schedule)\n")) << page;
  EXPECT_TRUE(absl::StrContains(page, "schedule   50,0.01\n")) << page;
  EXPECT_EQ(ParsedJson::parse(RunJson(run))["eta_schedule"], "50,0.01");
  EXPECT_EQ(ParsedJson::parse(RunJson(run))["eta_follows_schedule"], true);
  run.set_eta_follows_schedule(false);
  EXPECT_TRUE(absl::StrContains(RunPage(run, absl::UnixEpoch()), "eta        0.01 (overridden)\n"));
  for (const char* constant : {"constant", " constant", "constant unit=batches"}) {
    run.mutable_spec()->set_eta_schedule(constant);
    EXPECT_TRUE(absl::StrContains(RunPage(run, absl::UnixEpoch()), "eta        0.01\n")) << constant;
  }
}

TEST(Errors, PointIntoASchedule) {
  const auto text = [](const std::string& schedule, const std::string& position) {
    return ErrorText(MakeError(v1::ERROR_REASON_SCHEDULE_INVALID, "plugin.schedule", "No.",
                               {{"schedule", schedule}, {"position", position}}));
  };
  const std::string begin = "No. [SCHEDULE_INVALID, plugin.schedule]";
  EXPECT_EQ(text("each(10) & at[5]", "14"), begin + "\n  each(10) & at[5]\n               ^");
  EXPECT_EQ(text("each(", "6"), begin + "\n  each(\n       ^");
  EXPECT_EQ(text("a\nb", "3"), begin + "\n  a?b\n    ^");
  for (const std::string nonsense : {"0", "7", "-1", "x", "99999999999999999999"}) {
    EXPECT_EQ(text("each(", nonsense), begin) << nonsense;
  }
  const std::string far = std::string(200, '(') + "x" + std::string(200, ')');
  const std::vector<std::string> lines = absl::StrSplit(text(far, "201"), '\n');
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_LE(DisplayWidth(lines[1]), 79);
  // Of the cut line, the mark still stands below the x; "…" takes three bytes.
  EXPECT_EQ(lines[1].find('x'), lines[2].find('^') + 2);
}

}  // namespace
}  // namespace pilothouse::client
