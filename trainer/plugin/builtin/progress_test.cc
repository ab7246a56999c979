#include "trainer/plugin/builtin/progress.h"

#include <gtest/gtest.h>

#include <limits>

namespace pilothouse::trainer {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Progress, TheFirstFiniteValueIsTheBest) {
  Progress progress({});
  EXPECT_FALSE(progress.Look(kNan, 1));
  EXPECT_FALSE(progress.Look(-kInfinity, 2));
  EXPECT_FALSE(progress.best().has_value());
  EXPECT_EQ(progress.looks_without_gain(), 2);
  EXPECT_TRUE(progress.Look(0.2, 3));
  EXPECT_EQ(progress.best(), 0.2);
  EXPECT_EQ(progress.best_batch(), 3);
  EXPECT_EQ(progress.looks_without_gain(), 0);
}

TEST(Progress, WhatIsNotFiniteNeverBecomesTheBest) {
  Progress less({});
  less.Look(1, 1);
  for (const double value : {kNan, kInfinity, -kInfinity}) EXPECT_FALSE(less.Look(value, 2)) << value;
  EXPECT_EQ(less.best(), 1.0);
  Progress more({.maximise = true, .min_gain = 0, .min_relative_gain = 0});
  more.Look(1, 1);
  EXPECT_FALSE(more.Look(kInfinity, 2));
}

TEST(Progress, ATieIsNoGain) {
  for (const bool maximise : {false, true}) {
    Progress progress({.maximise = maximise, .min_gain = 0, .min_relative_gain = 0});
    progress.Look(0.3, 1);
    EXPECT_FALSE(progress.Look(0.3, 2));
    EXPECT_EQ(progress.best_batch(), 1);
  }
}

TEST(Progress, ARelativeGainHasToPassThatPartOfTheBest) {
  Progress progress({.maximise = false, .min_gain = 0, .min_relative_gain = 0.001});
  progress.Look(1, 1);
  EXPECT_FALSE(progress.Look(0.9995, 2));
  EXPECT_FALSE(progress.Look(0.999, 3));
  EXPECT_TRUE(progress.Look(0.9989, 4));
}

TEST(Progress, ARelativeGainOnANegativeBestGoesTheRightWay) {
  Progress less({.maximise = false, .min_gain = 0, .min_relative_gain = 0.1});
  less.Look(-10, 1);
  EXPECT_FALSE(less.Look(-10.5, 2));
  EXPECT_TRUE(less.Look(-11.5, 3));
  Progress more({.maximise = true, .min_gain = 0, .min_relative_gain = 0.1});
  more.Look(-10, 1);
  EXPECT_FALSE(more.Look(-9.5, 2));
  EXPECT_TRUE(more.Look(-8.5, 3));
}

TEST(Progress, AnAbsoluteGainHasToBePassedToo) {
  Progress progress({.maximise = true, .min_gain = 0.25, .min_relative_gain = 0.5});
  progress.Look(0.25, 1);
  EXPECT_FALSE(progress.Look(0.5, 2));
  EXPECT_TRUE(progress.Look(1, 3));
  EXPECT_FALSE(progress.Look(1.375, 4)) << "half of the best is more than a quarter";
  EXPECT_TRUE(progress.Look(1.75, 5));
}

TEST(Progress, IsRememberedExactly) {
  Progress progress({});
  progress.Look(0.1, 7);
  progress.Look(0.1, 8);
  MemoryWriter saved;
  progress.Save(saved);
  MemoryReader memory(saved.text());
  Progress restored({});
  restored.Restore(memory);
  EXPECT_TRUE(memory.Finish().ok());
  EXPECT_EQ(restored.best(), 0.1);
  EXPECT_EQ(restored.best_batch(), 7);
  EXPECT_EQ(restored.looks_without_gain(), 1);
}

TEST(Progress, ThatNoValueWasFiniteIsRememberedToo) {
  Progress progress({});
  progress.Look(kNan, 1);
  MemoryWriter saved;
  progress.Save(saved);
  MemoryReader memory(saved.text());
  Progress restored({});
  restored.Restore(memory);
  EXPECT_TRUE(memory.Finish().ok());
  EXPECT_FALSE(restored.best().has_value());
}

TEST(Memory, WhatCannotBeReadIsTold) {
  for (const char* text : {"", "7", "7 x", "7 0.5 8"}) {
    MemoryReader memory(text);
    memory.Integer();
    memory.Number();
    EXPECT_FALSE(memory.Finish().ok()) << text;
  }
}

}  // namespace
}  // namespace pilothouse::trainer
