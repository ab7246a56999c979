// What early-stopping and reduce-eta make of how a metric goes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/plugin/builtin/deciding_fixture.h"
#include "trainer/plugin/builtin/early_stopping.h"
#include "trainer/plugin/builtin/metric.h"
#include "trainer/plugin/builtin/reduce_eta.h"

namespace pilothouse::trainer {
namespace {

using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The validation loss of a classifier of handwritten digits that begins to overfit. The lowest is the 15th; those after
// it that come close are no gain.
const std::vector<double> kRecorded = {2.2713, 1.9542, 1.4120, 0.9836, 0.7304, 0.5791, 0.4820, 0.4217, 0.3804, 0.3521,
                                       0.3318, 0.3189, 0.3102, 0.3067, 0.3021, 0.3044, 0.3020, 0.3033, 0.3059, 0.3040,
                                       0.3022, 0.3071, 0.3088, 0.3095, 0.3124, 0.3119, 0.3160, 0.3187, 0.3214, 0.3260};

class PlateauTest : public DecidingTest {
 protected:
  // The validation, counted from 1, at which it ends the run; 0: none.
  int StopsAt(Plugin& plugin, const std::vector<double>& losses) {
    for (size_t i = 0; i < losses.size(); ++i) {
      reason_ = DoneReason(AfterValidation(plugin, losses[i]));
      if (!reason_.empty()) return static_cast<int>(i) + 1;
    }
    return 0;
  }

  std::string reason_;
};

TEST_F(PlateauTest, EarlyStoppingStopsAtTheRightLookOfARecordedCurve) {
  EXPECT_EQ(StopsAt(*Make("early-stopping"), kRecorded), 25);
  EXPECT_EQ(reason_, "validation_loss has not improved for 10 validations; the best was 0.3021 at batch 15");
}

TEST_F(PlateauTest, WithoutARelativeGainASmallerGainCounts) {
  // 0.3020, the 17th, is less than 0.3021, but by less than a thousandth.
  EXPECT_EQ(StopsAt(*Make("early-stopping", {{"min_relative_gain", "0"}}), kRecorded), 27);
}

TEST_F(PlateauTest, AnAbsoluteGainStopsItSooner) {
  EXPECT_EQ(StopsAt(*Make("early-stopping", {{"min_gain", "0.05"}, {"patience", "3"}}), kRecorded), 13);
}

TEST_F(PlateauTest, NoPatienceCountsAsOne) {
  EXPECT_EQ(StopsAt(*Make("early-stopping", {{"patience", "0"}}), {1, 0.5, 0.5, 0.1}), 3);
  EXPECT_THAT(reason_, HasSubstr("has not improved for 1 validation;"));
}

TEST_F(PlateauTest, ARunThatNeverHasAFiniteLossIsStoppedToo) {
  EXPECT_EQ(StopsAt(*Make("early-stopping", {{"patience", "2"}}), {kNan, kNan, kNan}), 2);
  EXPECT_THAT(reason_, HasSubstr("it never was a finite number"));
}

TEST_F(PlateauTest, AFirstLossThatIsNotANumberDoesNotHideTheBest) {
  EXPECT_EQ(StopsAt(*Make("early-stopping", {{"patience", "2"}}), {kNan, 0.2, 0.3, 0.3}), 4);
  EXPECT_THAT(reason_, HasSubstr("the best was 0.2 at batch 2"));
}

TEST_F(PlateauTest, AccuracyIsMaximisedUnlessOneSaysOtherwise) {
  const auto plugin = Make("early-stopping", {{"metric", "validation_accuracy"}, {"patience", "1"}});
  for (const double accuracy : {0.5, 0.6, 0.7}) EXPECT_EQ(DoneReason(AfterValidation(*plugin, 1, accuracy)), "");
  EXPECT_NE(DoneReason(AfterValidation(*plugin, 1, 0.7)), "");
  const auto minimising =
      Make("early-stopping", {{"metric", "validation_accuracy"}, {"patience", "1"}, {"goal", "minimise"}});
  EXPECT_EQ(DoneReason(AfterValidation(*minimising, 1, 0.5)), "");
  EXPECT_NE(DoneReason(AfterValidation(*minimising, 1, 0.6)), "");
}

TEST_F(PlateauTest, WhichScoresAreMaximisedDependsOnWhatTheyMean) {
  const auto maximises = [](const std::string& metric) {
    const PluginSettings settings(std::map<std::string, std::string>{{"goal", "auto"}});
    return *ReadMaximise(settings, metric);
  };
  for (const char* score : {"accuracy", "balanced_accuracy", "roc_auc", "r2"}) {
    EXPECT_TRUE(maximises(absl::StrCat("validation_", score))) << score;
    EXPECT_FALSE(maximises(score)) << "there is no such view";
  }
  for (const char* metric : {"validation_mae", "validation_loss", "loss"}) EXPECT_FALSE(maximises(metric)) << metric;
}

TEST_F(PlateauTest, AMetricThatValidationsDoNotHaveIsAFailure) {
  const auto plugin = Make("early-stopping", {{"metric", "validation_accuracy"}});
  EXPECT_THAT(std::string(AfterValidation(*plugin, 1).status.message()), HasSubstr("have no validation_accuracy"));
}

TEST_F(PlateauTest, TheSameValidationIsNotLookedAtTwice) {
  const auto plugin = Make("early-stopping", {{"patience", "2"}});
  AfterValidation(*plugin, 1);
  AfterValidation(*plugin, 1);
  for (int64_t batch = 3; batch < 20; ++batch) EXPECT_EQ(DoneReason(At(*plugin, batch)), "") << batch;
  EXPECT_NE(DoneReason(AfterValidation(*plugin, 1)), "");
}

TEST_F(PlateauTest, OnlyGainsAndTheEndAreReported) {
  const auto plugin = Make("early-stopping", {{"patience", "2"}});
  EXPECT_EQ(Reported(AfterValidation(*plugin, 0.5), "best"), 0.5);
  EXPECT_TRUE(AfterValidation(*plugin, 0.6).outputs.empty());
  EXPECT_EQ(Reported(AfterValidation(*plugin, 0.6), "looks_without_gain"), 2);
}

TEST_F(PlateauTest, EarlyStoppingGoesOnCountingWhereItWasSaved) {
  const auto plugin = Make("early-stopping", {{"patience", "3"}});
  StopsAt(*plugin, {0.5, 0.6, 0.6});
  const auto restored = Restored(*plugin, "early-stopping", {{"patience", "3"}});
  EXPECT_EQ(DoneReason(Call(*restored, run_)), "") << "the last validation was looked at before it was saved";
  EXPECT_THAT(DoneReason(AfterValidation(*restored, 0.6)), HasSubstr("the best was 0.5 at batch 1"));
  EXPECT_FALSE(restored->Restore("rubbish").ok());
}

TEST_F(PlateauTest, TheEndOfARunIsNoLook) {
  const auto plugin = Make("early-stopping", {{"patience", "1"}});
  StopsAt(*plugin, {0.5});
  run_.GoTo(2);
  run_.next_validation_loss = 0.6;
  ASSERT_TRUE(run_.Validate().ok());
  EXPECT_TRUE(Call(*plugin, run_, /*done=*/true).wishes.empty());
}

TEST_F(PlateauTest, EtaIsReducedAfterEachPlateau) {
  const auto plugin = Make("reduce-eta", {{"patience", "2"}, {"factor", "0.1"}});
  EXPECT_EQ(AskedEta(AfterValidation(*plugin, 1)), std::nullopt);
  EXPECT_EQ(AskedEta(AfterValidation(*plugin, 1)), std::nullopt);
  const Called reducing = AfterValidation(*plugin, 1);
  EXPECT_EQ(AskedEta(reducing), 0.1 * 0.1);
  ASSERT_EQ(reducing.wishes.size(), 1u);
  EXPECT_EQ(reducing.wishes[0].note, "validation_loss has not improved for 2 validations");
  EXPECT_EQ(AskedEta(AfterValidation(*plugin, 1)), std::nullopt) << "it counts anew";
  EXPECT_NE(AskedEta(AfterValidation(*plugin, 1)), std::nullopt);
}

TEST_F(PlateauTest, EtaIsNotReducedBelowTheMinimumNorRaisedToIt) {
  const auto plugin = Make("reduce-eta", {{"patience", "1"}, {"minimum", "0.08"}});
  AfterValidation(*plugin, 1);
  EXPECT_EQ(AskedEta(AfterValidation(*plugin, 1)), 0.08);
  for (const double eta : {0.08, 0.01}) {
    run_.knobs["eta"] = eta;
    EXPECT_EQ(AskedEta(AfterValidation(*plugin, 1)), std::nullopt) << eta;
  }
}

TEST_F(PlateauTest, LooksOfTheCooldownAreNotHeldAgainstEta) {
  const auto plugin = Make("reduce-eta", {{"patience", "1"}, {"cooldown", "2"}});
  AfterValidation(*plugin, 1);
  EXPECT_NE(AskedEta(AfterValidation(*plugin, 1)), std::nullopt);
  EXPECT_EQ(AskedEta(AfterValidation(*plugin, 1)), std::nullopt);
  const auto restored = Restored(*plugin, "reduce-eta", {{"patience", "1"}, {"cooldown", "2"}});
  EXPECT_EQ(AskedEta(AfterValidation(*restored, 1)), std::nullopt);
  EXPECT_NE(AskedEta(AfterValidation(*restored, 1)), std::nullopt);
}

TEST_F(PlateauTest, WrongSettingsAreRefused) {
  for (const char* kind : {"early-stopping", "reduce-eta"}) {
    EXPECT_THAT(Refusal(kind, {{"metric", "happiness"}}), HasSubstr("It has: batch, target, loss"));
    EXPECT_THAT(Refusal(kind, {{"goal", "up"}}), HasSubstr("auto, minimise, maximise"));
    EXPECT_THAT(Refusal(kind, {{"patience", "-1"}}), HasSubstr("\"patience\""));
    EXPECT_THAT(Refusal(kind, {{"min_gain", "-1"}}), HasSubstr("\"min_gain\""));
    EXPECT_THAT(Refusal(kind, {{"min_relative_gain", "nan"}}), HasSubstr("\"min_relative_gain\""));
  }
  for (const char* factor : {"0", "1", "x"}) {
    EXPECT_THAT(Refusal("reduce-eta", {{"factor", factor}}), HasSubstr("above 0 and below 1")) << factor;
  }
  EXPECT_THAT(Refusal("reduce-eta", {{"minimum", "0"}}), HasSubstr("\"minimum\""));
  EXPECT_THAT(Refusal("reduce-eta", {{"cooldown", "-1"}}), HasSubstr("\"cooldown\""));
}

TEST_F(PlateauTest, AValidationLossNeedsExamplesHeldOutButTheLossDoesNot) {
  surroundings_.validation_examples = 0;
  Refusal("early-stopping", {}, v1::ERROR_REASON_NO_VALIDATION_DATA);
  EXPECT_NE(Make("early-stopping", {{"metric", "loss"}}), nullptr);
}

TEST_F(PlateauTest, WhatIsNoValueOfAValidationIsLookedAtOnceAnEpoch) {
  for (const PluginKind& kind : {EarlyStoppingKind(), ReduceEtaKind()}) {
    const auto loss = PluginKinds::Complete(kind, {{"metric", "loss"}});
    ASSERT_TRUE(loss.ok()) << loss.status();
    const auto timing = kind.usual_timing(*loss, surroundings_);
    ASSERT_TRUE(timing.ok()) << timing.status();
    EXPECT_EQ(timing->schedule, "each(1 epoch)");
    EXPECT_EQ(timing->point, PluginPoint::kAfterBatch);
  }
}

}  // namespace
}  // namespace pilothouse::trainer
