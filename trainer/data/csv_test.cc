#include "trainer/data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "proto/support/error.h"
#include "trainer/data/column_roles.h"
#include "trainer/data/csv_record.h"
#include "trainer/data/parsed_copy.h"
#include "trainer/data/table_values.h"
#include "trainer/data/temporary_file.h"

namespace pilothouse::trainer {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Dataset> Read(const std::string& text, const std::vector<std::string>& targets = {}) {
  const TemporaryFile file(text);
  return ReadTable(file.path(), {targets});
}

TEST(Csv, ReadsNumbersWithTheLastColumnAsTarget) {
  const auto data = Read("1,2,3\n4,5.5,-6e-1\n");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->inputs.rows, 2);
  EXPECT_EQ(data->inputs.columns, 2);
  EXPECT_THAT(Values(data->inputs), ElementsAre(1, 2, 4, 5.5));
  EXPECT_EQ(data->targets.columns, 1);
  EXPECT_THAT(Values(data->targets), ElementsAre(3, -0.6));
}

TEST(Csv, ReadsTheSameHoweverItIsWritten) {
  const std::string mark = "\xEF\xBB\xBF";
  const std::string texts[] = {
      "1,2\n3,4\n",
      "1,2\n3,4",
      "1,2\r\n3,4\r\n",
      mark + "1,2\n3,4\n",
      "a,b\n1,2\n3,4\n",
      mark + "\"a\",\"b \"\"c\"\"\"\r\n\"1\",\"2\"\r\n3,\"4\"\r\n\r\n",
      "\n1,2\n\n   \n3,4\n\n\n",
      " 1 ,\t2\n+3,4.0e0\n",
      "\"two\nlines, and a comma\",b\n1,2\n3,4\n",
  };
  for (const std::string& text : texts) {
    const auto data = Read(text);
    ASSERT_TRUE(data.ok()) << text << ": " << data.status();
    EXPECT_THAT(Values(data->inputs), ElementsAre(1, 3)) << text;
    EXPECT_THAT(Values(data->targets), ElementsAre(2, 4)) << text;
  }
}

TEST(Csv, ReadsTabsAsTheFirstRecordSays) {
  const std::string texts[] = {
      "a\tb\n1\t2\n3\t4\n",
      "1\t2\n3\t4",
      "\n  \n1\t2\n\n3\t4\n",
      "\"a, and b\"\tc\r\n1\t2\r\n 3 \t\"4\"\r\n",
      "\"a\tb\"\t\"c,d\"\n1\t2\n3\t4\n",
  };
  for (const std::string& text : texts) {
    const auto data = Read(text);
    ASSERT_TRUE(data.ok()) << text << ": " << data.status();
    EXPECT_THAT(Values(data->inputs), ElementsAre(1, 3)) << text;
    EXPECT_THAT(Values(data->targets), ElementsAre(2, 4)) << text;
  }
  // A comma in the first record decides against tabs, which are blanks then.
  EXPECT_THAT(Values(Read("1,\t2\n")->targets), ElementsAre(2));
  EXPECT_EQ(ToError(Read("a\tb\n1,5\t2\n").status()).metadata().at("column"), "1");
}

TEST(Csv, ALineOfTabsIsALineOfNothingInTsv) {
  const auto data = Read("a\tb\n1\t2\n\t\n");
  ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(data.status()).metadata().at("line"), "3");
  EXPECT_THAT(ToError(data.status()).message(), HasSubstr("there is nothing"));
  // In CSV, it is blank.
  EXPECT_TRUE(Read("a,b\n1,2\n\t\n").ok());
}

TEST(Csv, ANameThatEndsInTsvDecides) {
  const TemporaryFile file("size, cm\tage\n1\t2\n", ".tsv");
  const auto data = ReadTable(file.path(), {{"size, cm"}});
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(Values(data->targets), ElementsAre(1));
  const TemporaryFile other("size, cm\tage\n1\t2\n", ".csv");
  EXPECT_FALSE(ReadTable(other.path(), {}).ok());
}

TEST(Csv, ReadsPlainAndOtherRowsInTurn) {
  std::string text = "a,b\n";
  std::vector<double> expected;
  for (int i = 0; i < 60'000; ++i) {
    const char* const form = i % 7 == 0 ? "\"$0.5\",-$0\n" : i % 11 == 0 ? "\n+$0.5,-$0\n" : "$0.5,-$0\n";
    absl::SubstituteAndAppend(&text, form, i);
    expected.push_back(i + 0.5);
  }
  const auto data = Read(text);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(Values(data->inputs), expected);
  const auto refused = Read(text + "1,x\n");
  // The header, 60,000 rows, and the blank lines before some of them.
  const int64_t blank = (59'999 / 11) - (59'999 / 77);
  EXPECT_EQ(ToError(refused.status()).metadata().at("line"), absl::StrCat(60'002 + blank));
}

class FakeCopy final : public ParsedCopy {
 public:
  std::optional<NumberTable> Find(const CsvForm& form) override {
    asked.push_back(form);
    return form == kept_as ? kept : std::nullopt;
  }
  NumberTable Keep(const CsvForm& form, NumberTable parsed) override {
    EXPECT_THAT(asked, Contains(form));
    kept_as = form;
    kept = std::move(parsed);
    return *kept;
  }

  std::vector<CsvForm> asked;
  CsvForm kept_as;
  std::optional<NumberTable> kept;
};

TEST(Csv, ACopyIsAskedForTheNumbersAndOfferedThem) {
  FakeCopy copy;
  const TemporaryFile file("a,b,c\n1,2,3\n4,5,6\n", ".csv");
  ASSERT_TRUE(ReadTable(file.path(), {{"b"}}, &copy).ok());
  ASSERT_TRUE(copy.kept.has_value());
  EXPECT_THAT(Values(*copy.kept), ElementsAre(1, 2, 3, 4, 5, 6));
  // Those of the copy count, and names and roles are the text's.
  copy.kept->rows = 1;
  const auto data = ReadTable(file.path(), {{"b"}, "c"}, &copy);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(Values(data->inputs), ElementsAre(1));
  EXPECT_THAT(Values(data->targets), ElementsAre(2));
  EXPECT_THAT(data->weights, ElementsAre(3));
  EXPECT_EQ(ReasonOf(ReadTable(file.path(), {{"d"}}, &copy).status()), v1::ERROR_REASON_COLUMN_NOT_FOUND);
  const TemporaryFile tabs("1\t2\t3\n", ".tsv");
  ASSERT_TRUE(ReadTable(tabs.path(), {}, &copy).ok());
  EXPECT_THAT(copy.asked, ElementsAre(CsvForm{CsvDelimiter::kDetected, 3}, CsvForm{CsvDelimiter::kDetected, 3},
                                      CsvForm{CsvDelimiter::kTab, 3}));
}

TEST(Csv, ACopyIsForAllWhoIgnoreOtherColumnsUnlessThereIsText) {
  FakeCopy copy;
  const TemporaryFile numbers("a,b,c\n1,2,3\n");
  ASSERT_TRUE(ReadTable(numbers.path(), {.ignored = {"a"}}, &copy).ok());
  EXPECT_EQ(copy.kept_as, (CsvForm{CsvDelimiter::kDetected, 3}));
  EXPECT_THAT(copy.asked, ElementsAre(copy.kept_as, CsvForm{CsvDelimiter::kDetected, 3, {0}}));
  copy.asked.clear();
  ASSERT_TRUE(ReadTable(numbers.path(), {.ignored = {"b"}}, &copy).ok());
  EXPECT_THAT(copy.asked, ElementsAre(copy.kept_as)) << "found at once";

  FakeCopy other;
  const TemporaryFile text("a,b,c,d\n1,x,3,4\n");
  ASSERT_TRUE(ReadTable(text.path(), {.ignored = {"b", "a"}}, &other).ok());
  EXPECT_EQ(other.kept_as, (CsvForm{CsvDelimiter::kDetected, 4, {0, 1}}));
  EXPECT_THAT(Values(*other.kept), ElementsAre(1, 0, 3, 4));
  EXPECT_EQ(ToError(ReadTable(text.path(), {}, &other).status()).metadata().at("column"), "2")
      << "who does not ignore the text is not given numbers in its place";
}

TEST(Csv, ColumnsThatAreIgnoredMayHoldAnything) {
  const TemporaryFile names("a,name,b,y\n1,x y,2,0\n3,\"a,\"\"b\"\"\n\",4,1\n5,,6,0\n");
  for (const char* ignored : {"name", "2"}) {
    const auto data = ReadTable(names.path(), {.ignored = {ignored}});
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(Values(data->inputs), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(Values(data->targets), ElementsAre(0, 1, 0));
    EXPECT_THAT(data->input_names, ElementsAre("a", "b"));
  }
  for (const char* field : {"nan", "inf", "-", "1e999", " "}) {
    const TemporaryFile file(absl::StrCat("1,2,3\n4,5,", field, "\n"));
    EXPECT_FALSE(ReadTable(file.path(), {}).ok()) << field;
    EXPECT_THAT(Values(ReadTable(file.path(), {.ignored = {"-1"}})->targets), ElementsAre(2, 5)) << field;
  }
  const TemporaryFile ragged("1,2,3\n4,5\n");
  EXPECT_EQ(ReasonOf(ReadTable(ragged.path(), {.ignored = {"3"}}).status()), v1::ERROR_REASON_DATA_MALFORMED);
  const TemporaryFile quotes("1,2,3\n1,2,\"x\"y\n");
  EXPECT_EQ(ReasonOf(ReadTable(quotes.path(), {.ignored = {"3"}}).status()), v1::ERROR_REASON_DATA_MALFORMED);
}

// Or an example would be taken as names, or numbers that are names learnt from.
TEST(Csv, AFirstLineThatMayBeNamesOrAnExampleIsRefused) {
  for (const char* text : {"r1,1,2\nr2,3,4\n", ",0,1\n0,0.5,1\n", "year,2019,2020\n1,2,3\n"}) {
    const TemporaryFile file(text);
    const absl::Status status = ReadTable(file.path(), {.ignored = {"-3"}}).status();
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("Put a line of names before all others")) << text;
  }
  const TemporaryFile named("id,x,2\nr1,1,2\n");
  EXPECT_EQ(ReadTable(named.path(), {.ignored = {"1"}})->inputs.rows, 1);
}

TEST(Csv, WhatIsRefusedIsNotOfferedToACopy) {
  for (const char* text : {"1,2\n3\n", "1,2\n3,x\n", "1,2\n3,inf\n", "a,b\n", ""}) {
    FakeCopy copy;
    const TemporaryFile file(text);
    EXPECT_FALSE(ReadTable(file.path(), {}, &copy).ok());
    EXPECT_FALSE(copy.kept.has_value()) << text;
  }
}

TEST(Csv, ReadsNumbersExactly) {
  const auto data = Read("0.1,1e-400,123456789012345678,4.9e-324,0\n");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(Values(data->inputs), ElementsAre(0.1, 0.0, 123456789012345678.0, 4.9e-324));
}

TEST(Csv, TakesTargetsByNameAndByNumberFromBothEnds) {
  const std::string table = "a,b,7,d\n1,2,3,4\n";
  const struct {
    std::vector<std::string> wanted;
    std::vector<double> targets, inputs;
  } cases[] = {
      {{}, {4}, {1, 2, 3}},     {{"b"}, {2}, {1, 3, 4}},      {{"1"}, {1}, {2, 3, 4}}, {{"-1"}, {4}, {1, 2, 3}},
      {{"-4"}, {1}, {2, 3, 4}}, {{"d", "a"}, {4, 1}, {2, 3}}, {{"3"}, {3}, {1, 2, 4}}, {{"7"}, {3}, {1, 2, 4}},
  };
  for (const auto& [wanted, targets, inputs] : cases) {
    const auto data = Read(table, wanted);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_EQ(Values(data->targets), targets);
    EXPECT_EQ(Values(data->inputs), inputs);
  }
}

TEST(Csv, SaysWhichColumnsThereAre) {
  for (const std::string wanted : {"c", "0", "3", "-3", "1.5", "", "99999999999999999999"}) {
    const auto data = Read("a,größe\n1,2\n", {wanted});
    ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_COLUMN_NOT_FOUND) << wanted;
    const v1::Error error = ToError(data.status());
    EXPECT_EQ(error.field(), "data.target_columns");
    EXPECT_EQ(error.metadata().at("column"), wanted);
    EXPECT_EQ(error.metadata().at("known"), "1 to 2 (a, größe)");
  }
  EXPECT_EQ(ToError(Read("1,2\n", {"a"}).status()).metadata().at("known"), "1 to 2");
  EXPECT_EQ(ReasonOf(Read("a,a,b\n1,2,3\n", {"a"}).status()), v1::ERROR_REASON_COLUMN_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Read("a,b\n1,2\n", {"a", "1"}).status()), v1::ERROR_REASON_SPEC_INVALID);
  EXPECT_EQ(ReasonOf(Read("a,b\n1,2\n", {"a", "b"}).status()), v1::ERROR_REASON_SPEC_INVALID);
}

TEST(Csv, SaysTheLineAndColumnOfWhatIsWrong) {
  const struct {
    std::string text;
    int line, column;
    std::string said;
  } cases[] = {
      {"1,2\n3\n", 2, 2, "the line ends, but the first line has 2 columns"},
      {"1,2\n3,4,5\n", 2, 3, "more columns than the first, which has 2"},
      {"1,2,3,4,5,6,7,8,9\n1\n1\n1\n1\n1\n1\n", 2, 2, "the line ends"},
      {"a,b\n1,x\n", 2, 2, "\"x\" is not a number"},
      {"a,b\n\n1,2\n3,\"4 x\"\n", 4, 2, "\"4 x\" is not a number"},
      {"\"a\nb\",c\n1,x\n", 3, 2, "\"x\""},
      {"1,2\n,4\n", 2, 1, "there is nothing"},
      {"1,2\n3,\n", 2, 2, "there is nothing"},
      {"1,2\n3,4\nnan,5\n", 3, 1, "\"nan\" is not a finite number"},
      {"NaN,2\n", 1, 1, "\"NaN\" is not a finite number"},
      {"1,-inf\n", 1, 2, "\"-inf\" is not a finite number"},
      {"1,2\n1e999,2\n", 2, 1, "\"1e999\" is not a finite number"},
      {"1,2\n0x10,2\n", 2, 1, "not a number"},
      {"1,2\n1 2,2\n", 2, 1, "not a number"},
      {"1,2\n1;2\n", 2, 1, "not a number"},
      {"1,2\n+-1,2\n", 2, 1, "not a number"},
      {"1,2\n\"3\"4,2\n", 2, 1, "text follows the closing quote"},
      {"1,2\n3,\"4\n5,6\n", 2, 1, "a quoted field is not closed"},
      {std::string("1,2\n3,\0\xff\n", 9), 2, 2, "\"??\" is not a number"},
      {"1,2\n" + std::string(9 << 20, '1'), 2, 1, "longer than 8 MiB"},
  };
  for (const auto& [text, line, column, said] : cases) {
    const auto data = Read(text);
    ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED) << text.substr(0, 100);
    const v1::Error error = ToError(data.status());
    EXPECT_EQ(error.metadata().at("line"), absl::StrCat(line)) << error.message();
    EXPECT_EQ(error.metadata().at("column"), absl::StrCat(column)) << error.message();
    EXPECT_THAT(error.message(), HasSubstr(said));
    EXPECT_EQ(error.field(), "data");
  }
}

TEST(Csv, RefusesTablesWithoutRowsOrWithoutInputs) {
  for (const std::string text : {"", "\n\n", "a,b\n", "\xEF\xBB\xBF", "a,b"}) {
    const auto data = Read(text);
    ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED) << text;
    EXPECT_THAT(ToError(data.status()).message(), HasSubstr("no rows")) << text;
  }
  EXPECT_EQ(ReasonOf(Read("1\n2\n").status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ReasonOf(Read(std::string(kMaxTableColumns, ',') + "\n1\n").status()), v1::ERROR_REASON_DATA_MALFORMED);
}

TEST(Csv, ALieInTheFirstLineAllocatesNothing) {
  // 100,000 columns times 200,000 lines would be 149 GiB.
  std::string text = "1";
  for (int i = 1; i < 100'000; ++i) text += ",1";
  text += "\n";
  for (int i = 0; i < 200'000; ++i) text += "1\n";
  const auto data = Read(text);
  ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(data.status()).metadata().at("line"), "2");
}

// While it lives, the process may have so many bytes of addresses more than it has.
class AddressLimit {
 public:
  explicit AddressLimit(int64_t more) {
    EXPECT_EQ(getrlimit(RLIMIT_AS, &before_), 0);
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit now{pages * static_cast<rlim_t>(getpagesize()) + static_cast<rlim_t>(more), before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_AS, &now), 0);
  }
  AddressLimit(const AddressLimit&) = delete;
  AddressLimit& operator=(const AddressLimit&) = delete;
  ~AddressLimit() { EXPECT_EQ(setrlimit(RLIMIT_AS, &before_), 0); }

 private:
  rlimit before_ = {};
};

TEST(Csv, OfAHugeFileThatIsHollowNothingIsAllocated) {
  const TemporaryFile file("a,b\n1,2\n");
  ASSERT_EQ(truncate(file.path().c_str(), off_t{1} << 40), 0);
  const AddressLimit limit(64 << 20);
  const auto data = ReadTable(file.path(), {});
  ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED) << data.status();
  EXPECT_THAT(ToError(data.status()).message(), HasSubstr("Line 3, column 1: the line, or a quoted field"));
}

TEST(Csv, SaysThatATableDoesNotFitIntoMemory) {
  // Its numbers take four times as many bytes as its text, in two ways of writing them.
  for (const char* row : {"1,1,1,1\n", "1,1,1,\"1\"\n"}) {
    std::string text;
    while (text.size() < (size_t{32} << 20)) text += row;
    const TemporaryFile file(text);
    const AddressLimit limit(48 << 20);
    const auto data = ReadTable(file.path(), {});
    ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATASET_TOO_LARGE) << data.status();
    EXPECT_THAT(ToError(data.status()).message(),
                AllOf(HasSubstr("too large for the memory that the trainer can have: after 1048576 rows its numbers "
                                "need more than 335544"),
                      HasSubstr("Save it as an NPY file")));
  }
}

TEST(Csv, ReadsRecordsAcrossTheEdgesOfItsBuffer) {
  std::string text;
  std::vector<double> expected;
  for (int i = 0; i < 100'000; ++i) {
    absl::StrAppend(&text, i, ",", -i, "\r\n");
    expected.push_back(i);
  }
  const auto data = Read(text);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(Values(data->inputs), expected);
}

}  // namespace
}  // namespace pilothouse::trainer
