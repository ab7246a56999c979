#include "service/journal/work_pool.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pilothouse::service {
namespace {

TEST(WorkPool, RunsWhatIsSubmittedInOrder) {
  WorkPool pool(1, 100);
  std::vector<int> order;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool.Submit([&order, i] { order.push_back(i); }));
  pool.Shutdown();
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(WorkPool, RunsAsManyAtOnceAsItHasThreads) {
  WorkPool pool(2, 100);
  absl::Notification first;
  absl::Notification second;
  // Each waits for the other: one thread would never finish.
  pool.Submit([&] { first.Notify(), second.WaitForNotification(); });
  pool.Submit([&] { second.Notify(), first.WaitForNotification(); });
  pool.Shutdown();
}

TEST(WorkPool, RefusesWorkBeyondItsBoundWithoutBlocking) {
  WorkPool pool(1, 2);
  absl::Notification started;
  absl::Notification go_on;
  std::atomic<int> done{0};
  ASSERT_TRUE(pool.Submit([&] { started.Notify(), go_on.WaitForNotification(), ++done; }));
  started.WaitForNotification();
  EXPECT_TRUE(pool.Submit([&] { ++done; }));
  EXPECT_TRUE(pool.Submit([&] { ++done; }));
  EXPECT_FALSE(pool.Submit([&] { ++done; }));
  go_on.Notify();
  pool.Shutdown();
  EXPECT_EQ(done, 3);
}

TEST(WorkPool, TakesNothingAfterShutdown) {
  WorkPool pool(1, 10);
  pool.Shutdown();
  pool.Shutdown();
  EXPECT_FALSE(pool.Submit([] { FAIL(); }));
}

}  // namespace
}  // namespace pilothouse::service
