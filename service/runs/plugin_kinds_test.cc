#include "service/runs/plugin_kinds.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

v1::PluginKindsAnswer Validate() {
  v1::PluginKindsAnswer answer;
  answer.add_kinds()->set_name("validate");
  return answer;
}

// Collects what callbacks are given. Read after the pool was shut down.
struct Answers {
  std::vector<absl::StatusOr<v1::PluginKindsAnswer>> got;
  KindsCallback Callback() {
    return [this](const absl::StatusOr<v1::PluginKindsAnswer>& answer) { got.push_back(answer); };
  }
};

TEST(PluginKinds, AreAskedForOnceHoweverManyWait) {
  absl::Notification all_wait;
  int asked = 0;
  Answers answers;
  WorkPool pool(2, 16);
  PluginKindsCache kinds(
      [&]() -> absl::StatusOr<v1::PluginKindsAnswer> {
        ++asked;
        all_wait.WaitForNotification();
        return Validate();
      },
      pool);
  for (int i = 0; i < 5; ++i) kinds.Get(answers.Callback());
  all_wait.Notify();
  pool.Shutdown();
  // Known by now: this needs no pool any more.
  kinds.Get(answers.Callback());
  EXPECT_EQ(asked, 1);
  ASSERT_EQ(answers.got.size(), 6U);
  for (const auto& answer : answers.got) EXPECT_EQ(answer->kinds(0).name(), "validate");
}

TEST(PluginKinds, AFailureIsToldAndNotRemembered) {
  Answers answers;
  absl::Notification first_told;
  int asked = 0;
  WorkPool pool(1, 16);
  PluginKindsCache kinds(
      [&]() -> absl::StatusOr<v1::PluginKindsAnswer> {
        if (++asked == 1) return MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", "It did not start.");
        return Validate();
      },
      pool);
  kinds.Get([&](const absl::StatusOr<v1::PluginKindsAnswer>& answer) {
    answers.got.push_back(answer);
    first_told.Notify();
  });
  first_told.WaitForNotification();
  kinds.Get(answers.Callback());
  pool.Shutdown();
  ASSERT_EQ(answers.got.size(), 2U);
  EXPECT_EQ(ReasonOf(answers.got[0].status()), v1::ERROR_REASON_TRAINER_FAILED);
  ASSERT_TRUE(answers.got[1].ok()) << answers.got[1].status();
}

TEST(PluginKinds, ACallWithoutRoomForItIsAnsweredBusyAndTheNextAsksAnew) {
  Answers answers;
  WorkPool pool(1, 16);
  pool.Shutdown();
  PluginKindsCache kinds([]() -> absl::StatusOr<v1::PluginKindsAnswer> { return Validate(); }, pool);
  kinds.Get(answers.Callback());
  kinds.Get(answers.Callback());
  ASSERT_EQ(answers.got.size(), 2U);
  for (const auto& answer : answers.got) EXPECT_EQ(ReasonOf(answer.status()), v1::ERROR_REASON_SERVICE_BUSY);
}

TEST(PluginKinds, NoMoreWaitThanThereIsRoomFor) {
  absl::Notification all_wait;
  Answers waiting;
  Answers refused;
  WorkPool pool(1, 16);
  PluginKindsCache kinds(
      [&]() -> absl::StatusOr<v1::PluginKindsAnswer> {
        all_wait.WaitForNotification();
        return Validate();
      },
      pool);
  for (size_t i = 0; i < kMaxKindsWaiters; ++i) kinds.Get(waiting.Callback());
  kinds.Get(refused.Callback());
  all_wait.Notify();
  pool.Shutdown();
  EXPECT_EQ(waiting.got.size(), kMaxKindsWaiters);
  ASSERT_EQ(refused.got.size(), 1U);
  EXPECT_EQ(ReasonOf(refused.got[0].status()), v1::ERROR_REASON_SERVICE_BUSY);
}

}  // namespace
}  // namespace pilothouse::service
