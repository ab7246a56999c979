// What plugins that fail, or ask for the impossible, do to a run.
#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "trainer/loop/plugin_loop_fixture.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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

TEST_F(PluginLoopTest, APluginWhoseWishesAreRefusedAgainAndAgainIsDetached) {
  Add("wild", "each(1)", [](PluginContext& context) {
    context.Ask(KnobChange{"eta", -1}, "");
    return absl::OkStatus();
  });
  options.target = 12;
  StopAt(seconds(1));
  Run();
  EXPECT_EQ(Failures().size(), 3U);
  ASSERT_EQ(Controls().size(), 2U);
  EXPECT_TRUE(std::holds_alternative<DetachPluginChange>(Controls()[0]->control.change));
  EXPECT_EQ(learner.etas().size(), 12U);
}

TEST_F(PluginLoopTest, NobodyIsBlamedForAskingAfterAnotherHasEndedTheRun) {
  const auto end = [](PluginContext& context) {
    context.SetDone("enough");
    return absl::OkStatus();
  };
  Add("first", "at(7)", end);
  Add("second", "at(7)", end);
  Add("third", "at(7)", [](PluginContext& context) {
    context.Ask(KnobChange{"eta", 0.5}, "");
    return absl::OkStatus();
  });
  Add("last", "once", end, PluginPoint::kBeforeStop);
  options.target = 12;
  EXPECT_EQ(Run().message, "first: enough");
  EXPECT_THAT(Failures(), IsEmpty());
  EXPECT_EQ(Controls().size(), 1U);
}

TEST_F(PluginLoopTest, ARunThatCannotBeSavedPausesWhereAPluginWantedItToEnd) {
  BlockSaving();
  Add("ender", "each(7)", [](PluginContext& context) {
    if (!context.done()) context.SetDone("enough");
    return absl::OkStatus();
  });
  options.target = 100;
  clock.At(seconds(1), [this] { mailbox.Suspend(); });
  Run();
  EXPECT_EQ(learner.etas().size(), 7U);
  EXPECT_THAT(Changes(), IsEmpty()) << "the stop was begun first";
  EXPECT_THAT(Failures(), ElementsAre(HasSubstr("File exists")));
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
  step_time = seconds(10);
  StopAt(seconds(1000));
  Run();
  EXPECT_THAT(Changes(), Contains("12 IDLE PAUSED"));
  EXPECT_EQ(learner.etas().size(), 12U) << "it is called again every ten seconds";
  const auto paused = std::find_if(sink.reports.begin(), sink.reports.end(), [](const Report& report) {
    const auto* status = std::get_if<StatusReport>(&report.kind);
    return status != nullptr && status->idle_reason == IdleReason::kPaused;
  });
  ASSERT_NE(paused, sink.reports.end());
  EXPECT_THAT(std::get<StatusReport>(paused->kind).message, HasSubstr("failed 3 times in a row"));
}

TEST_F(PluginLoopTest, ARequiredPluginThatFailsAtTheStartPausesTheRunBeforeItsFirstBatch) {
  Add(
      "broken", "once", [](PluginContext&) { return absl::AbortedError("It cannot."); }, PluginPoint::kStart);
  options.plugins[0].required = true;
  options.target = 100;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), Contains("0 IDLE PAUSED"));
  EXPECT_THAT(learner.etas(), IsEmpty());
}

TEST_F(PluginLoopTest, ARequiredPluginThatCannotBeAttachedAnyMorePausesTheRun) {
  kinds->Register(
      {.name = "reader",
       .description = "Needs a file that has gone.",
       .required = true,
       .make = [](const PluginSettings&, const PluginSurroundings&) -> absl::StatusOr<std::unique_ptr<Plugin>> {
         return absl::NotFoundError("The file is gone.");
       }});
  options.plugin_kinds = kinds;
  PluginSpec spec;
  spec.kind = "reader";
  options.plugins.push_back(spec);
  options.target = 10;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Failures(), ElementsAre("0 reader: The file is gone."));
  EXPECT_THAT(Changes(), Contains("0 IDLE PAUSED"));
  EXPECT_THAT(learner.etas(), IsEmpty());
}

TEST_F(PluginLoopTest, ARunGoesOnWithoutAPluginThatCannotBeAttachedAnyMore) {
  PluginSpec spec;
  spec.kind = "nobody";
  options.plugins.push_back(spec);
  options.target = 10;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Failures(), ElementsAre(HasSubstr("0 nobody: There is no kind of plugin \"nobody\"")));
  EXPECT_EQ(learner.etas().size(), 10U);
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

}  // namespace
}  // namespace pilothouse::trainer
