#include "trainer/channel/run_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

TEST(RunLock, IsHeldByOneAtATimeAndGivenUpAtTheEnd) {
  const std::string directory = absl::StrCat(testing::TempDir(), "/run-lock-test-", getpid());
  std::filesystem::create_directories(directory);
  {
    const absl::StatusOr<RunLock> first = RunLock::Acquire(directory);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(ReasonOf(RunLock::Acquire(directory).status()), v1::ERROR_REASON_TRAINER_FAILED);
  }
  EXPECT_TRUE(RunLock::Acquire(directory).ok());
  std::filesystem::remove_all(directory);
}

TEST(RunLock, SeesThatItsDirectoryWasRemoved) {
  const std::string directory = absl::StrCat(testing::TempDir(), "/run-lock-removed-", getpid());
  std::filesystem::create_directories(directory);
  const absl::StatusOr<RunLock> lock = RunLock::Acquire(directory);
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_FALSE(lock->removed());
  std::filesystem::remove_all(directory);
  EXPECT_TRUE(lock->removed());
}

TEST(RunLock, SaysWhenThereIsNoSuchDirectory) {
  EXPECT_EQ(ReasonOf(RunLock::Acquire("/nowhere/at/all").status()), v1::ERROR_REASON_TRAINER_FAILED);
}

}  // namespace
}  // namespace pilothouse::trainer
