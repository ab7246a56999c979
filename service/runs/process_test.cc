#include "service/runs/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

using std::chrono::seconds;

bool Never() { return false; }

class Process : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "process-" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string log() const { return directory_ + "/log"; }

  // Another process's end cannot be waited for without reaping it, so it is polled, for a minute at most.
  static std::string WaitForEnd(ChildProcess& child) {
    for (int i = 0; i < 60'000; ++i) {
      if (auto ended = child.Ended()) return *ended;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return "still running";
  }

  std::string directory_;
};

TEST_F(Process, TellsHowAChildEndedAndKeepsItsLog) {
  auto child = ChildProcess::Start({"/bin/sh", "-c", "echo $GREETING; exit 7"}, {"GREETING=hello"}, log());
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(WaitForEnd(*child), "exit code 7");
  EXPECT_EQ(LastLines(log(), 5), "hello");
}

TEST_F(Process, TellsTheSignalThatKilledAChild) {
  auto child = ChildProcess::Start({"/bin/sleep", "60"}, {}, log());
  ASSERT_TRUE(child.ok());
  EXPECT_FALSE(child->Ended().has_value());
  child->Signal(SIGKILL);
  EXPECT_EQ(WaitForEnd(*child), "killed by signal 9 (Killed)");
}

TEST_F(Process, AChildLivesInItsOwnSession) {
  auto child = ChildProcess::Start({"/bin/sleep", "60"}, {}, log());
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(getsid(child->pid()), child->pid());
  child->Signal(SIGKILL);
  WaitForEnd(*child);
}

TEST_F(Process, AProgramThatDoesNotExistIsAnError) {
  EXPECT_EQ(ReasonOf(ChildProcess::Start({"/no/such/program"}, {}, log()).status()), v1::ERROR_REASON_TRAINER_FAILED);
}

TEST_F(Process, RunsToItsEndWithALargeInputAndReturnsTheOutput) {
  const std::string input(3'000'000, 'x');
  auto output = RunToEnd({"/bin/cat"}, input, 4'000'000, seconds(120), log(), Never);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(*output, input);
}

TEST_F(Process, AFailingTooTalkativeOrEndlessChildIsAnError) {
  EXPECT_FALSE(RunToEnd({"/bin/sh", "-c", "exit 1"}, "", 100, seconds(120), log(), Never).ok());
  EXPECT_FALSE(RunToEnd({"/bin/cat", "/dev/zero"}, "", 100'000, seconds(120), log(), Never).ok());
  EXPECT_FALSE(RunToEnd({"/bin/sleep", "60"}, "", 100, seconds(1), log(), Never).ok());
}

TEST_F(Process, AChildNobodyWaitsForAnyMoreIsKilled) {
  const auto output = RunToEnd({"/bin/sleep", "600"}, "", 100, seconds(120), log(), [] { return true; });
  EXPECT_EQ(output.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(Process, ALogThatIsNotTextIsQuotedAsText) {
  std::ofstream(log()) << "caf\xe9 \xff\n";
  EXPECT_EQ(LastLines(log(), 2), "caf? ?");
}

TEST_F(Process, LastLinesGivesTheEndOfALog) {
  std::ofstream(log()) << "one\ntwo\nthree\n";
  EXPECT_EQ(LastLines(log(), 2), "two\nthree");
  EXPECT_EQ(LastLines(log(), 9), "one\ntwo\nthree");
  EXPECT_EQ(LastLines(directory_ + "/none", 9), "");
}

TEST_F(Process, ALockedFileIsSeenAsLockedUntilItsHolderLetsGo) {
  const int fd = open(log().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  EXPECT_FALSE(IsLocked(log()));
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_TRUE(IsLocked(log()));
  close(fd);
  EXPECT_FALSE(IsLocked(log()));
  EXPECT_FALSE(IsLocked(directory_ + "/none"));
}

}  // namespace
}  // namespace pilothouse::service
