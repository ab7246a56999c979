// Attaching, detaching, rescheduling, listing and restoring.
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "trainer/plugin/plugin_host.h"
#include "trainer/plugin/plugin_host_fixture.h"

namespace pilothouse::trainer {
namespace {

class PluginRosterTest : public PluginHostTest {
 protected:
  // What is wrong with the spec; the same whether it is checked or attached.
  v1::Error Refused(const PluginSpec& spec) {
    const size_t before = host_->List().size();
    const absl::Status status = host_->Attach(spec).status();
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(host_->Check(spec).message(), status.message());
    EXPECT_EQ(host_->List().size(), before);
    return status.ok() ? v1::Error() : ToError(status);
  }
  v1::Error Refused(const std::function<void(PluginSpec&)>& spoil) {
    PluginSpec spec = Spec("a", "always");
    spoil(spec);
    return Refused(spec);
  }
};

TEST_F(PluginRosterTest, AnEmptySpecIsFilledInWithWhatIsUsual) {
  PluginSpec spec;
  spec.kind = "script";
  Attach(spec);
  const PluginSpec complete = host_->List().at(0).spec;
  EXPECT_EQ(complete.name, "script");
  EXPECT_EQ(complete.schedule, "always");
  EXPECT_EQ(complete.timeline, Timeline::kBatches);
  EXPECT_EQ(complete.point, PluginPoint::kAfterBatch);
  EXPECT_EQ(complete.priority, kDecidePriority);
  EXPECT_EQ(complete.required, false);
  EXPECT_EQ(complete.allowance, kUsualAllowance);
  EXPECT_EQ(complete.max_failures, kUsualMaxFailures);
  EXPECT_EQ(complete.settings, (std::map<std::string, std::string>{{"act", ""}, {"file", ""}}));
}

TEST_F(PluginRosterTest, NamesThatAreNotGivenAreNumbered) {
  PluginSpec spec;
  spec.kind = "script";
  EXPECT_EQ(*host_->Attach(spec), "script");
  EXPECT_EQ(*host_->Attach(spec), "script-2");
  EXPECT_EQ(*host_->Attach(spec), "script-3");
  ASSERT_TRUE(host_->Detach("script-2").ok());
  EXPECT_EQ(*host_->Attach(spec), "script-2");
}

TEST_F(PluginRosterTest, NamesAreRefusedThatAreTakenOrMalformed) {
  Attach("a", "always");
  EXPECT_EQ(Refused(Spec("a", "always")).reason(), v1::ERROR_REASON_PLUGIN_ALREADY_EXISTS);
  for (const std::string& name : {std::string("-a"), std::string("A"), std::string("a b"), std::string(64, 'a')}) {
    const v1::Error error = Refused(Spec(name, "always"));
    EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_INVALID) << name;
    EXPECT_EQ(error.field(), "name");
  }
}

TEST_F(PluginRosterTest, NumbersOutsideTheirRangeAreRefused) {
  const std::vector<std::pair<std::string, std::function<void(PluginSpec&)>>> wrong = {
      {"priority", [](PluginSpec& spec) { spec.priority = kMaxPriority + 1; }},
      {"priority", [](PluginSpec& spec) { spec.priority = -kMaxPriority - 1; }},
      {"allowance", [](PluginSpec& spec) { spec.allowance = std::chrono::seconds(0); }},
      {"allowance", [](PluginSpec& spec) { spec.allowance = kMaxAllowance + std::chrono::seconds(1); }},
      {"max_failures", [](PluginSpec& spec) { spec.max_failures = -1; }},
      {"max_failures", [](PluginSpec& spec) { spec.max_failures = kMaxMaxFailures + 1; }}};
  for (const auto& [field, spoil] : wrong) {
    const v1::Error error = Refused(spoil);
    EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_INVALID);
    EXPECT_EQ(error.field(), field);
    EXPECT_TRUE(absl::StrContains(error.message(), "got ")) << error.message();
  }
}

TEST_F(PluginRosterTest, UnknownKindsAndSettingsAreRefused) {
  EXPECT_EQ(Refused([](PluginSpec& spec) { spec.kind = "scirpt"; }).reason(), v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN);
  EXPECT_EQ(Refused([](PluginSpec& spec) { spec.settings["atc"] = "1"; }).reason(),
            v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
}

TEST_F(PluginRosterTest, SchedulesThatCannotBeReadAreRefused) {
  EXPECT_EQ(Refused(Spec("a", "eahc(10)")).reason(), v1::ERROR_REASON_SCHEDULE_INVALID);
}

TEST_F(PluginRosterTest, SchedulesThatNeverComeAreRefusedUnlessThatIsMeant) {
  TrainTo(500);
  const v1::Error past = Refused(Spec("a", "at(10, 20)"));
  EXPECT_EQ(past.reason(), v1::ERROR_REASON_SCHEDULE_INVALID);
  EXPECT_EQ(past.message(),
            "The schedule \"at(10, 20)\" would never come: the run is at batch 500 already. Give a later time, or "
            "\"never\" if that is meant.");
  EXPECT_EQ(Refused(Spec("a", "each(4) & ~each(2)")).message(),
            "The schedule \"each(4) & ~each(2)\" would never come: no time is in it. Give another one, or \"never\" if "
            "that is meant.");
  EXPECT_TRUE(absl::StrContains(Refused(Spec("a", "until(1 epoch)")).message(), "the run is at epoch 166.8 already"));
  Attach("a", "never");
}

TEST_F(PluginRosterTest, PointsThatComeOnceTakeNoSchedule) {
  for (const PluginPoint point : {PluginPoint::kStart, PluginPoint::kBeforeStop, PluginPoint::kEnd}) {
    EXPECT_EQ(Refused(Spec("a", "always", point)).message(),
              absl::StrCat("A plugin at ", PointName(point), " runs once, so it takes no schedule."));
    PluginSpec spec = Spec("a", "", point);
    spec.timeline = Timeline::kEpochs;
    EXPECT_EQ(Refused(spec).reason(), v1::ERROR_REASON_PLUGIN_INVALID);
  }
}

TEST_F(PluginRosterTest, TwoPluginsDoNotWriteOneFile) {
  PluginKind writer = Kind("writer");
  writer.file_setting = "file";
  kinds_.Register(writer);
  PluginSpec spec = Spec("first", "always");
  spec.kind = "writer";
  spec.settings["file"] = "best.safetensors";
  Attach(spec);
  spec.name = "second";
  const v1::Error error = Refused(spec);
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
  EXPECT_EQ(error.message(), "The plugin \"first\" writes \"best.safetensors\" already. Choose another file.");
  spec.settings["file"] = "other.safetensors";
  Attach(spec);
}

TEST_F(PluginRosterTest, WhatNeedsAValidationIsRefusedWhereNothingIsHeldOut) {
  surroundings_.validation_examples = 0;
  NewHost();
  PluginKind validating = Kind("validating");
  validating.needs_validation_data = true;
  kinds_.Register(validating);
  for (const v1::Error& error : {Refused([](PluginSpec& spec) { spec.kind = "validating"; }),
                                 Refused(Spec("a", "always", PluginPoint::kAfterValidation))}) {
    EXPECT_EQ(error.reason(), v1::ERROR_REASON_NO_VALIDATION_DATA);
    EXPECT_TRUE(absl::StrContains(error.message(), "--validation")) << error.message();
  }
}

TEST_F(PluginRosterTest, ARunHasAMostOfPlugins) {
  for (int i = 0; i < kMaxPlugins; ++i) Attach(absl::StrCat("p", i), "always");
  EXPECT_EQ(Refused(Spec("a", "always")).reason(), v1::ERROR_REASON_TOO_MANY_PLUGINS);
  EXPECT_EQ(host_->attached(), kMaxPlugins);
}

TEST_F(PluginRosterTest, AKindMayChooseWhenItsPluginsRun) {
  PluginKind choosing = Kind("choosing");
  choosing.usual_timing = [](const PluginSettings& settings,
                             const PluginSurroundings& surroundings) -> absl::StatusOr<PluginTiming> {
    if (settings.Text("act") == "wrong") return absl::InvalidArgumentError("It cannot be.");
    EXPECT_NE(surroundings.timelines, nullptr);
    return PluginTiming{absl::StrCat("at(", settings.Text("act"), ")"), Timeline::kEpochs, PluginPoint::kBeforeBatch};
  };
  kinds_.Register(choosing);
  PluginSpec spec;
  spec.kind = "choosing";
  spec.settings["act"] = "7";
  Attach(spec);
  EXPECT_EQ(StatusOf("choosing").spec.schedule, "at(7)");
  EXPECT_EQ(StatusOf("choosing").spec.timeline, Timeline::kEpochs);
  EXPECT_EQ(StatusOf("choosing").spec.point, PluginPoint::kBeforeBatch);
  spec.schedule = "each(3)";
  Attach(spec);
  EXPECT_EQ(StatusOf("choosing-2").spec.schedule, "each(3)");
  EXPECT_EQ(StatusOf("choosing-2").spec.timeline, Timeline::kBatches);
  EXPECT_EQ(StatusOf("choosing-2").spec.point, PluginPoint::kBeforeBatch);
  spec = PluginSpec();
  spec.kind = "choosing";
  spec.settings["act"] = "wrong";
  EXPECT_EQ(Refused(spec).message(), "It cannot be.");
}

TEST_F(PluginRosterTest, UnknownNamesAreRefusedWithTheList) {
  Attach("a", "always");
  Attach("b", "always");
  const v1::Error error = ToError(host_->Detach("c").status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_NOT_FOUND);
  EXPECT_EQ(error.message(), "The run has no plugin \"c\". It has: a, b.");
  EXPECT_EQ(ReasonOf(host_->Reschedule({"c", "always", std::nullopt}).status()), v1::ERROR_REASON_PLUGIN_NOT_FOUND);
  EXPECT_EQ(ReasonOf(host_->Check(DetachPluginChange{"c"})), v1::ERROR_REASON_PLUGIN_NOT_FOUND);
}

TEST_F(PluginRosterTest, TheRunsOwnPluginsStayAsTheyAre) {
  ScriptedBuiltIn::Script script;
  script.due_batch = 40;
  host_->AddBuiltIn(Spec("own", ""), std::make_unique<ScriptedBuiltIn>(&script));
  EXPECT_EQ(ReasonOf(host_->Detach("own").status()), v1::ERROR_REASON_PLUGIN_INVALID);
  EXPECT_EQ(ReasonOf(host_->Reschedule({"own", "always", std::nullopt}).status()), v1::ERROR_REASON_PLUGIN_INVALID);
  EXPECT_EQ(Refused(Spec("own", "always")).reason(), v1::ERROR_REASON_PLUGIN_ALREADY_EXISTS);
  EXPECT_TRUE(StatusOf("own").built_in);
  EXPECT_EQ(StatusOf("own").next_due, 40);
  EXPECT_EQ(host_->attached(), 0);
}

TEST_F(PluginRosterTest, ANewScheduleIsAskedAboutTimesAfterNow) {
  Attach("a", "at(100)");
  TrainTo(15);
  ASSERT_TRUE(host_->Reschedule({"a", "each(10)", std::nullopt}).ok());
  TrainTo(25);
  EXPECT_EQ(calls_, (Calls{"a@20"}));
  EXPECT_EQ(StatusOf("a").spec.schedule, "each(10)");
}

TEST_F(PluginRosterTest, ANewScheduleThatIsWrongLeavesTheOldOne) {
  Attach("a", "each(10)");
  Attach("end", "", PluginPoint::kEnd);
  TrainTo(15);
  EXPECT_EQ(ReasonOf(host_->Reschedule({"a", "at(12)", std::nullopt}).status()), v1::ERROR_REASON_SCHEDULE_INVALID);
  EXPECT_EQ(ReasonOf(host_->Reschedule({"a", "at(", std::nullopt}).status()), v1::ERROR_REASON_SCHEDULE_INVALID);
  EXPECT_EQ(ReasonOf(host_->Check(ReschedulePluginChange{"a", "at(12)", std::nullopt})),
            v1::ERROR_REASON_SCHEDULE_INVALID);
  EXPECT_EQ(ReasonOf(host_->Reschedule({"end", "always", std::nullopt}).status()), v1::ERROR_REASON_PLUGIN_INVALID);
  EXPECT_EQ(StatusOf("a").spec.schedule, "each(10)");
  EXPECT_EQ(StatusOf("a").next_due, 20);
}

TEST_F(PluginRosterTest, TheListTellsWhatHappenedAndWhatComes) {
  acts_["a"] = [this](PluginContext& context) {
    time_ += std::chrono::seconds(context.run().batch());
    return context.run().batch() == 20 ? absl::AbortedError("It cannot.") : absl::OkStatus();
  };
  TrainTo(2);
  Attach("a", "each(10)");
  Attach("wall", "at(1.5 min)");
  TrainTo(25, std::chrono::seconds(1));
  const PluginStatus a = StatusOf("a");
  EXPECT_EQ(a.runs, 2);
  EXPECT_EQ(a.failures, 1);
  EXPECT_EQ(a.last_failure, "It cannot.");
  EXPECT_EQ(a.last_batch, 20);
  EXPECT_EQ(a.total_time, std::chrono::seconds(30));
  EXPECT_EQ(a.last_time, std::chrono::seconds(20));
  EXPECT_EQ(a.next_due, 30);
  EXPECT_EQ(a.now, 25);
  EXPECT_EQ(a.attached_batch, 2);
  EXPECT_FALSE(a.built_in);
  EXPECT_EQ(StatusOf("wall").next_due, 90);
  EXPECT_NEAR(StatusOf("wall").now, 23.002, 1e-9);
}

TEST_F(PluginRosterTest, TheListSaysWhatIsWaitedForWhereNoScheduleDoes) {
  Attach("start", "", PluginPoint::kStart);
  Attach("stop", "", PluginPoint::kBeforeStop);
  Attach("end", "", PluginPoint::kEnd);
  Attach("best", "always", PluginPoint::kAfterValidation);
  Attach("never", "never");
  EXPECT_EQ(StatusOf("start").waits_for, "the start");
  EXPECT_EQ(StatusOf("stop").waits_for, "the stop");
  EXPECT_EQ(StatusOf("end").waits_for, "the end");
  EXPECT_EQ(StatusOf("best").waits_for, "a validation, which no plugin makes");
  EXPECT_EQ(StatusOf("never").waits_for, "");
  for (const PluginStatus& status : host_->List()) EXPECT_EQ(status.next_due, std::nullopt) << status.spec.name;
  Boundary();
  EXPECT_EQ(StatusOf("start").waits_for, "");
  PluginKind validating = Kind("validating");
  validating.validates = true;
  kinds_.Register(validating);
  PluginSpec spec = Spec("validates", "always");
  spec.kind = "validating";
  Attach(spec);
  EXPECT_EQ(StatusOf("best").waits_for, "a validation");
}

TEST_F(PluginRosterTest, ARestoredRunDoesNotRepeatWhatItDid) {
  Attach("once", "at(20)");
  Attach("each", "each(10)");
  Attach("start", "", PluginPoint::kStart);
  Boundary();
  TrainTo(20);
  const SavedState saved = SavedStateOf(*host_);
  const Calls before = calls_;
  NewHost();
  const absl::Status restored = host_->Restore(saved);
  ASSERT_TRUE(restored.ok()) << restored;
  Boundary();
  EXPECT_EQ(calls_, before);
  TrainTo(30);
  EXPECT_EQ(calls_.back(), "each@30");
  EXPECT_EQ(calls_.size(), before.size() + 1);
}

TEST_F(PluginRosterTest, ARestoredRunDoesWhatIsStillToCome) {
  Attach("each", "each(10)");
  TrainTo(15);
  const SavedState saved = SavedStateOf(*host_);
  NewHost();
  ASSERT_TRUE(host_->Restore(saved).ok());
  TrainTo(20);
  EXPECT_EQ(calls_, (Calls{"each@10", "each@20"}));
}

TEST_F(PluginRosterTest, ARestoredRunKnowsWhatWasCountedAndRemembered) {
  acts_["b"] = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  Attach("a", "each(10)");
  Attach("b", "each(10)");
  ScriptedBuiltIn::Script script;
  host_->AddBuiltIn(Spec("own", ""), std::make_unique<ScriptedBuiltIn>(&script));
  TrainTo(20);
  memories_["a"] = "best so far";
  const SavedState saved = SavedStateOf(*host_);
  memories_["a"].clear();
  NewHost();
  host_->AddBuiltIn(Spec("own", ""), std::make_unique<ScriptedBuiltIn>(&script));
  ASSERT_TRUE(host_->Restore(saved).ok());
  EXPECT_EQ(memories_["a"], "best so far");
  EXPECT_EQ(StatusOf("a").runs, 2);
  EXPECT_EQ(StatusOf("a").attached_batch, 0);
  EXPECT_EQ(StatusOf("b").failures, 2);
  EXPECT_EQ(StatusOf("b").last_failure, "It cannot.");
  EXPECT_EQ(host_->List().size(), 3);
  TrainTo(30);
  EXPECT_TRUE(failures_.back().detached) << "the third failure in a row";
}

TEST_F(PluginRosterTest, ARestoreThatFailsChangesNothing) {
  Attach("a", "each(10)");
  Attach("b", "each(10)");
  memories_["b"] = "broken";
  const SavedState saved = SavedStateOf(*host_);
  NewHost();
  EXPECT_FALSE(host_->Restore(saved).ok());
  EXPECT_TRUE(host_->List().empty());
}

}  // namespace
}  // namespace pilothouse::trainer
