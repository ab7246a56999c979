#include "trainer/data/column_roles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/table_values.h"
#include "trainer/data/temporary_file.h"

namespace pilothouse::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kTable[] = "x,label,y,weight\n1,10,2,0.5\n3,11,4,0\n5,12,6,7\n";

TEST(WeightColumn, IsNeitherInputNorTarget) {
  const TemporaryFile file(kTable);
  for (const char* weight : {"weight", "4", "-1"}) {
    const auto data = ReadTable(file.path(), {{"label"}, weight});
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(data->weights, ElementsAre(0.5, 0, 7));
    EXPECT_THAT(Values(data->inputs), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(Values(data->targets), ElementsAre(10, 11, 12));
  }
  EXPECT_THAT(ReadTable(file.path(), {{"label"}})->weights, IsEmpty());
}

TEST(WeightColumn, IsNotTheLastColumnThatIsTheTarget) {
  const TemporaryFile file(kTable);
  EXPECT_THAT(Values(ReadTable(file.path(), {{}, "weight"})->targets), ElementsAre(2, 4, 6));
  EXPECT_THAT(Values(ReadTable(file.path(), {{}, "x"})->targets), ElementsAre(0.5, 0, 7));
}

TEST(WeightColumn, HasNoOtherRole) {
  const TemporaryFile file(kTable);
  const auto refusal = [&](const std::vector<std::string>& targets, const std::string& weight) {
    const auto data = ReadTable(file.path(), {targets, weight});
    if (data.ok()) return std::string("no refusal");
    const v1::Error error = ToError(data.status());
    return absl::StrCat(ReasonName(error.reason()), " ", error.field(), ": ", error.message());
  };
  EXPECT_EQ(
      refusal({"x", "label"}, "2"),
      "SPEC_INVALID data.weight_column: The column \"label\" is named as a target and as the weight; choose one.");
  EXPECT_THAT(
      refusal({"x"}, "wieght"),
      HasSubstr("COLUMN_NOT_FOUND data.weight_column: The column \"wieght\" is not in the table's header. Known"));
  EXPECT_THAT(refusal({"x"}, "5"), HasSubstr("COLUMN_NOT_FOUND data.weight_column: The column \"5\" does not exist"));
  EXPECT_THAT(refusal({"x", "label", "y"}, "weight"), HasSubstr("SPEC_INVALID data.target_columns: All columns"));
  const TemporaryFile two("1,2\n3,4\n");
  EXPECT_EQ(ReasonOf(ReadTable(two.path(), {{}, "2"}).status()), v1::ERROR_REASON_SPEC_INVALID);
}

TEST(IgnoredColumns, AreNothing) {
  const TemporaryFile file(kTable);
  for (const std::vector<std::string>& ignored : {std::vector<std::string>{"label"}, {"2"}, {"-3"}}) {
    const auto data = ReadTable(file.path(), {{}, "weight", ignored});
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(Values(data->inputs), ElementsAre(1, 3, 5));
    EXPECT_THAT(Values(data->targets), ElementsAre(2, 4, 6));
    EXPECT_THAT(data->weights, ElementsAre(0.5, 0, 7));
  }
  const auto last = ReadTable(file.path(), {.ignored = {"weight", "y"}});
  EXPECT_THAT(Values(last->targets), ElementsAre(10, 11, 12)) << "the last that is not ignored";
}

TEST(IgnoredColumns, HaveNoOtherRole) {
  const TemporaryFile file(kTable);
  const auto refusal = [&](const ColumnChoice& choice) {
    const auto data = ReadTable(file.path(), choice);
    if (data.ok()) return std::string("no refusal");
    const v1::Error error = ToError(data.status());
    return absl::StrCat(ReasonName(error.reason()), " ", error.field(), ": ", error.message());
  };
  const std::string field = "SPEC_INVALID data.ignored_columns: ";
  EXPECT_EQ(refusal({{"y"}, std::nullopt, {"y"}}),
            field + "The column \"y\" is named as a target and as ignored; choose one.");
  EXPECT_EQ(refusal({{}, "y", {"3"}}),
            "SPEC_INVALID data.weight_column: The column \"3\" is named as ignored and as the weight; choose one.");
  EXPECT_EQ(refusal({.ignored = {"x", "1"}}), field + "The column \"1\" is named as ignored twice.");
  EXPECT_THAT(refusal({.ignored = {"id"}}),
              HasSubstr("COLUMN_NOT_FOUND data.ignored_columns: The column \"id\" is not in the table's header."));
  EXPECT_EQ(refusal({{"x"}, "weight", {"label", "y"}}),
            field + "All columns are targets, the weight or ignored, so that none is left as an input.");
  for (const std::vector<std::string>& all : {std::vector<std::string>{"x", "label", "y"}, {"1", "2", "3", "4"}}) {
    EXPECT_EQ(refusal({.ignored = all}),
              field + "All columns are targets or ignored, so that none is left as an input.");
  }
}

TEST(InputNames, AreThoseOfTheHeaderInTheOrderOfTheInputs) {
  const TemporaryFile file(kTable);
  EXPECT_THAT(ReadTable(file.path(), {{"label"}, "weight"})->input_names, ElementsAre("x", "y"));
  const TemporaryFile quoted(" a ,\"b,\"\"c\",d\n1,2,3\n");
  EXPECT_THAT(ReadTable(quoted.path(), {})->input_names, ElementsAre("a", "b,\"c"));
}

TEST(InputNames, AreLeftOutWhereTheyTellNothing) {
  for (const std::string& text : {std::string("1,2,3\n"), std::string("a,a,y\n1,2,3\n"), std::string("a,y,y\n1,2,3\n"),
                                  std::string("a,,y\n1,2,3\n"), std::string("a,\xff,y\n1,2,3\n"),
                                  absl::StrCat(std::string(kMaxInputNamesBytes, 'a'), ",b,y\n1,2,3\n")}) {
    const TemporaryFile file(text);
    const auto data = ReadTable(file.path(), {{"3"}});
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(data->input_names, IsEmpty()) << text.substr(0, 20);
  }
  const TemporaryFile longest(absl::StrCat(std::string(kMaxInputNamesBytes - 1, 'a'), ",b,y\n1,2,3\n"));
  EXPECT_EQ(ReadTable(longest.path(), {})->input_names.size(), 2U);
}

}  // namespace
}  // namespace pilothouse::trainer
