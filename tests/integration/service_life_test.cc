// A service that ends, by request or not, while runs go on.
#include <gtest/gtest.h>

#include <string>

#include "proto/support/error.h"
#include "service/server/server.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kFarAway = int64_t{1} << 50;

TEST(ServiceLife, ARunGoesOnWhileTheServiceIsAwayAndIsSteeredAgainWhenItIsBack) {
  TestService service;
  const std::string run = service.StartXor(kFarAway);
  const auto receipt = service.SetEta(run, 0.05, WithRequestId("before"));
  ASSERT_TRUE(receipt.ok());
  const int64_t before = service.State(run)->run().batch();
  service.Restart();
  Watcher watcher(service.stub(), FromTheStart(run));
  const auto back = watcher.WaitForEvent(
      [&](const auto& event) { return event.status().status() == v1::RUN_STATUS_TRAINING && event.batch() > before; });
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(service.SetEta(run, 0.05, WithRequestId("before"))->SerializeAsString(), receipt->SerializeAsString());
  const auto state = service.State(run);
  EXPECT_EQ(state->run().eta(), 0.05);
  EXPECT_EQ(state->run().status(), v1::RUN_STATUS_TRAINING);
  const auto stopped = service.Stop(run);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_GT(stopped->final_batch(), before);
  ASSERT_TRUE(watcher.WaitForEnd().ok());
  uint64_t sequence = 0;
  for (const auto& event : watcher.events()) EXPECT_EQ(event.sequence(), ++sequence);
}

TEST(ServiceLife, ARunThatWasLeftIdleIsIdleAtTheSamePlace) {
  TestService service;
  const std::string run = service.StartXor(50);
  {
    Watcher watcher(service.stub(), FromTheStart(run));
    ASSERT_TRUE(watcher.WaitForIdle(50));
  }
  service.Restart();
  Watcher watcher(service.stub(), FromTheStart(run));
  bool lost = false;
  const auto idle_again = watcher.WaitForEvent([&](const auto& event) {
    lost = lost || event.status().status() == v1::RUN_STATUS_LOST;
    return lost && event.status().status() == v1::RUN_STATUS_IDLE;
  });
  ASSERT_TRUE(idle_again.has_value());
  EXPECT_EQ(service.State(run)->run().batch(), 50);
  const auto receipt = service.BatchTo(run, 60);
  EXPECT_TRUE(receipt.ok()) << receipt.status();
}

TEST(ServiceLife, EndedRunsAreFoundAgain) {
  TestService service;
  const std::string run = service.StartXor(50);
  ASSERT_TRUE(service.Stop(run, "stop").ok());
  service.Restart();
  EXPECT_EQ(service.State(run)->run().status(), v1::RUN_STATUS_STOPPED);
  EXPECT_TRUE(service.Stop(run, "stop").ok());
  EXPECT_TRUE(service.Predict(run, {0.5, 0.5}, 2).ok());
  Watcher watcher(service.stub(), FromTheStart(run));
  EXPECT_TRUE(watcher.WaitForEnd().ok());
  EXPECT_EQ(watcher.events().back().status().status(), v1::RUN_STATUS_STOPPED);
}

TEST(ServiceLife, TheSameStartAskedTwiceIsOneRun) {
  TestService service;
  const auto spec = service.XorSpec();
  const auto first = service.Start(spec, 0, "", "start-1");
  const auto again = service.Start(spec, 0, "", "start-1");
  ASSERT_TRUE(first.ok() && again.ok()) << first.status() << again.status();
  EXPECT_EQ(first->run_id(), again->run_id());
  service.Restart();
  EXPECT_EQ(service.Start(spec, 0, "", "start-1")->run_id(), first->run_id());
  auto other = spec;
  other.set_eta(0.7);
  EXPECT_EQ(ReasonOf(service.Start(other, 0, "", "start-1").status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST(ServiceLife, ShuttingDownWithStopEndsEveryRunAndTellsItsWatchers) {
  TestService service;
  const std::string run = service.StartXor(kFarAway);
  Watcher watcher(service.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForEvent([](const auto& event) { return event.has_loss(); }).has_value());
  service.server().Shutdown(/*stop_runs=*/true);
  watcher.WaitForEnd();
  EXPECT_EQ(watcher.events().back().status().status(), v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(TestService::TrainerOf(run), 0);
}

TEST(ServiceLife, ASecondServiceOnTheSameDirectoryOrPortIsRefusedWithTheReason) {
  TestService service;
  service::ServerOptions options;
  options.data_directory = service.directory();
  options.listen = "127.0.0.1:0";
  options.trainer_program = "/bin/true";
  const auto same_directory = service::Server::Start(options);
  ASSERT_FALSE(same_directory.ok());
  EXPECT_NE(same_directory.status().message().find("Another pilothoused"), absl::string_view::npos);
  options.data_directory = service.directory() + "/other";
  options.listen = service.server().address();
  const auto same_port = service::Server::Start(options);
  ASSERT_FALSE(same_port.ok());
  EXPECT_NE(same_port.status().message().find("in use"), absl::string_view::npos);
}

TEST(ServiceLife, AnAddressThatOthersCanReachIsRefused) {
  for (const char* address : {"0.0.0.0:50051", "192.168.1.7:50051", "[::]:50051", "example.org:50051",
                              "127.evil.example:50051", "127.0.0.1", "localhost:http"}) {
    EXPECT_FALSE(service::CheckListenAddress(address).ok()) << address;
  }
  for (const char* address : {"127.0.0.1:50051", "localhost:0", "[::1]:50051", "unix:/run/pilothouse.sock"}) {
    EXPECT_TRUE(service::CheckListenAddress(address).ok()) << address;
  }
}

}  // namespace
}  // namespace pilothouse::testing
