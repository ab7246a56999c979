#include "trainer/loop/knobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

TEST(Knobs, SetsAndGetsEveryKnobTheyDeclare) {
  for (const OptimizerKind optimizer : kAllOptimizers) {
    SCOPED_TRACE(Name(optimizer));
    Knobs knobs = Knobs::UsualOf(optimizer);
    for (const KnobFacts& knob : knobs.Facts()) {
      ASSERT_NE(knob.value, knob.maximum) << knob.name;
      ASSERT_TRUE(knobs.Check(knob.name, knob.maximum, 100).ok()) << knob.name;
      knobs.Set(knob.name, knob.maximum);
      EXPECT_EQ(knobs.Get(knob.name), knob.maximum) << knob.name;
    }
  }
}

TEST(Knobs, BeginWithWhatIsUsualForTheOptimizer) {
  const Knobs adam = Knobs::UsualOf(OptimizerKind::kAdam);
  EXPECT_EQ(adam.Get("eta"), 0.001);
  EXPECT_EQ(adam.Get("beta2"), 0.999);
  EXPECT_EQ(adam.Get("loss_interval"), Knobs().loss_interval);
  EXPECT_EQ(Knobs().Get("eta"), 0.1);
}

TEST(Knobs, AreThoseOfTheOptimizerAlone) {
  Knobs knobs = Knobs::UsualOf(OptimizerKind::kNesterov);
  EXPECT_EQ(ReasonOf(knobs.Check("beta1", 0.5, 100)), v1::ERROR_REASON_KNOB_UNKNOWN);
  EXPECT_TRUE(std::isnan(knobs.Get("beta1")));
  EXPECT_EQ(ReasonOf(knobs.Check("momentum", 1, 100)), v1::ERROR_REASON_KNOB_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(knobs.Check("weight_decay", -0.5, 100)), v1::ERROR_REASON_KNOB_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(knobs.Check("clip_norm", HUGE_VAL, 100)), v1::ERROR_REASON_KNOB_OUT_OF_RANGE);
}

TEST(Knobs, AcceptTheBoundsTheyDeclare) {
  const Knobs knobs = Knobs::UsualOf(OptimizerKind::kAdam);
  for (const KnobFacts& knob : knobs.Facts()) {
    EXPECT_TRUE(knobs.Check(knob.name, knob.minimum, 100).ok()) << knob.name;
    EXPECT_TRUE(knobs.Check(knob.name, knob.maximum, 100).ok()) << knob.name;
  }
}

TEST(Knobs, TakeOnlyAFiniteEtaAboveZero) {
  const Knobs knobs;
  for (const double eta : {0.0, -0.0, -1.0, std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    EXPECT_EQ(ReasonOf(knobs.Check("eta", eta, 100)), v1::ERROR_REASON_ETA_INVALID) << eta;
  }
  EXPECT_EQ(ToError(knobs.Check("eta", -1, 100)).field(), "value") << "a knob's change has no field of another name";
}

TEST(Knobs, NameTheKnobsThereAreWhenAskedForAnother) {
  const absl::Status status = Knobs().Check("momentum", 0.9, 100);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_KNOB_UNKNOWN);
  EXPECT_EQ(ToError(status).metadata().at("known"),
            "eta, weight_decay, clip_norm, clip_value, loss_interval, loss_every, state_every, checkpoint_interval, "
            "checkpoint_every");
}

TEST(Knobs, RefuseValuesOutOfRangeFractionsAndNan) {
  const Knobs knobs;
  const std::pair<const char*, double> bad[] = {{"loss_interval", -0.001},       {"loss_interval", 3600.1},
                                                {"loss_interval", std::nan("")}, {"loss_every", 0.5},
                                                {"state_every", 1e300},          {"state_every", HUGE_VAL}};
  for (const auto& [name, value] : bad) {
    EXPECT_EQ(ReasonOf(knobs.Check(name, value, 100)), v1::ERROR_REASON_KNOB_OUT_OF_RANGE) << name << " " << value;
  }
}

TEST(Knobs, RefuseRegularStatesOfLargeNetworksButLetThemBeSwitchedOff) {
  const Knobs knobs;
  EXPECT_TRUE(knobs.Check("state_every", 1, kMaxStateEventParameters).ok());
  EXPECT_EQ(ReasonOf(knobs.Check("state_every", 1, kMaxStateEventParameters + 1)), v1::ERROR_REASON_STATE_TOO_LARGE);
  EXPECT_TRUE(knobs.Check("state_every", 0, kMaxStateEventParameters + 1).ok());
}

}  // namespace
}  // namespace pilothouse::trainer
