#include "clients/cpp/pilothouse_client/watch.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "clients/cpp/testing/fake_service.h"
#include "clients/cpp/testing/test_folder.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

class WatchTest : public testing::Test {
 protected:
  WatchTest() { house_.AddRun("digits"); }

  // Sequences of the events up to `last`, reading over lost connections. Stops where the watch ends.
  static std::vector<uint64_t> ReadUntil(Watch& watch, uint64_t last) {
    std::vector<uint64_t> sequences;
    while (sequences.empty() || sequences.back() < last) {
      const std::optional<WatchItem> item = watch.Next();
      if (!item.has_value()) break;
      for (const v1::Event& event : item->message.events()) sequences.push_back(event.sequence());
    }
    return sequences;
  }

  TestFolder folder_;
  FakeHouse house_;
  std::optional<FakeServer> server_{std::in_place, house_, folder_.Address()};
};

TEST_F(WatchTest, BeginsWithASnapshotAndEndsWithTheRun) {
  house_.AddLoss("digits", 1, 2.3);
  Watch watch(folder_.Address(), "digits", {});
  const std::optional<WatchItem> first = watch.Next();
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->message.has_snapshot());
  EXPECT_EQ(first->message.events_size(), 0);
  house_.AddLoss("digits", 2, 2.2);
  house_.AddStatus("digits", v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(ReadUntil(watch, 3), (std::vector<uint64_t>{2, 3}));
  EXPECT_FALSE(watch.Next().has_value());
  EXPECT_TRUE(watch.status().ok()) << watch.status();
  EXPECT_FALSE(watch.Next().has_value());
}

TEST_F(WatchTest, GivesEveryEventOnceAcrossARestartOfTheService) {
  Watch watch(folder_.Address(), "digits", {.after_sequence = 0});
  for (int batch = 1; batch <= 5; ++batch) house_.AddLoss("digits", batch, 1.0 / batch);
  EXPECT_EQ(ReadUntil(watch, 5), (std::vector<uint64_t>{1, 2, 3, 4, 5}));
  server_.reset();
  for (int batch = 6; batch <= 8; ++batch) house_.AddLoss("digits", batch, 1.0 / batch);
  const std::optional<WatchItem> lost = watch.Next();
  ASSERT_TRUE(lost.has_value());
  EXPECT_FALSE(lost->connection.ok());
  EXPECT_GT(lost->retry_in, absl::ZeroDuration());
  server_.emplace(house_, folder_.Address());
  EXPECT_EQ(ReadUntil(watch, 8), (std::vector<uint64_t>{6, 7, 8}));
  EXPECT_EQ(house_.watches().back().after_sequence(), 5u);
}

TEST_F(WatchTest, FromNowContinuesFromItsFirstSnapshot) {
  house_.AddLoss("digits", 1, 2.3);
  Watch watch(folder_.Address(), "digits", {});
  ASSERT_TRUE(watch.Next()->message.has_snapshot());
  // Nothing but the snapshot was heard when the connection breaks.
  server_.reset();
  house_.AddLoss("digits", 2, 2.2);
  server_.emplace(house_, folder_.Address());
  EXPECT_EQ(ReadUntil(watch, 2), (std::vector<uint64_t>{2}));
}

TEST_F(WatchTest, PausesLongerAfterEachFailure) {
  Watch watch("unix:" + folder_.Path("nobody"), "digits", {});
  absl::Duration before;
  for (int i = 0; i < 4; ++i) {
    const std::optional<WatchItem> item = watch.Next();
    ASSERT_TRUE(item.has_value());
    // Doubling outweighs the spread of a fifth up and down.
    EXPECT_GT(item->retry_in, before);
    before = item->retry_in;
  }
}

TEST_F(WatchTest, GivesUpInTime) {
  Watch watch("unix:" + folder_.Path("nobody"), "digits", {.give_up_after = absl::Milliseconds(250)});
  while (watch.Next().has_value()) {
  }
  EXPECT_TRUE(absl::IsUnavailable(watch.status())) << watch.status();
}

TEST_F(WatchTest, EndsWithWhatTheServiceRefuses) {
  Watch watch(folder_.Address(), "nobody", {});
  EXPECT_FALSE(watch.Next().has_value());
  EXPECT_EQ(ReasonOf(watch.status()), v1::ERROR_REASON_RUN_NOT_FOUND);
}

TEST_F(WatchTest, CanBeCancelledWhileItWaitsForAnEvent) {
  Watch watch(folder_.Address(), "digits", {.max_interval = absl::Hours(1)});
  ASSERT_TRUE(watch.Next().has_value());
  std::thread canceller([&watch] { watch.Cancel(); });
  EXPECT_FALSE(watch.Next().has_value());
  EXPECT_TRUE(absl::IsCancelled(watch.status()));
  canceller.join();
}

TEST_F(WatchTest, CanBeCancelledWhileItWaitsToConnect) {
  Watch watch("unix:" + folder_.Path("nobody"), "digits", {});
  // Until the pauses are long.
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(watch.Next().has_value());
  std::thread canceller([&watch] { watch.Cancel(); });
  EXPECT_FALSE(watch.Next().has_value());
  EXPECT_TRUE(absl::IsCancelled(watch.status()));
  canceller.join();
}

TEST_F(WatchTest, PassesOnGapsAndHeartbeats) {
  Watch watch(folder_.Address(), "digits", {.max_interval = absl::Milliseconds(100)});
  house_.AddGap(3, 9);
  bool gap = false;
  bool heartbeat = false;
  while (!gap || !heartbeat) {
    const std::optional<WatchItem> item = watch.Next();
    ASSERT_TRUE(item.has_value());
    gap = gap || item->message.gaps_size() > 0;
    heartbeat = heartbeat || item->message.has_heartbeat();
  }
}

TEST_F(WatchTest, MayBeDroppedInTheMiddle) {
  auto watch = std::make_unique<Watch>(folder_.Address(), "digits", WatchOptions());
  ASSERT_TRUE(watch->Next().has_value());
  watch.reset();
}

}  // namespace
}  // namespace pilothouse::client
