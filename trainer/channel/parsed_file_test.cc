#include "trainer/channel/parsed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/atomic_file.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/data/dataset.h"
#include "trainer/data/table_values.h"

namespace {

// How often this program asked for something to be on the disk. Atomic: other tests' threads may ask, too.
std::atomic<int> syncs{0};

}  // namespace

// In the place of the system's.
extern "C" int fsync(int descriptor) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}
extern "C" int fdatasync(int descriptor) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fdatasync, descriptor));
}

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string Contents(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string Bytes(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)};
}

class ParsedFileTest : public testing::Test {
 protected:
  ParsedFileTest() {
    std::string pattern = testing::TempDir() + "/pilothouse-parsed-XXXXXX";
    root_ = mkdtemp(pattern.data());
    folder_ = root_ + "/parsed";
  }
  ~ParsedFileTest() override { fs::remove_all(root_); }

  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(root_ + "/" + name, std::ios::binary) << content;
    return root_ + "/" + name;
  }

  ParsedFile CopyOf(const std::string& text, int64_t least_bytes = 0,
                    const ParsedBounds& bounds = {.least_free_bytes = 0}) const {
    return {folder_, text, *FileHash(text), least_bytes, bounds};
  }

  // As a trainer of its own does.
  absl::StatusOr<Dataset> Read(const std::string& text, const std::vector<std::string>& targets = {},
                               const std::optional<std::string>& weight = std::nullopt) const {
    ParsedFile copy = CopyOf(text);
    return ReadTable(text, {targets, weight}, &copy);
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder_, none)) files.push_back(entry.path().filename());
    return files;
  }
  std::string PathOf(const std::string& text, const std::string& ending) const {
    return absl::StrCat(folder_, "/", *FileHash(text), "-csv-1", ending);
  }

  // The other way of reading, or of being refused: without any copy.
  static void ExpectSame(const absl::StatusOr<Dataset>& found, const absl::StatusOr<Dataset>& parsed) {
    ASSERT_EQ(found.ok(), parsed.ok()) << found.status() << parsed.status();
    if (!parsed.ok()) {
      EXPECT_EQ(ToError(found.status()).DebugString(), ToError(parsed.status()).DebugString());
      return;
    }
    for (const auto part : {&Dataset::inputs, &Dataset::targets}) {
      const NumberTable& a = *found.*part;
      const NumberTable& b = *parsed.*part;
      EXPECT_EQ(a.rows, b.rows);
      EXPECT_EQ(a.columns, b.columns);
      EXPECT_EQ(Bytes(Values(a)), Bytes(Values(b)));
    }
    EXPECT_EQ(Bytes(found->weights), Bytes(parsed->weights));
  }

  std::string root_;
  std::string folder_;
};

constexpr char kTable[] = "a,b,c,7\n1,-0,3,4\n0.1,1e308,5e-324,-2.5\n\n\"9\",10,11,12\n";

TEST_F(ParsedFileTest, GivesWhatParsingGives) {
  const std::string texts[] = {Write("named.csv", kTable), Write("plain.csv", "1,2,3,4\n5,6,7,8\n"),
                               Write("tabs", "a\tb\tc\td\n1\t2\t3\t4\n"), Write("one.csv", "1,2,3,0.5")};
  const std::vector<std::vector<std::string>> targets = {
      {}, {"a"}, {"b", "a"}, {"1"}, {"-1"}, {"7"}, {"c", "2"}, {"none"}, {"5"}, {"a", "1"}, {"1", "2", "3", "4"}};
  for (const std::string& text : texts) {
    const auto first = Read(text);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_TRUE(first->inputs.stored->mapped) << "the trainer that makes the copy gives its own memory back";
    for (const std::vector<std::string>& wanted : targets) {
      for (const std::optional<std::string>& weight : {std::optional<std::string>(), {"c"}, {"4"}, {"none"}}) {
        const auto found = Read(text, wanted, weight);
        ExpectSame(found, ReadTable(text, {wanted, weight}));
        EXPECT_TRUE(!found.ok() || found->inputs.stored->mapped);
      }
    }
  }
  EXPECT_THAT(Files(), SizeIs(2 * std::size(texts)));
}

TEST_F(ParsedFileTest, TextInColumnsThatAreIgnoredHasACopyForThoseWhoIgnoreTheSame) {
  const std::string text = Write("text.csv", "id,a,b,c,y\nr1,1,2,x,3\nr2,4,5,6,7\n");
  const ColumnChoice both = {.ignored = {"id", "c"}};
  const auto parsed = ReadTable(text, both);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  for (int i = 0; i < 2; ++i) {
    ParsedFile copy = CopyOf(text);
    const auto found = ReadTable(text, both, &copy);
    ExpectSame(found, parsed);
    EXPECT_TRUE(found->inputs.stored->mapped);
    EXPECT_THAT(Files(), SizeIs(2));
  }
  ParsedFile copy = CopyOf(text);
  const ColumnChoice more = {.ignored = {"id", "a", "c"}};
  ExpectSame(ReadTable(text, more, &copy), ReadTable(text, more));
  EXPECT_THAT(Files(), SizeIs(4));
  for (const ColumnChoice& fewer : {ColumnChoice{.ignored = {"id"}}, ColumnChoice{.ignored = {"c"}}, ColumnChoice{}}) {
    ParsedFile asked = CopyOf(text);
    const auto refused = ReadTable(text, fewer, &asked);
    EXPECT_EQ(ReasonOf(refused.status()), v1::ERROR_REASON_DATA_MALFORMED) << "a copy's 0 in place of text";
  }
}

TEST_F(ParsedFileTest, NumbersInColumnsThatAreIgnoredHaveTheCopyOfAll) {
  const std::string text = Write("a.csv", kTable);
  for (const char* ignored : {"a", "b", "-2"}) {
    ParsedFile copy = CopyOf(text);
    const ColumnChoice choice = {.ignored = {ignored}};
    ExpectSame(ReadTable(text, choice, &copy), ReadTable(text, choice));
  }
  EXPECT_THAT(Files(), SizeIs(2));
}

TEST_F(ParsedFileTest, TextIsNotParsedAgain) {
  const std::string text = Write("a.csv", kTable);
  ASSERT_TRUE(Read(text).ok());
  // The header stays, and so does what the copy is looked for by.
  ParsedFile copy = CopyOf(text);
  Write("a.csv", "a,b,c,7\nno numbers at all\n");
  const auto found = ReadTable(text, {}, &copy);
  ASSERT_TRUE(found.ok()) << found.status();
  ExpectSame(found, ReadTable(Write("b.csv", kTable), {}));
}

TEST_F(ParsedFileTest, TextThatIsRefusedGetsNoCopy) {
  for (const char* text : {"1,2\n3\n", "1,2\nx,4\n", "1,2\nnan,4\n", "a,b\n", "", "1\n2\n", "1,\"2\n"}) {
    const std::string path = Write("bad.csv", text);
    for (int i = 0; i < 2; ++i) ExpectSame(Read(path), ReadTable(path, {}));
    EXPECT_FALSE(fs::exists(folder_)) << text;
  }
  const std::string good = Write("good.csv", kTable);
  ExpectSame(Read(good, {"none"}), ReadTable(good, {{"none"}}));
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(ParsedFileTest, TheSameTextUnderANameThatSaysTabsIsAnotherTable) {
  const std::string text = "size, cm\tage\n1\t2\n";
  const std::string tabs = Write("a.tsv", text);
  const std::string commas = Write("a.csv", text);
  ASSERT_TRUE(Read(tabs).ok());
  ASSERT_FALSE(ReadTable(commas, {}).ok());
  ExpectSame(Read(commas), ReadTable(commas, {}));
  ExpectSame(Read(tabs), ReadTable(tabs, {}));
}

TEST_F(ParsedFileTest, ACopyThatIsNotWholeIsMadeAnew) {
  const std::string text = Write("a.csv", kTable);
  const std::string other = Write("b.csv", "a,b,c,7\n1,2,3,4\n5,6,7,8\n9,10,11,12\n");
  ASSERT_TRUE(Read(text).ok());
  ASSERT_TRUE(Read(other).ok());
  const std::string numbers = PathOf(text, ".npy");
  const std::string facts = PathOf(text, ".json");
  const std::string good_numbers = Contents(numbers);
  const std::string good_facts = Contents(facts);
  const auto set = [](const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  };
  const auto flipped = [](std::string content, size_t place) {
    content[place] = static_cast<char>(content[place] ^ 1);
    return content;
  };
  const std::vector<std::function<void()>> damages = {
      [&] { set(numbers, flipped(good_numbers, good_numbers.size() - 8)); },
      [&] { set(numbers, flipped(good_numbers, good_numbers.find("3, 4"))); },
      [&] { set(numbers, good_numbers.substr(0, good_numbers.size() - 8)); },
      [&] { set(numbers, good_numbers + "12345678"); },
      [&] { set(numbers, ""); },
      [&] { set(numbers, Contents(PathOf(other, ".npy"))); },
      [&] { set(facts, ""); },
      [&] { set(facts, "{}"); },
      [&] { set(facts, "[" + good_facts + "]"); },
      [&] { set(facts, flipped(good_facts, good_facts.find(*FileHash(numbers)))); },
      [&] { set(facts, std::string(1 << 16, '[')); },
      // Whole, but of another table.
      [&] {
        set(numbers, Contents(PathOf(other, ".npy")));
        set(facts, Contents(PathOf(other, ".json")));
      },
      [&] { fs::remove(numbers); },
      [&] { fs::remove(facts); },
      [&] {
        fs::remove(numbers);
        fs::create_symlink(folder_ + "/nowhere", numbers);
      },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    damages[i]();
    EXPECT_FALSE(CopyOf(text).Find({CsvDelimiter::kDetected, 4}).has_value()) << i;
    ExpectSame(Read(text), ReadTable(text, {}));
    EXPECT_TRUE(CopyOf(text).Find({CsvDelimiter::kDetected, 4}).has_value()) << i;
    EXPECT_EQ(Contents(numbers), good_numbers) << i;
    set(facts, good_facts);
  }
  EXPECT_FALSE(CopyOf(text).Find({CsvDelimiter::kDetected, 5}).has_value()) << "more columns than there are";
}

TEST_F(ParsedFileTest, ANumberInACopyMustBeFiniteWhateverItsHash) {
  const std::string text = Write("a.csv", kTable);
  ASSERT_TRUE(Read(text).ok());
  const std::string old_hash = *FileHash(PathOf(text, ".npy"));
  std::string numbers = Contents(PathOf(text, ".npy"));
  const double infinite = std::numeric_limits<double>::infinity();
  std::memcpy(&numbers[numbers.size() - sizeof(infinite)], &infinite, sizeof(infinite));
  std::ofstream(PathOf(text, ".npy"), std::ios::binary) << numbers;
  std::string facts = Contents(PathOf(text, ".json"));
  facts.replace(facts.find(old_hash), old_hash.size(), *FileHash(PathOf(text, ".npy")));
  std::ofstream(PathOf(text, ".json")) << facts;
  EXPECT_FALSE(CopyOf(text).Find({CsvDelimiter::kDetected, 4}).has_value());
}

TEST_F(ParsedFileTest, TextThatChangedAfterItWasHashedGetsNoCopy) {
  const std::string text = Write("a.csv", kTable);
  ParsedFile copy = CopyOf(text);
  Write("a.csv", "a,b,c,7\n1,2,3,4\n");
  const auto read = ReadTable(text, {}, &copy);
  ExpectSame(read, ReadTable(text, {}));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ParsedFileTest, SmallTablesAreNotKept) {
  const std::string text = Write("a.csv", kTable);
  constexpr int64_t kBytes = 3 * 4 * sizeof(double);
  for (const int64_t least_bytes : {kBytes + 1, kBytes}) {
    ParsedFile copy = CopyOf(text, least_bytes);
    EXPECT_TRUE(ReadTable(text, {}, &copy).ok());
    EXPECT_EQ(fs::exists(folder_), least_bytes == kBytes);
  }
}

TEST_F(ParsedFileTest, WhereNothingCanBeWrittenTheTableStaysInMemoryAndOneLineSaysSo) {
  const std::string text = Write("a.csv", kTable);
  const auto expect_unkept = [&](ParsedFile copy) {
    testing::internal::CaptureStderr();
    const auto read = ReadTable(text, {}, &copy);
    const std::string log = testing::internal::GetCapturedStderr();
    ExpectSame(read, ReadTable(text, {}));
    EXPECT_THAT(Files(), IsEmpty());
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
    EXPECT_THAT(log, HasSubstr("not kept"));
  };
  // Where a folder cannot be.
  expect_unkept({text + "/parsed", text, *FileHash(text), 0, {.least_free_bytes = 0}});
  expect_unkept(CopyOf(text, 0, {.least_free_bytes = INT64_MAX / 2}));
  expect_unkept(CopyOf(text, 0, {.most_bytes = 100, .least_free_bytes = 0}));
  // The nearest thing to a full disk that needs no rights.
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 200;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  ParsedFile copy = CopyOf(text);
  const auto read = ReadTable(text, {}, &copy);
  signal(SIGXFSZ, old_handler);
  setrlimit(RLIMIT_FSIZE, &before);
  ExpectSame(read, ReadTable(text, {}));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ParsedFileTest, TrainersThatMakeTheSameCopyAtOnceDoNoHarm) {
  std::string table;
  for (int i = 0; i < 20'000; ++i) absl::StrAppend(&table, i, ",", i * 0.5, "\n");
  const std::string text = Write("a.csv", table);
  const auto parsed = ReadTable(text, {});
  std::vector<std::thread> trainers;
  for (int i = 0; i < 4; ++i) {
    trainers.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        ExpectSame(Read(text), parsed);
        std::error_code none;
        fs::remove(PathOf(text, round % 2 == 0 ? ".npy" : ".json"), none);
      }
    });
  }
  for (std::thread& trainer : trainers) trainer.join();
  ExpectSame(Read(text), parsed);
  EXPECT_THAT(Files(), SizeIs(2));
}

// On the same disk, acknowledgements wait for journals to be synced, and would wait for all of a copy as well.
TEST_F(ParsedFileTest, NobodyWaitsForACopyToBeOnTheDisk) {
  const std::string text = Write("a.csv", kTable);
  syncs = 0;
  ASSERT_TRUE(Read(text).ok());
  EXPECT_EQ(syncs, 0);
  EXPECT_THAT(Files(), SizeIs(2));
  ASSERT_TRUE(WriteFileAtomically(root_ + "/other", {"other"}).ok());
  EXPECT_GT(syncs, 0) << "of what must survive, they are counted";
}

TEST_F(ParsedFileTest, AMappedCopyStaysWhenItsFileIsRemoved) {
  const std::string text = Write("a.csv", kTable);
  ASSERT_TRUE(Read(text).ok());
  const auto found = Read(text);
  fs::remove_all(folder_);
  ExpectSame(found, ReadTable(text, {}));
}

TEST_F(ParsedFileTest, UseIsNoted) {
  const std::string text = Write("a.csv", kTable);
  ASSERT_TRUE(Read(text).ok());
  const fs::path numbers = PathOf(text, ".npy");
  const fs::file_time_type long_ago = fs::last_write_time(numbers) - std::chrono::hours(1000);
  fs::last_write_time(numbers, long_ago);
  ASSERT_TRUE(Read(text).ok());
  EXPECT_GT(fs::last_write_time(numbers), long_ago + std::chrono::hours(900));
}

TEST(ParsedCopyFor, IsForTablesOfAServicesRuns) {
  const DataFiles table = {.table = "/data/files/a.csv"};
  EXPECT_NE(ParsedCopyFor("/data/runs/a", table, "00"), nullptr);
  EXPECT_EQ(ParsedCopyFor("/data/others/a", table, "00"), nullptr);
  EXPECT_EQ(ParsedCopyFor("a", table, "00"), nullptr);
  EXPECT_EQ(ParsedCopyFor("", table, "00"), nullptr);
  EXPECT_EQ(ParsedCopyFor("/data/runs/a", DataFiles(), "00"), nullptr);
}

}  // namespace
}  // namespace pilothouse::trainer
