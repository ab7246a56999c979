#include "trainer/channel/parsed_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/atomic_file.h"
#include "trainer/checkpoint/file_hash.h"

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;

using testing::UnorderedElementsAre;

constexpr int64_t kEach = 1000;

class ParsedFolderTest : public testing::Test {
 protected:
  ParsedFolderTest() {
    std::string pattern = testing::TempDir() + "/pilothouse-parsed-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ParsedFolderTest() override { fs::remove_all(folder_); }

  static std::string NameOf(char digit) { return std::string(64, digit) + "-csv-1"; }

  void Write(const std::string& file, int64_t seconds_ago, int64_t bytes = kEach) const {
    const fs::path path = folder_ + "/" + file;
    std::ofstream(path) << std::string(static_cast<size_t>(bytes), 'x');
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::seconds(seconds_ago));
  }
  void WriteCopy(char digit, int64_t seconds_ago) const {
    Write(NameOf(digit) + kParsedNumbers, seconds_ago);
    Write(NameOf(digit) + kParsedFacts, seconds_ago, /*bytes=*/1);
  }

  // Each copy by its digit, twice if it has both files; other files by their names.
  std::vector<std::string> Left() const {
    std::vector<std::string> left;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      left.push_back(name.size() > 64 ? name.substr(0, 1) : name);
    }
    return left;
  }

  absl::Status Make(char digit, int64_t bytes, int64_t most_bytes, int64_t least_free_bytes = 0) const {
    return MakeRoom(folder_, NameOf(digit), bytes, {.most_bytes = most_bytes, .least_free_bytes = least_free_bytes});
  }

  std::string folder_;
};

TEST_F(ParsedFolderTest, RemovesThoseUsedLongestAgoAndNoMoreThanItMust) {
  WriteCopy('a', 30);
  WriteCopy('b', 40);
  WriteCopy('c', 20);
  EXPECT_TRUE(Make('d', kEach, 4 * kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre("a", "a", "b", "b", "c", "c"));
  EXPECT_TRUE(Make('d', kEach + 1, 4 * kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre("a", "a", "c", "c"));
  NoteUse(folder_, NameOf('a'));
  EXPECT_TRUE(Make('d', kEach, 2 * kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre("a", "a"));
  EXPECT_TRUE(Make('d', 2 * kEach, 2 * kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre());
}

TEST_F(ParsedFolderTest, TheCopyThatIsMadeAnewNeitherGoesNorCounts) {
  WriteCopy('a', 40);
  WriteCopy('b', 30);
  EXPECT_TRUE(Make('a', kEach, 2 * kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre("a", "a", "b", "b"));
  EXPECT_TRUE(Make('a', kEach, kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre("a", "a"));
}

TEST_F(ParsedFolderTest, NumbersWithoutFactsCountAndGo) {
  Write(NameOf('a') + kParsedNumbers, 40);
  WriteCopy('b', 30);
  EXPECT_TRUE(Make('c', kEach, 2 * kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre("b", "b"));
}

TEST_F(ParsedFolderTest, LeavesAloneWhatIsNotItsOwn) {
  const std::string numbers = NameOf('a') + kParsedNumbers;
  Write("README", 99);
  Write("mine.npy", 99);
  Write(std::string(64, 'G') + "-csv-1.npy", 99);
  fs::create_symlink(folder_ + "/mine.npy", folder_ + "/" + numbers);
  fs::create_directory(folder_ + "/" + NameOf('b') + kParsedNumbers);
  const std::vector<std::string> before = Left();
  EXPECT_TRUE(Make('c', kEach, kEach).ok());
  EXPECT_THAT(Left(), testing::UnorderedElementsAreArray(before));
}

TEST_F(ParsedFolderTest, RemovesWhatWasLeftHalfWrittenAndNotWhatIsBeingWritten) {
  Write(absl::StrCat(NameOf('a'), kParsedNumbers, ".1-0", kTemporarySuffix), kAbandonedSeconds + 60);
  Write(absl::StrCat(NameOf('b'), kParsedNumbers, ".2-0", kTemporarySuffix), kAbandonedSeconds - 60);
  Write(absl::StrCat("other", kTemporarySuffix), kAbandonedSeconds + 60);
  EXPECT_TRUE(Make('c', kEach, 10 * kEach).ok());
  EXPECT_THAT(Left(), UnorderedElementsAre("b", "other.tmp"));
}

TEST_F(ParsedFolderTest, FilesAreThereWholeOrNotAtAll) {
  ASSERT_TRUE(MakeParsedFolder(folder_).ok()) << "it is there already";
  const std::string path = folder_ + "/" + NameOf('a') + kParsedNumbers;
  // More than is written at once.
  const std::string large(3'000'001, 'x');
  for (const std::string& content : {large, std::string("short")}) {
    const absl::StatusOr<std::string> hash = WriteParsed(path, {"begin, ", "", content});
    ASSERT_TRUE(hash.ok()) << hash.status();
    EXPECT_EQ(*hash, *FileHash(path));
    EXPECT_EQ(fs::file_size(path), 7 + content.size());
    EXPECT_THAT(Left(), UnorderedElementsAre("a"));
  }
  const std::string taken = folder_ + "/" + NameOf('b') + kParsedNumbers;
  fs::create_directory(taken);
  EXPECT_EQ(ReasonOf(WriteParsed(taken, {"c"}).status()), v1::ERROR_REASON_INTERNAL);
  EXPECT_THAT(Left(), UnorderedElementsAre("a", "b"));
  EXPECT_EQ(ReasonOf(WriteParsed(folder_ + "/none/c", {"c"}).status()), v1::ERROR_REASON_INTERNAL);
  EXPECT_EQ(ReasonOf(MakeParsedFolder(path)), v1::ERROR_REASON_INTERNAL);
  EXPECT_EQ(ReasonOf(MakeParsedFolder(folder_ + "/none/c")), v1::ERROR_REASON_INTERNAL);
}

TEST_F(ParsedFolderTest, RefusesWhatCannotFitAndRemovesNothingForIt) {
  WriteCopy('a', 30);
  EXPECT_EQ(ReasonOf(Make('b', kEach, kEach - 1)), v1::ERROR_REASON_INTERNAL);
  EXPECT_EQ(ReasonOf(Make('b', kEach, 10 * kEach, /*least_free_bytes=*/INT64_MAX / 2)), v1::ERROR_REASON_INTERNAL);
  EXPECT_THAT(Left(), UnorderedElementsAre("a", "a"));
  EXPECT_EQ(ReasonOf(MakeRoom(folder_ + "/none", NameOf('b'), kEach, {})), v1::ERROR_REASON_INTERNAL);
}

}  // namespace
}  // namespace pilothouse::trainer
