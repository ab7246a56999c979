#include "service/rpc/validate_plugin.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "service/rpc/validate.h"

namespace pilothouse::service {
namespace {

v1::PluginSpec Validation() {
  v1::PluginSpec plugin;
  plugin.set_name("held-out");
  plugin.set_kind("validate");
  plugin.set_schedule("each(100) & from(1 h)");
  plugin.set_timeline(v1::TIMELINE_TRAINING_TIME);
  plugin.set_point(v1::PLUGIN_POINT_AFTER_BATCH);
  (*plugin.mutable_settings())["batch"] = "256";
  plugin.set_priority(-1000);
  plugin.mutable_allowance()->set_seconds(3600);
  plugin.set_max_failures(1000);
  return plugin;
}

void ExpectRefused(const v1::PluginSpec& plugin, v1::ErrorReason reason, const std::string& field) {
  const absl::Status status = CheckPlugin(plugin, "plugin");
  ASSERT_EQ(ReasonOf(status), reason) << status;
  EXPECT_EQ(ToError(status).field(), field);
  EXPECT_EQ(status.message().back(), '.');
}

TEST(ValidatePlugin, TakesWhatLiesWithinItsBoundsAndASpecOfNothingButAKind) {
  EXPECT_TRUE(CheckPlugin(Validation(), "plugin").ok());
  v1::PluginSpec bare;
  bare.set_kind("validate");
  EXPECT_TRUE(CheckPlugin(bare, "plugin").ok());
}

TEST(ValidatePlugin, ANameIsMadeLikeThatOfARun) {
  v1::PluginSpec plugin = Validation();
  for (const std::string& name : {std::string("Upper"), std::string("-a"), std::string("a b"), std::string(64, 'a')}) {
    plugin.set_name(name);
    ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_INVALID, "plugin.name");
  }
  plugin.set_name(std::string(63, 'a'));
  EXPECT_TRUE(CheckPlugin(plugin, "plugin").ok());
}

TEST(ValidatePlugin, AKindIsShortAndFitToBeShown) {
  v1::PluginSpec plugin = Validation();
  for (const std::string& kind : {std::string(5000, 'k'), std::string("\x1b[2J")}) {
    plugin.set_kind(kind);
    ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN, "plugin.kind");
    const std::string message(CheckPlugin(plugin, "plugin").message());
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
    EXPECT_LT(message.size(), 200U);
  }
}

TEST(ValidatePlugin, AScheduleIsBoundedAndCleanAndItsTimelineKnown) {
  v1::PluginSpec plugin = Validation();
  plugin.set_schedule(std::string(kMaxPluginTextBytes, '~'));
  EXPECT_TRUE(CheckPlugin(plugin, "plugin").ok()) << "what it means is for the trainer to say";
  plugin.set_schedule(std::string(kMaxPluginTextBytes + 1, '~'));
  ExpectRefused(plugin, v1::ERROR_REASON_SCHEDULE_INVALID, "plugin.schedule");
  plugin.set_schedule("each(1)\n");
  ExpectRefused(plugin, v1::ERROR_REASON_SCHEDULE_INVALID, "plugin.schedule");
  plugin = Validation();
  plugin.set_timeline(static_cast<v1::Timeline>(99));
  ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_INVALID, "plugin.timeline");
}

TEST(ValidatePlugin, APointThatThereIsNotIsToldWithThoseThereAre) {
  v1::PluginSpec plugin = Validation();
  for (const int point : {-1, 7}) {
    plugin.set_point(static_cast<v1::PluginPoint>(point));
    ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_POINT_UNKNOWN, "plugin.point");
    EXPECT_EQ(ToError(CheckPlugin(plugin, "plugin")).metadata().at("known"),
              "start, before_batch, after_batch, after_validation, before_stop, end");
  }
}

TEST(ValidatePlugin, SettingsAreBoundedInNumberAndSize) {
  v1::PluginSpec plugin = Validation();
  for (int i = 1; i < kMaxPluginSettings; ++i) (*plugin.mutable_settings())[absl::StrCat("s", i)] = "v";
  (*plugin.mutable_settings())["s1"] = std::string(kMaxPluginTextBytes, 'v');
  EXPECT_TRUE(CheckPlugin(plugin, "plugin").ok());
  (*plugin.mutable_settings())["s1"] = std::string(kMaxPluginTextBytes + 1, 'v');
  ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_SETTING_INVALID, "plugin.settings.s1");
  (*plugin.mutable_settings())["s1"] = "a\tb";
  ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_SETTING_INVALID, "plugin.settings.s1");
  (*plugin.mutable_settings())["s1"] = "v";
  (*plugin.mutable_settings())["one-more"] = "v";
  ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_SETTING_INVALID, "plugin.settings");
}

TEST(ValidatePlugin, AllOfASpecIsBounded) {
  v1::PluginSpec plugin = Validation();
  const std::string longest(kMaxPluginTextBytes, 'v');
  for (int i = 0; i < kMaxPluginSpecBytes / kMaxPluginTextBytes - 1; ++i) {
    (*plugin.mutable_settings())[absl::StrCat("s", i)] = longest;
  }
  EXPECT_TRUE(CheckPlugin(plugin, "plugin").ok()) << CheckPlugin(plugin, "plugin");
  (*plugin.mutable_settings())["one-more"] = longest;
  ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_INVALID, "plugin");
  EXPECT_NE(CheckPlugin(plugin, "plugin").message().find("at most 16384 bytes"), absl::string_view::npos);
  v1::StartRunRequest request;
  *request.mutable_spec()->add_plugins() = plugin;
  EXPECT_EQ(ToError(CheckStartRun(request)).field(), "spec.plugins[0]");
  plugin = Validation();
  plugin.GetReflection()->MutableUnknownFields(&plugin)->AddLengthDelimited(1000, std::string(1 << 20, 'u'));
  ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_INVALID, "plugin");
}

TEST(ValidatePlugin, NumbersLieWithinTheirRanges) {
  for (const int priority : {-1001, 1001}) {
    v1::PluginSpec plugin = Validation();
    plugin.set_priority(priority);
    ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_INVALID, "plugin.priority");
  }
  for (const int failures : {-1, 1001}) {
    v1::PluginSpec plugin = Validation();
    plugin.set_max_failures(failures);
    ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_INVALID, "plugin.max_failures");
  }
}

TEST(ValidatePlugin, AnAllowanceLiesAboveZeroAndIsAtMostAnHour) {
  struct Case {
    int64_t seconds;
    int nanos;
    bool taken;
  };
  for (const Case& allowance :
       {Case{0, 1, true}, Case{3600, 0, true}, Case{0, 0, false}, Case{3600, 1, false}, Case{-1, 0, false},
        Case{2, -1, false}, Case{1, 1'000'000'000, false}, Case{std::numeric_limits<int64_t>::max(), 0, false}}) {
    v1::PluginSpec plugin = Validation();
    plugin.mutable_allowance()->set_seconds(allowance.seconds);
    plugin.mutable_allowance()->set_nanos(allowance.nanos);
    if (allowance.taken) {
      EXPECT_TRUE(CheckPlugin(plugin, "plugin").ok()) << allowance.seconds;
    } else {
      ExpectRefused(plugin, v1::ERROR_REASON_PLUGIN_INVALID, "plugin.allowance");
    }
  }
}

TEST(ValidatePlugin, AStartChecksEachPluginAndTheirNumber) {
  v1::StartRunRequest request;
  for (int i = 0; i < kMaxPlugins; ++i) request.mutable_spec()->add_plugins()->set_kind("validate");
  EXPECT_TRUE(CheckStartRun(request).ok());
  request.mutable_spec()->mutable_plugins(2)->set_name("No!");
  EXPECT_EQ(ToError(CheckStartRun(request)).field(), "spec.plugins[2].name");
  request.mutable_spec()->add_plugins()->set_kind("validate");
  EXPECT_EQ(ReasonOf(CheckStartRun(request)), v1::ERROR_REASON_TOO_MANY_PLUGINS);
}

TEST(ValidatePlugin, RequestsBecomeControls) {
  v1::AttachPluginRequest attach;
  *attach.mutable_plugin() = Validation();
  attach.mutable_options()->set_request_id("r-1");
  const auto attached = ToControl(attach);
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_EQ(attached->request_id(), "r-1");
  EXPECT_EQ(attached->change().attach_plugin().plugin().settings().at("batch"), "256");

  v1::DetachPluginRequest detach;
  detach.set_name("held-out");
  EXPECT_EQ(ToControl(detach)->change().detach_plugin().name(), "held-out");

  v1::ReschedulePluginRequest reschedule;
  reschedule.set_name("held-out");
  reschedule.set_schedule("each(5)");
  reschedule.set_timeline(v1::TIMELINE_EPOCHS);
  const auto rescheduled = ToControl(reschedule);
  ASSERT_TRUE(rescheduled.ok()) << rescheduled.status();
  EXPECT_EQ(rescheduled->change().reschedule_plugin().name(), "held-out");
  EXPECT_EQ(rescheduled->change().reschedule_plugin().schedule(), "each(5)");
  EXPECT_EQ(rescheduled->change().reschedule_plugin().timeline(), v1::TIMELINE_EPOCHS);
}

TEST(ValidatePlugin, RequestsWithoutWhatTheyNeedAreRefused) {
  EXPECT_EQ(ReasonOf(ToControl(v1::DetachPluginRequest()).status()), v1::ERROR_REASON_PLUGIN_INVALID);
  v1::ReschedulePluginRequest reschedule;
  reschedule.set_name("held-out");
  EXPECT_EQ(ReasonOf(ToControl(reschedule).status()), v1::ERROR_REASON_SCHEDULE_INVALID);
  reschedule.set_schedule("each(5)");
  reschedule.clear_name();
  EXPECT_EQ(ReasonOf(ToControl(reschedule).status()), v1::ERROR_REASON_PLUGIN_INVALID);
}

}  // namespace
}  // namespace pilothouse::service
