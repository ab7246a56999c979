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
    const auto data = ReadTable(file.path(), {"label"}, weight);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(data->weights, ElementsAre(0.5, 0, 7));
    EXPECT_THAT(Values(data->inputs), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(Values(data->targets), ElementsAre(10, 11, 12));
  }
  EXPECT_THAT(ReadTable(file.path(), {"label"})->weights, IsEmpty());
}

TEST(WeightColumn, IsNotTheLastColumnThatIsTheTarget) {
  const TemporaryFile file(kTable);
  EXPECT_THAT(Values(ReadTable(file.path(), {}, "weight")->targets), ElementsAre(2, 4, 6));
  EXPECT_THAT(Values(ReadTable(file.path(), {}, "x")->targets), ElementsAre(0.5, 0, 7));
}

TEST(WeightColumn, HasNoOtherRole) {
  const TemporaryFile file(kTable);
  const auto refusal = [&](const std::vector<std::string>& targets, const std::string& weight) {
    const auto data = ReadTable(file.path(), targets, weight);
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
  EXPECT_EQ(ReasonOf(ReadTable(two.path(), {}, "2").status()), v1::ERROR_REASON_SPEC_INVALID);
}

}  // namespace
}  // namespace pilothouse::trainer
