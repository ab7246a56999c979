#include "trainer/loop/target.h"

#include <gtest/gtest.h>

#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::trainer {
namespace {

using Kind = TargetChange::Kind;

TEST(Target, IsReachedWhenTheBatchEqualsItAndPausedWhenItLiesBehind) {
  Target target(100);
  EXPECT_EQ(target.IdleReasonAt(99), IdleReason::kNone);
  EXPECT_EQ(target.IdleReasonAt(100), IdleReason::kTargetReached);
  ASSERT_TRUE(target.Apply({Kind::kBatch, 10}, 60).ok());
  EXPECT_EQ(target.IdleReasonAt(60), IdleReason::kPaused);
}

TEST(Target, ResumesToTheLastThatLayAheadWhenItWasSet) {
  Target target(100);
  ASSERT_TRUE(target.Apply({Kind::kBatch, 80}, 50).ok());
  ASSERT_TRUE(target.Apply({Kind::kBatch, 10}, 60).ok());
  ASSERT_TRUE(target.Apply({Kind::kPause}, 60).ok());
  EXPECT_EQ(target.batch(), 60);
  EXPECT_EQ(target.resume_batch(), 80);
  ASSERT_TRUE(target.Apply({Kind::kResume}, 60).ok());
  EXPECT_EQ(target.batch(), 80);
}

TEST(Target, StaysDivergedUntilATargetAheadIsSet) {
  Target target(100);
  target.Diverge();
  ASSERT_TRUE(target.Apply({Kind::kPause}, 50).ok());
  ASSERT_TRUE(target.Apply({Kind::kBatch, 50}, 50).ok());
  EXPECT_EQ(target.IdleReasonAt(50), IdleReason::kDiverged);
  ASSERT_TRUE(target.Apply({Kind::kMore, 1}, 50).ok());
  EXPECT_EQ(target.IdleReasonAt(50), IdleReason::kNone);
}

TEST(Target, RefusesToLieBeyondTheLargestAndStaysAsItWas) {
  Target target(100);
  EXPECT_EQ(ReasonOf(target.Apply({Kind::kMore, kMaxTarget}, 1)), v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(target.batch(), 100);
  EXPECT_TRUE(target.Apply({Kind::kMore, kMaxTarget - 1}, 1).ok());
}

}  // namespace
}  // namespace pilothouse::trainer
