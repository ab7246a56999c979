#include "trainer/plugin/run_view.h"

#include <chrono>
#include <optional>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "proto/support/error.h"
#include "trainer/plugin/fake_run_view.h"
#include "trainer/plugin/point.h"

namespace pilothouse::trainer {
namespace {

TEST(RunView, HasAValueForEachName) {
  FakeRunView run;
  run.GoTo(6, std::chrono::seconds(1));
  run.current_loss = 0.5;
  run.next_validation_loss = 0.25;
  run.next_validation_accuracy = 0.75;
  ASSERT_TRUE(run.Validate().ok());
  Validation& validation = *run.last_validation;
  validation.balanced_accuracy = 0.625;
  validation.roc_auc = 0.875;
  validation.r2 = -3;
  validation.mae = 1.5;
  for (const std::string& name : ViewNames()) {
    ASSERT_TRUE(run.Value(name).ok()) << name;
    EXPECT_TRUE(run.Value(name)->has_value()) << name;
  }
  EXPECT_EQ(**run.Value("batch"), 6);
  EXPECT_EQ(**run.Value("target"), 1'000'000);
  EXPECT_EQ(**run.Value("loss"), 0.5);
  EXPECT_EQ(**run.Value("examples"), 20);
  EXPECT_EQ(**run.Value("epoch"), 2);
  EXPECT_EQ(**run.Value("wall_time"), 6);
  EXPECT_EQ(**run.Value("training_time"), 6);
  EXPECT_EQ(**run.Value("validation_loss"), 0.25);
  EXPECT_EQ(**run.Value("validation_accuracy"), 0.75);
  EXPECT_EQ(**run.Value("validation_balanced_accuracy"), 0.625);
  EXPECT_EQ(**run.Value("validation_roc_auc"), 0.875);
  EXPECT_EQ(**run.Value("validation_r2"), -3);
  EXPECT_EQ(**run.Value("validation_mae"), 1.5);
  EXPECT_EQ(**run.Value("eta"), 0.1);
}

TEST(RunView, WhatIsNotKnownYetHasNoValue) {
  const FakeRunView run;
  for (const char* name : {"loss", "validation_loss", "validation_accuracy"}) {
    ASSERT_TRUE(run.Value(name).ok()) << name;
    EXPECT_EQ(*run.Value(name), std::nullopt) << name;
  }
}

TEST(RunView, RefusesUnknownNamesWithTheList) {
  const absl::Status status = FakeRunView().Value("lost").status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
  EXPECT_TRUE(absl::StrContains(status.message(), "batch, target, loss, examples")) << status.message();
}

TEST(PluginPoint, IsFoundByItsName) {
  for (const PluginPoint point : kPluginPoints) {
    ASSERT_TRUE(PointOf(PointName(point)).ok()) << PointName(point);
    EXPECT_EQ(*PointOf(PointName(point)), point);
  }
}

TEST(PluginPoint, AnUnknownOneIsRefusedWithTheList) {
  const v1::Error error = ToError(PointOf("on_epoch").status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_POINT_UNKNOWN);
  EXPECT_EQ(error.message(),
            "There is no point \"on_epoch\" in the life of a run. The points are: start, before_batch, after_batch, "
            "after_validation, before_stop, end.");
}

}  // namespace
}  // namespace pilothouse::trainer
