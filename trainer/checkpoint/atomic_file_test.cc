#include "trainer/checkpoint/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename());
    return names;
  }

  std::string Contents() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  const std::string folder_ = absl::StrCat(testing::TempDir(), "/atomic-file-", getpid());
  const std::string path_ = folder_ + "/file";
};

TEST_F(AtomicFileTest, WritesItsPartsInOrderAndReplacesWhatWasThere) {
  ASSERT_TRUE(WriteFileAtomically(path_, {"a longer file that was there before"}).ok());
  ASSERT_TRUE(WriteFileAtomically(path_, {"one ", "", "two"}).ok());
  EXPECT_EQ(Contents(), "one two");
  EXPECT_EQ(Names(), std::vector<std::string>{"file"});
}

TEST_F(AtomicFileTest, LeavesTheOldFileAndNothingElseWhenItCannotWriteItAll) {
  ASSERT_TRUE(WriteFileAtomically(path_, {"old"}).ok());
  // The nearest thing to a full disk that needs no rights.
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  const absl::Status status = WriteFileAtomically(path_, {std::string(2000, 'x')});
  signal(SIGXFSZ, old_handler);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INTERNAL);
  EXPECT_EQ(Contents(), "old");
  EXPECT_EQ(Names(), std::vector<std::string>{"file"});
}

TEST_F(AtomicFileTest, LeavesNothingBehindWhenItCannotReplace) {
  std::filesystem::create_directories(path_ + "/taken");
  EXPECT_EQ(ReasonOf(WriteFileAtomically(path_, {"new"})), v1::ERROR_REASON_INTERNAL);
  EXPECT_EQ(Names(), std::vector<std::string>{"file"});
  EXPECT_EQ(ReasonOf(WriteFileAtomically(folder_ + "/missing/file", {"new"})), v1::ERROR_REASON_INTERNAL);
}

}  // namespace
}  // namespace pilothouse::trainer
