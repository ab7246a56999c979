#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/loop/plugin_loop_fixture.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(PluginLoopTest, PluginsRunAfterExactlyTheirBatchesAndOnceMoreAtTheEnd) {
  Add("note", "each(10) & ~at(20)", Note());
  options.target = 45;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(calls, ElementsAre("10", "30", "40", "45 done"));
}

// Trap 9.
TEST_F(PluginLoopTest, WhenAPluginSaysDoneNoFurtherBatchRunsAndEveryPluginSeesIt) {
  Add("ender", "at(7)", [](PluginContext& context) {
    if (!context.done()) context.SetDone("seven is enough");
    return absl::OkStatus();
  });
  Add("note", "at(1000)", Note());
  options.target = 100;
  const StatusReport last = Run();
  EXPECT_EQ(last.status, RunStatus::kCompleted);
  EXPECT_EQ(last.message, "ender: seven is enough");
  EXPECT_EQ(learner.etas().size(), 7U);
  EXPECT_THAT(calls, ElementsAre("7 done"));
  const ControlReport& stop = *Controls().back();
  EXPECT_EQ(stop.control.origin, "plugin ender");
  EXPECT_EQ(stop.control.note, "seven is enough");
  EXPECT_EQ(stop.value, 7);
}

TEST_F(PluginLoopTest, WhatAPluginAsksForIsAControlWithItsBatchAndName) {
  Add("brake", "at(10)", Once([](PluginContext& context) { context.Ask(KnobChange{"eta", 0.01}, "too fast"); }));
  options.target = 12;
  StopAt(seconds(1));
  Run();
  ASSERT_EQ(Controls().size(), 2U);
  const ControlReport& control = *Controls().front();
  EXPECT_EQ(control.control.origin, "plugin brake");
  EXPECT_EQ(control.control.note, "too fast");
  EXPECT_EQ(control.control.request_id.rfind("plugin-brake-10-", 0), 0U) << control.control.request_id;
  EXPECT_EQ(control.value, 0.01);
  EXPECT_EQ(learner.etas()[9], 0.1);
  EXPECT_EQ(learner.etas()[10], 0.01);
}

TEST_F(PluginLoopTest, APersonHasTheLastWordAtABoundary) {
  Add("brake", "at(10)", Once([](PluginContext& context) { context.Ask(KnobChange{"eta", 0.01}, "too fast"); }));
  options.target = 12;
  Put("person", KnobChange{"eta", 0.5}, 10);
  StopAt(seconds(1));
  Run();
  EXPECT_EQ(learner.etas()[10], 0.5);
}

TEST_F(PluginLoopTest, PluginsAreAttachedRescheduledAndDetachedByControls) {
  Add("note", "", Note());
  options.target = 60;
  PluginSpec spec;
  spec.kind = "note";
  spec.schedule = "each(10)";
  Put("add", AttachPluginChange{spec}, 15);
  Put("change", ReschedulePluginChange{"note", "each(4)", {}}, 30);
  Put("remove", DetachPluginChange{"note"}, 40);
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(calls, ElementsAre("20", "30", "32", "36", "40"));
  EXPECT_THAT(Changes(),
              testing::IsSupersetOf({"15 control add = 1", "30 control change = 1", "40 control remove = 0"}));
  ASSERT_EQ(Controls().size(), 4U);
  EXPECT_EQ(Controls()[0]->plugin, "note");
  for (const Report& report : sink.reports) {
    const auto* control = std::get_if<ControlReport>(&report.kind);
    if (control != nullptr && control->control.request_id != "stop") {
      EXPECT_TRUE(report.plugins.has_value()) << Describe(report);
    }
  }
}

TEST_F(PluginLoopTest, PluginsRunAtEveryPointInTheLifeOfARun) {
  const auto at_point = [this](PluginContext& context) {
    if (!context.done() || context.point() == PluginPoint::kEnd) {
      calls.push_back(absl::StrCat(PointName(context.point()), " ", context.run().batch()));
    }
    return absl::OkStatus();
  };
  Add("a", "once", at_point, PluginPoint::kStart);
  Add("b", "at(1)", at_point, PluginPoint::kBeforeBatch);
  Add("c", "at(1)", at_point, PluginPoint::kAfterBatch);
  Add("d", "always", at_point, PluginPoint::kAfterValidation);
  Add("e", "once", at_point, PluginPoint::kBeforeStop);
  Add("f", "once", at_point, PluginPoint::kEnd);
  Add("validate", "at(2)", [](PluginContext& context) { return context.run().Validate().status(); });
  learner.learner_facts.validation_examples = 2;
  options.target = 3;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(
      calls, ElementsAre("start 0", "after_batch 1", "before_batch 1", "after_validation 2", "before_stop 3", "end 3"));
}

TEST_F(PluginLoopTest, NewParametersAreTakenOnlyFromTheFileThatWasChosen) {
  std::filesystem::create_directories(directory);
  const std::string path = directory + "/other.safetensors";
  ASSERT_TRUE(FakeModel(77, true).Save(path, 77).ok());
  const std::string hash = *FileHash(path);
  Add("taker", "at(5)", Once([hash](PluginContext& context) {
        context.Ask(ParametersChange{"other.safetensors", hash, "b", 77}, "b is better");
        context.Ask(ParametersChange{"other.safetensors", "00", "b", 77}, "");
      }));
  options.target = 6;
  StopAt(seconds(1));
  Run();
  ASSERT_EQ(Controls().size(), 2U);
  EXPECT_EQ(Controls()[0]->value, 77);
  EXPECT_EQ(Controls()[0]->previous_value, 5);
  EXPECT_THAT(Failures(), ElementsAre(HasSubstr("has changed since it was chosen")));
}

// Plugins that take the parameters of another run, whose file lies in the run's directory.
class TakingParametersTest : public PluginLoopTest {
 protected:
  TakingParametersTest() {
    std::filesystem::create_directories(directory);
    const std::string path = directory + "/other.safetensors";
    EXPECT_TRUE(FakeModel(77, true).Save(path, 77).ok());
    hash = *FileHash(path);
    learner.learner_facts.validation_examples = 2;
  }

  void Take(PluginContext& context) const {
    context.Ask(ParametersChange{"other.safetensors", hash, "b", 77}, "b is better");
  }

  std::string hash;
};

TEST_F(TakingParametersTest, AValidationOfTheOldOnesCountsNoMore) {
  Add("taker", "at(5)", Once([this](PluginContext& context) {
        EXPECT_TRUE(context.run().Validate().ok());
        Take(context);
      }));
  Add(
      "best", "always",
      [this](PluginContext& context) {
        const auto state = context.run().Parameters()->State();
        calls.push_back(absl::StrCat("validated ", std::get<std::vector<double>>(state.values).at(0)));
        return absl::OkStatus();
      },
      PluginPoint::kAfterValidation);
  Add("look", "at(5)", Once([this](PluginContext& context) {
        calls.push_back(context.run().validation().has_value() ? "stale" : "none");
        EXPECT_TRUE(context.run().Validate().ok());
      }));
  options.target = 5;
  StopAt(seconds(1));
  Run();
  EXPECT_EQ(learner.validations(), 2);
  EXPECT_THAT(calls, ElementsAre("validated 5", "none", "validated 77")) << "the last at the end of the run";
}

TEST_F(TakingParametersTest, ARunThatDivergedGoesOnWithThem) {
  learner.loss = [](int64_t batch) { return batch == 5 ? std::nan("") : 1.0; };
  Add("taker", "at(5)", Once([this](PluginContext& context) { Take(context); }));
  options.target = 9;
  StopAt(seconds(1));
  Run();
  EXPECT_EQ(learner.etas().size(), 9U);
  EXPECT_THAT(Changes(), testing::Not(testing::Contains("5 IDLE DIVERGED")));
  EXPECT_THAT(Losses(), testing::Contains("5 loss"));
}

TEST_F(PluginLoopTest, AQueryTellsThePluginsInTheOrderInWhichTheyRun) {
  Add("late", "each(10)", Note());
  options.plugins[0].priority = 500;
  Add("early", "each(10)", Note());
  options.target = 25;
  std::vector<std::string> names;
  std::vector<std::string> next;
  clock.At(milliseconds(200), [&, this] {
    Query query;
    query.include_plugins = true;
    query.answer = [&](const RunSnapshot& snapshot) {
      for (const PluginStatus& plugin : snapshot.plugins) {
        names.push_back(plugin.spec.name);
        if (!plugin.built_in) next.push_back(absl::StrCat(plugin.runs, " ", *plugin.last_batch, " ", *plugin.next_due));
      }
    };
    EXPECT_TRUE(mailbox.Put(query).ok());
  });
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(names, ElementsAre("report-loss", "early", "late", "report-state", "heartbeat"));
  EXPECT_THAT(next, ElementsAre("2 20 30", "2 20 30"));
  EXPECT_TRUE(sink.reports.front().plugins.has_value());
  EXPECT_TRUE(sink.reports.back().plugins.has_value());
}

TEST_F(PluginLoopTest, HowTheRunEndedIsWrittenBeforeItIsReported) {
  options.target = 3;
  bool written = false;
  sink.on_report = [&](const Report& report) {
    const auto* status = std::get_if<StatusReport>(&report.kind);
    if (status == nullptr || status->status != RunStatus::kStopped) return;
    std::ifstream file(directory + "/end.json");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_THAT(text, testing::AllOf(HasSubstr("\"status\": \"STOPPED\""), HasSubstr("\"batch\": 3")));
    written = true;
  };
  StopAt(seconds(1));
  Run();
  EXPECT_TRUE(written);
}

}  // namespace
}  // namespace pilothouse::trainer
