#include "service/runs/restart_policy.h"

#include <gtest/gtest.h>

namespace pilothouse::service {
namespace {

using std::chrono::milliseconds;

constexpr RestartPolicy::Time kStart{};

TEST(RestartPolicy, StartsAgainSoOftenAndWaitsLongerEachTime) {
  RestartPolicy policy(3);
  EXPECT_EQ(policy.OnDeath(10, kStart), kFirstRestartDelay);
  EXPECT_EQ(policy.OnDeath(10, kStart), 2 * kFirstRestartDelay);
  EXPECT_EQ(policy.OnDeath(10, kStart), 4 * kFirstRestartDelay);
  EXPECT_EQ(policy.restarts(), 3);
  EXPECT_EQ(policy.OnDeath(10, kStart), std::nullopt);
}

TEST(RestartPolicy, NeverWaitsLongerThanTheLongest) {
  RestartPolicy policy(1000);
  milliseconds last{0};
  for (int i = 0; i < 1000; ++i) last = *policy.OnDeath(10, kStart);
  EXPECT_EQ(last, kLongestRestartDelay);
}

TEST(RestartPolicy, StartsNothingAgainWhereThatIsNotWanted) {
  RestartPolicy policy(0);
  EXPECT_EQ(policy.OnDeath(10, kStart), std::nullopt);
}

TEST(RestartPolicy, ProgressIsABatchBeyondEveryEarlierDeath) {
  RestartPolicy policy(3);
  policy.OnDeath(10, kStart);
  policy.OnDeath(8, kStart);
  policy.OnBatch(9);
  policy.OnBatch(10);
  EXPECT_EQ(policy.restarts(), 2);
  policy.OnBatch(11);
  EXPECT_EQ(policy.restarts(), 0);
}

TEST(RestartPolicy, ARunThatIsTakenBackHasAllItsAttemptsAgainAndMakesProgressFromThere) {
  RestartPolicy policy(3);
  policy.OnDeath(10, kStart);
  policy.OnTakenBack(4);
  EXPECT_EQ(policy.restarts(), 0);
  policy.OnDeath(4, kStart);
  policy.OnBatch(5);
  EXPECT_EQ(policy.restarts(), 0);
}

TEST(RestartPolicy, OnlyTimeInWhichTheTrainerWasWellMakesItForget) {
  RestartPolicy policy(3);
  policy.OnDeath(10, kStart);
  policy.OnDeath(10, kStart + 2 * kRestartMemory);
  EXPECT_EQ(policy.restarts(), 2) << "it never came back";
  policy.OnWell(kStart + 2 * kRestartMemory);
  policy.OnDeath(10, kStart + 3 * kRestartMemory - milliseconds(1));
  EXPECT_EQ(policy.restarts(), 3);
  policy.OnWell(kStart + 3 * kRestartMemory);
  policy.OnDeath(10, kStart + 4 * kRestartMemory);
  EXPECT_EQ(policy.restarts(), 1);
}

}  // namespace
}  // namespace pilothouse::service
