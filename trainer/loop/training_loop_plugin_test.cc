#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/loop/loop_fixture.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Function = std::function<absl::Status(PluginContext&)>;

class FunctionPlugin final : public Plugin {
 public:
  explicit FunctionPlugin(Function function) : function_(std::move(function)) {}
  absl::Status Run(PluginContext& context) override { return function_(context); }

 private:
  Function function_;
};

// A loop whose plugins are functions of the test.
class PluginLoopTest : public LoopTest {
 protected:
  // A kind of this name, which calls `function`; attached from the beginning unless `schedule` is empty.
  void Add(const std::string& name, const std::string& schedule, Function function,
           PluginPoint point = PluginPoint::kAfterBatch) {
    kinds->Register(
        {.name = name,
         .description = "A test's.",
         .usual_point = point,
         .make = [function = std::move(function)](const PluginSettings&, const PluginSurroundings&)
             -> absl::StatusOr<std::unique_ptr<Plugin>> { return std::make_unique<FunctionPlugin>(function); }});
    options.plugin_kinds = kinds;
    if (schedule.empty()) return;
    PluginSpec spec;
    spec.kind = name;
    if (TakesSchedule(point)) spec.schedule = schedule;
    options.plugins.push_back(spec);
  }

  // Notes the batch at which it is called, and "done" for the last call.
  Function Note() {
    return [this](PluginContext& context) {
      calls.push_back(context.done() ? absl::StrCat(context.run().batch(), " done")
                                     : absl::StrCat(context.run().batch()));
      return absl::OkStatus();
    };
  }
  // Does this once, when it is called first.
  static Function Once(std::function<void(PluginContext&)> what) {
    return [what = std::move(what), called = false](PluginContext& context) mutable {
      if (!std::exchange(called, true)) what(context);
      return absl::OkStatus();
    };
  }

  std::vector<std::string> Failures() const {
    std::vector<std::string> failures;
    for (const Report& report : sink.reports) {
      const auto* plugin = std::get_if<PluginReport>(&report.kind);
      if (plugin == nullptr) continue;
      if (const auto* failure = std::get_if<PluginFailure>(&plugin->what)) {
        failures.push_back(absl::StrCat(report.batch, " ", plugin->plugin, ": ", failure->message));
      }
    }
    return failures;
  }
  std::vector<const ControlReport*> Controls() const {
    std::vector<const ControlReport*> controls;
    for (const Report& report : sink.reports) {
      if (const auto* control = std::get_if<ControlReport>(&report.kind)) controls.push_back(control);
    }
    return controls;
  }

  std::shared_ptr<PluginKinds> kinds = std::make_shared<PluginKinds>();
  std::vector<std::string> calls;
};

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

// Trap 8.
TEST_F(PluginLoopTest, TimeInPluginsIsWallTimeAndNotTrainingTime) {
  Add("sleeper", "at(10)", [this](PluginContext& context) {
    if (!context.done()) clock.Advance(seconds(5));
    return absl::OkStatus();
  });
  std::vector<double> times;
  Add("look", "at(10, 11)", [&times](PluginContext& context) {
    if (context.done()) return absl::OkStatus();
    times.push_back(context.run().timelines().Value(Timeline::kTrainingTime));
    times.push_back(context.run().timelines().Value(Timeline::kWallTime));
    return absl::OkStatus();
  });
  options.target = 11;
  StopAt(seconds(10));
  Run();
  ASSERT_EQ(times.size(), 4U);
  EXPECT_NEAR(times[2] - times[0], 0.001, 1e-9);
  EXPECT_NEAR(times[3] - times[1], 5.001, 1e-9);
}

TEST_F(PluginLoopTest, WaitingIsWallTimeAndNotTrainingTime) {
  std::vector<double> times;
  Add("look", "at(11)", [&times](PluginContext& context) {
    if (context.done()) return absl::OkStatus();
    times = {context.run().timelines().Value(Timeline::kTrainingTime),
             context.run().timelines().Value(Timeline::kWallTime)};
    return absl::OkStatus();
  });
  options.target = 10;
  clock.At(seconds(60), [this] { BatchTo("on", 20); });
  StopAt(seconds(61));
  Run();
  ASSERT_EQ(times.size(), 2U);
  EXPECT_NEAR(times[0], 0.011, 1e-9);
  EXPECT_NEAR(times[1], 60.001, 1e-9);
}

// Trap 6, in the loop.
TEST_F(PluginLoopTest, APluginThatIsDueSeveralTimesWithinABatchRunsOnceAfterIt) {
  step_time = seconds(4);
  Add("note", "each(1 s)", Note());
  options.target = 3;
  StopAt(seconds(13));
  Run();
  EXPECT_THAT(calls, ElementsAre("1", "2", "3", "3 done"));
}

TEST_F(PluginLoopTest, PluginsRestWhileTheRunDoes) {
  Add("note", "each(1 s)", Note());
  options.target = 10;
  StopAt(seconds(30));
  Run();
  EXPECT_THAT(calls, ElementsAre("10 done"));
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

TEST_F(PluginLoopTest, WhatIsRefusedToAPluginIsReportedAsItsFailure) {
  Add("wild", "at(10)", Once([](PluginContext& context) { context.Ask(KnobChange{"eta", -1}, ""); }));
  options.target = 12;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Failures(),
              ElementsAre("10 wild: What it asked for was refused. eta must be finite and above 0; got -1."));
  EXPECT_THAT(sink.refusals, IsEmpty()) << "nobody waits for it";
  EXPECT_EQ(learner.etas().size(), 12U);
}

TEST_F(PluginLoopTest, ARunThatCannotBeSavedPausesWhereAPluginWantedItToEnd) {
  learner.can_save = false;
  Add("ender", "each(7)", [](PluginContext& context) {
    if (!context.done()) context.SetDone("enough");
    return absl::OkStatus();
  });
  options.target = 100;
  clock.At(seconds(1), [this] { Put("end", StopChange{.message = "", .must_end = true}); });
  EXPECT_EQ(Run().status, RunStatus::kFailed);
  EXPECT_EQ(learner.etas().size(), 7U);
  EXPECT_THAT(Changes(), IsEmpty()) << "the stop was begun first";
  EXPECT_THAT(Failures(), ElementsAre(HasSubstr("no space left on device")));
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

TEST_F(PluginLoopTest, AnImpossiblePluginIsRefusedAndNothingChanges) {
  Add("note", "", Note());
  PluginSpec spec;
  spec.kind = "nope";
  Put("a", AttachPluginChange{spec});
  spec.kind = "note";
  spec.schedule = "each(";
  Put("b", AttachPluginChange{spec});
  Put("c", DetachPluginChange{"note"});
  Put("d", ReschedulePluginChange{"note", "each(2)", {}});
  Put("e", DetachPluginChange{"report-loss"});
  Stop();
  Run();
  EXPECT_THAT(RefusalReasons(), ElementsAre(v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN, v1::ERROR_REASON_SCHEDULE_INVALID,
                                            v1::ERROR_REASON_PLUGIN_NOT_FOUND, v1::ERROR_REASON_PLUGIN_NOT_FOUND,
                                            v1::ERROR_REASON_PLUGIN_INVALID));
}

TEST_F(PluginLoopTest, APluginThatKeepsFailingIsDetachedByAControlAndTheRunGoesOn) {
  Add("broken", "each(10)", [](PluginContext&) { return absl::InternalError("Out of ideas."); });
  options.target = 100;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Failures(),
              ElementsAre("10 broken: Out of ideas.", "20 broken: Out of ideas.", "30 broken: Out of ideas."));
  ASSERT_EQ(Controls().size(), 2U);
  EXPECT_TRUE(std::holds_alternative<DetachPluginChange>(Controls()[0]->control.change));
  EXPECT_EQ(learner.etas().size(), 100U);
}

TEST_F(PluginLoopTest, ARequiredPluginThatKeepsFailingPausesTheRun) {
  Add("broken", "each(10)", [](PluginContext&) -> absl::Status { throw std::runtime_error("out of room"); });
  options.plugins[0].required = true;
  options.target = 100;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), Contains("30 IDLE PAUSED"));
  EXPECT_EQ(learner.etas().size(), 30U);
}

TEST_F(PluginLoopTest, PluginsWaitWhileNobodyTakesTheRecordOfWhatTheyDo) {
  Add("note", "each(10)", Note());
  options.target = 100;
  sink.congested = [this] { return learner.etas().size() < 55; };
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(calls, ElementsAre("55", "60", "70", "80", "90", "100", "100 done"));
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
