#include "trainer/loop/mailbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

Control Numbered(int number) { return {absl::StrCat(number), KnobChange{"eta", 0.5}, std::nullopt, "", ""}; }

std::string IdOf(const Letter& letter) { return std::get<Control>(letter).request_id; }

TEST(Mailbox, GivesLettersInTheOrderTheyWerePutAndNoMoreThanAskedFor) {
  SystemClock clock;
  Mailbox mailbox(clock);
  EXPECT_TRUE(mailbox.empty());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(mailbox.Put(Numbered(i)).ok());
  const std::vector<Letter> first = mailbox.Take(2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(IdOf(first[0]), "0");
  EXPECT_EQ(IdOf(first[1]), "1");
  EXPECT_FALSE(mailbox.empty());
  EXPECT_EQ(IdOf(mailbox.Take(2).at(0)), "2");
  EXPECT_TRUE(mailbox.empty());
}

TEST(Mailbox, RefusesLettersWhenItIsFull) {
  SystemClock clock;
  Mailbox mailbox(clock);
  for (size_t i = 0; i < kMailboxCapacity; ++i) ASSERT_TRUE(mailbox.Put(Numbered(0)).ok());
  EXPECT_EQ(ReasonOf(mailbox.Put(Numbered(0))), v1::ERROR_REASON_TOO_MANY_CONTROLS);
}

TEST(Mailbox, RefusesLettersWhenItIsClosedAndGivesBackWhatWasLeft) {
  SystemClock clock;
  Mailbox mailbox(clock);
  ASSERT_TRUE(mailbox.Put(Numbered(1)).ok());
  EXPECT_EQ(mailbox.Close(RunStatus::kFailed).size(), 1u);
  EXPECT_TRUE(mailbox.empty());
  const absl::Status refused = mailbox.Put(Numbered(2));
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_EQ(ToError(refused).metadata().at("status"), "FAILED");
}

TEST(Mailbox, WakesAWaitingThreadAtOnce) {
  SystemClock clock;
  Mailbox mailbox(clock);
  // If a letter did not end the wait, this test would take an hour and run into its time limit.
  std::thread waiting([&] {
    const TimePoint deadline = clock.Now() + std::chrono::hours(1);
    while (mailbox.empty()) mailbox.WaitUntil(deadline);
  });
  ASSERT_TRUE(mailbox.Put(Numbered(1)).ok());
  waiting.join();
  EXPECT_EQ(mailbox.Take(9).size(), 1u);
}

TEST(Mailbox, LosesNothingBetweenManyWritersAndOneReader) {
  SystemClock clock;
  Mailbox mailbox(clock);
  constexpr int kLetters = 2000;
  auto write = [&](int first) {
    for (int i = 0; i < kLetters; ++i) {
      while (!mailbox.Put(Numbered(first + i)).ok()) std::this_thread::yield();
    }
  };
  std::thread one(write, 0);
  std::thread two(write, kLetters);
  int next[] = {0, kLetters};
  while (next[0] + next[1] < 3 * kLetters) {
    mailbox.WaitUntil(clock.Now() + std::chrono::seconds(60));
    for (const Letter& letter : mailbox.Take(64)) {
      const int number = std::stoi(IdOf(letter));
      ASSERT_EQ(number, next[number / kLetters]++);
    }
  }
  one.join();
  two.join();
}

}  // namespace
}  // namespace pilothouse::trainer
