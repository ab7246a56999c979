#include "trainer/kernels/thread_team.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pilothouse::trainer {
namespace {

TEST(ThreadTeamTest, CallsEachPartOnceOnAThreadOfItsOwn) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadTeam team(threads);
    ASSERT_EQ(team.threads(), threads);
    // Often enough that some rounds find the others awake and some asleep.
    for (int round = 0; round < 200; ++round) {
      std::vector<std::thread::id> callers(static_cast<size_t>(threads));
      team.Run([&](int part) { callers[static_cast<size_t>(part)] = std::this_thread::get_id(); });
      EXPECT_EQ(callers[0], std::this_thread::get_id());
      for (size_t i = 0; i < callers.size(); ++i) {
        EXPECT_NE(callers[i], std::thread::id());
        for (size_t j = 0; j < i; ++j) EXPECT_NE(callers[i], callers[j]);
      }
    }
  }
}

TEST(ThreadTeamTest, ShowsEachRoundWhatTheOneBeforeWrote) {
  ThreadTeam team(4);
  std::vector<int> counts(4);
  for (int round = 1; round <= 500; ++round) {
    // Each takes the neighbour's place in turn.
    team.Run([&](int part) { ++counts[static_cast<size_t>((part + round) % 4)]; });
    for (const int count : counts) ASSERT_EQ(count, round);
  }
}

TEST(ThreadTeamTest, EndsWithoutHavingWorked) { const ThreadTeam team(5); }

}  // namespace
}  // namespace pilothouse::trainer
