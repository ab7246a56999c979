#include "service/watch/watch_ticker.h"

#include <chrono>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pilothouse::service {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class NotedClient : public WatchTicker::Client {
 public:
  void OnWake() override { woken.Notify(); }
  void OnTimer() override {
    rang_at = std::chrono::steady_clock::now();
    rung.Notify();
  }

  absl::Notification woken;
  absl::Notification rung;
  SteadyTime rang_at;
};

TEST(WatchTicker, WakesAClientOnAThreadOfItsOwn) {
  WatchTicker ticker;
  const auto client = std::make_shared<NotedClient>();
  ticker.Wake(client);
  client->woken.WaitForNotification();
  EXPECT_FALSE(client->rung.HasBeenNotified());
}

TEST(WatchTicker, RingsWhenATimerIsDueAndNotBefore) {
  WatchTicker ticker;
  const auto client = std::make_shared<NotedClient>();
  const SteadyTime due = std::chrono::steady_clock::now() + milliseconds(20);
  ticker.SetTimer(client, due);
  client->rung.WaitForNotification();
  EXPECT_GE(client->rang_at, due);
}

TEST(WatchTicker, MovesATimerThatIsSetAgain) {
  WatchTicker ticker;
  const auto earlier = std::make_shared<NotedClient>();
  const auto later = std::make_shared<NotedClient>();
  const SteadyTime now = std::chrono::steady_clock::now();
  ticker.SetTimer(earlier, now + hours(1));
  ticker.SetTimer(later, now + milliseconds(1));
  ticker.SetTimer(later, now + hours(1));
  ticker.SetTimer(earlier, now + milliseconds(5));
  earlier->rung.WaitForNotification();
  EXPECT_FALSE(later->rung.HasBeenNotified());
}

TEST(WatchTicker, ForgetsATimerThatIsCancelledOrWhoseClientIsGone) {
  WatchTicker ticker;
  const SteadyTime now = std::chrono::steady_clock::now();
  const auto cancelled = std::make_shared<NotedClient>();
  auto gone = std::make_shared<NotedClient>();
  const auto witness = std::make_shared<NotedClient>();
  ticker.SetTimer(cancelled, now + milliseconds(2));
  ticker.CancelTimer(cancelled.get());
  ticker.SetTimer(gone, now + milliseconds(2));
  gone.reset();
  ticker.SetTimer(witness, now + milliseconds(5));
  witness->rung.WaitForNotification();
  EXPECT_FALSE(cancelled->rung.HasBeenNotified());
}

TEST(WatchTicker, LetsGoOfItsClientsWhenItStops) {
  WatchTicker ticker;
  const auto client = std::make_shared<NotedClient>();
  ticker.SetTimer(client, std::chrono::steady_clock::now() + hours(1));
  ticker.Stop();
  ticker.Wake(client);
  ticker.SetTimer(client, std::chrono::steady_clock::now());
  ticker.Stop();
  EXPECT_EQ(client.use_count(), 1);
  EXPECT_FALSE(client->woken.HasBeenNotified());
}

}  // namespace
}  // namespace pilothouse::service
