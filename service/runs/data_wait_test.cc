#include "service/runs/data_wait.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

class DataWaitTest : public testing::Test {
 protected:
  void SetUp() override { Write("1,2\n"); }
  void TearDown() override { std::filesystem::remove(path_); }

  void Write(const std::string& text) { std::ofstream(path_) << text; }
  absl::StatusOr<DataPaths> Find() const {
    if (std::filesystem::exists(path_)) return DataPaths{.table = path_, .inputs = "", .targets = ""};
    return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "file", "It is not there.");
  }
  static absl::Status Changed() { return MakeError(v1::ERROR_REASON_DATA_CHANGED, "data", "They are others."); }

  const std::string path_ = absl::StrCat(testing::TempDir(), "data-wait-", getpid());
  DataWait wait_{{}, [this] { return Find(); }};
};

TEST_F(DataWaitTest, TakesWhatIsThere) {
  const auto data = wait_.Look();
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->table, path_);
  EXPECT_FALSE(wait_.waiting());
}

TEST_F(DataWaitTest, TakesWhatCameBackWhenItHasStayedTheSame) {
  std::filesystem::remove(path_);
  EXPECT_EQ(ReasonOf(wait_.Look().status()), v1::ERROR_REASON_FILE_NOT_FOUND);
  Write("1");
  EXPECT_FALSE(wait_.Look().ok());
  Write("1,2\n");
  EXPECT_FALSE(wait_.Look().ok()) << "it is still being written";
  EXPECT_TRUE(wait_.waiting());
  EXPECT_TRUE(wait_.Look().ok());
  EXPECT_FALSE(wait_.waiting());
}

TEST_F(DataWaitTest, DoesNotTakeWhatWasRefusedBeforeItChanges) {
  ASSERT_TRUE(wait_.Look().ok());
  wait_.Refuse(Changed());
  EXPECT_TRUE(wait_.waiting());
  for (int looks = 0; looks < 3; ++looks) EXPECT_EQ(ReasonOf(wait_.Look().status()), v1::ERROR_REASON_DATA_CHANGED);
  Write("3,4,5\n");
  EXPECT_FALSE(wait_.Look().ok());
  EXPECT_TRUE(wait_.Look().ok());
}

TEST_F(DataWaitTest, TakesAgainWhatWasGoneForAMomentOnly) {
  ASSERT_TRUE(wait_.Look().ok());
  wait_.Refuse(MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "data", "It cannot be read."));
  EXPECT_TRUE(wait_.waiting());
  EXPECT_TRUE(wait_.Look().ok());
}

TEST(DataWait, WithoutAFinderTheyAreWhereTheyWere) {
  DataWait wait({.table = "/t.csv", .inputs = "", .targets = ""}, nullptr);
  const auto data = wait.Look();
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->table, "/t.csv");
}

}  // namespace
}  // namespace pilothouse::service
