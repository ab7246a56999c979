// Tables as predictions take them.
#include "clients/cpp/pilot/table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilothouse_client/npy.h"
#include "clients/cpp/testing/test_folder.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

TEST(Table, IsReadWithOrWithoutAHeader) {
  const absl::StatusOr<Table> with = ParseTable("\xEF\xBB\xBF\"a\", b\r\n1,2\r\n\r\n3,4e1\r\n");
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_EQ(with->header, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(with->rows, 2);
  EXPECT_EQ(with->values, (std::vector<double>{1, 2, 3, 40}));
  EXPECT_TRUE(ParseTable("1,2\n")->header.empty());
}

TEST(Table, RefusalsNameLineAndColumn) {
  const auto place = [](const std::string& text) {
    const absl::StatusOr<Table> table = ParseTable(text);
    const v1::Error error = ToError(table.ok() ? CheckNumbers(*table) : table.status());
    EXPECT_EQ(error.reason(), v1::ERROR_REASON_DATA_MALFORMED);
    return error.metadata().at("line") + ":" + error.metadata().at("column");
  };
  EXPECT_EQ(place("a,b\n1,2\n3\n"), "3:1");
  EXPECT_EQ(place("1,2\n3,x\n"), "2:2");
  EXPECT_EQ(place("1,2\nnan,4\n"), "2:1");
  EXPECT_EQ(place("1,2\n3,x\ny,4\n"), "2:2");
  EXPECT_EQ(place("a,b\n"), "2:1");
}

TEST(Table, DropsColumnsByNameNumberOrPlaceFromTheEnd) {
  const Table table = *ParseTable("a,b,c\n1,2,3\n4,5,6\n");
  const auto rest = [&table](const std::vector<std::string>& names) {
    Table copy = table;
    EXPECT_TRUE(DropColumns(names, copy).ok());
    EXPECT_EQ(copy.columns, static_cast<int64_t>(copy.header.size()));
    return copy.values;
  };
  EXPECT_EQ(rest({}), (std::vector<double>{1, 2, 4, 5}));
  EXPECT_EQ(rest({"a"}), (std::vector<double>{2, 3, 5, 6}));
  EXPECT_EQ(rest({"1", "-1"}), (std::vector<double>{2, 5}));
  Table copy = table;
  EXPECT_EQ(ReasonOf(DropColumns({"d"}, copy)), v1::ERROR_REASON_COLUMN_NOT_FOUND);
  EXPECT_EQ(ReasonOf(DropColumns({"0"}, copy)), v1::ERROR_REASON_COLUMN_NOT_FOUND);
  EXPECT_EQ(ReasonOf(DropColumns({"4"}, copy)), v1::ERROR_REASON_COLUMN_NOT_FOUND);
}

std::vector<double> Inputs(const TableRoles& roles, int64_t inputs, const std::string& text) {
  Table table = *ParseTable(text);
  const absl::Status kept = KeepInputs(roles, inputs, table);
  EXPECT_TRUE(kept.ok()) << kept;
  return table.values;
}

TEST(TableInputs, AreToldByTheirNames) {
  const auto told = [](const TableRoles& roles, int64_t inputs, const std::string& text) {
    Table table = *ParseTable(text);
    const std::vector<std::string> header = table.header;
    EXPECT_TRUE(KeepInputs(roles, inputs, table).ok());
    return InputsText(header, table, /*by_name=*/false);
  };
  EXPECT_EQ(told({}, 2, "1,2,3\n"), "");
  EXPECT_EQ(told({}, 2, "b,a\n1,2\n"), "the inputs, in this order: b, a");
  EXPECT_EQ(told({}, 2, "id,a,b\n1,2,3\n"), "the inputs, in this order: id, a; left out: b");
  EXPECT_EQ(told({{"y", "z"}, "w"}, 1, "y,w,x,z\n1,9,2,3\n"), "the inputs, in this order: x; left out: y, w, z");
  EXPECT_EQ(told({}, 18, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r\n1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8\n"),
            "the inputs, in this order: a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, …, r");
}

TEST(TableInputs, AreTakenByTheirNames) {
  Table table = *ParseTable("name,b,y,a\nx,2,nan,1\ny,4,,3\n");
  const std::vector<std::string> header = table.header;
  ASSERT_TRUE(KeepNamed({"a", "b"}, table).ok());
  EXPECT_EQ(table.values, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(table.header, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(CheckNumbers(table).ok());
  EXPECT_EQ(InputsText(header, table, /*by_name=*/true), "the inputs, by their names: a, b; left out: name, y");

  Table other = *ParseTable("a,b,a\n1,x,3\n");
  EXPECT_EQ(ToError(KeepNamed({"c"}, other)).message(),
            "the run learnt from a column c, which this table does not have; it has a, b, a. Without its first line, "
            "columns are taken in their order.");
  const absl::Status twice = KeepNamed({"b", "a"}, other);
  EXPECT_EQ(ReasonOf(twice), v1::ERROR_REASON_COLUMN_NOT_FOUND);
  EXPECT_TRUE(absl::StrContains(twice.message(), "has more than once")) << twice;
  ASSERT_TRUE(KeepNamed({"b"}, other).ok());
  EXPECT_EQ(ToError(CheckNumbers(other)).metadata().at("column"), "2") << "as in the file";
}

TEST(TableInputs, AreWhatIsNotIgnored) {
  EXPECT_EQ(Inputs({.ignored = {"1"}}, 2, "9,1,2,3\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({.ignored = {"-1"}}, 2, "1,2,3,9\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({.weight = "-1", .ignored = {"3"}}, 1, "1,3,9,7\n"), (std::vector<double>{1}));
  EXPECT_EQ(Inputs({{"y"}, "", {"id"}}, 2, "id,a,b\n9,1,2\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({.ignored = {"id"}}, 2, "id,a,y,b\n9,1,2,3\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({.ignored = {"1"}}, 2, "1,2\n"), (std::vector<double>{1, 2}));
  // The one column too many may be the target or what is ignored.
  EXPECT_EQ(Inputs({.ignored = {"1"}}, 2, "a,b,c\n1,2,3\n"), (std::vector<double>{1, 2, 3}));
}

TEST(Table, FieldsMayBeQuoted) {
  const Table table = *ParseTable("\"a, \"\"b\"\"\",c ,\"d\n e\"\r\n\"1\", \"2\" ,\"x,\n\ny\"\n4,5,6");
  EXPECT_EQ(table.header, (std::vector<std::string>{"a, \"b\"", "c", "d\n e"}));
  EXPECT_EQ(table.values, (std::vector<double>{1, 2, 0, 4, 5, 6}));
  EXPECT_EQ(ToError(CheckNumbers(table)).metadata().at("line"), "3") << "where the record begins";
  const Table tabs = *ParseTable("a\tb\tc\n1\t2\t\n", '\t');
  EXPECT_EQ(tabs.columns, 3);
  EXPECT_TRUE(tabs.bad_cells[2].has_value()) << "a column that is empty is there";
  // Or all that follows would be a part of it, and no row.
  const v1::Error open = ToError(ParseTable("1,2,3\n4,5,\"x\n7,8,9\n").status());
  EXPECT_EQ(open.message(), "line 2, column 3: a quote is opened and never closed.");
}

TEST(TableInputs, AreLeftOfATableAsItWasTrainedOn) {
  EXPECT_EQ(Inputs({}, 2, "1,2,3\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({{}, "-1"}, 2, "1,2,3,9\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({{}, "2"}, 2, "1,9,2,3\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({{"y", "z"}, "w"}, 1, "y,w,x,z\n1,9,2,3\n"), (std::vector<double>{2}));
  EXPECT_EQ(Inputs({{"1", "z"}, "w"}, 1, "y,w,x,z\n1,9,2,3\n"), (std::vector<double>{2}));
}

TEST(TableInputs, AreLeftWhereTheHeaderSaysWhatElseIsThere) {
  const TableRoles roles = {{"y"}, "w"};
  EXPECT_EQ(Inputs(roles, 2, "a,b\n1,2\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs(roles, 2, "w,a,b\n9,1,2\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs(roles, 2, "a,y,b\n1,3,2\n"), (std::vector<double>{1, 2}));
  // Without a name for the targets: with the weight, or without.
  EXPECT_EQ(Inputs({{}, "w"}, 2, "a,w,b\n1,9,2\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({{}, "w"}, 2, "a,b,y\n1,2,3\n"), (std::vector<double>{1, 2}));
}

TEST(TableInputs, AreNotGuessed) {
  EXPECT_EQ(Inputs({{}, "w"}, 2, "1,2,3\n"), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(Inputs({{"y"}, "w"}, 2, "a,b,c\n1,2,3\n"), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(Inputs({{"y"}, ""}, 2, "a,b,y,c\n1,2,3,4\n"), (std::vector<double>{1, 2, 3, 4}));
  Table table = *ParseTable("1,2,3\n");
  EXPECT_EQ(ReasonOf(KeepInputs({{"y"}, ""}, 2, table)), v1::ERROR_REASON_COLUMN_NOT_FOUND);
}

TEST(TableInputs, AreAskedForAloneWhereTheOneColumnTooManyMayBeTheTargetOrTheWeight) {
  for (const auto& [weight, text] :
       {std::pair{"1", "w,a,b\n9,1,2\n"}, {"1", "a,b,y\n1,2,3\n"}, {"-1", "a,b,w\n1,2,9\n"}, {"-1", "1,2,9\n"}}) {
    Table table = *ParseTable(text);
    const absl::Status status = KeepInputs({{}, weight}, 2, table);
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_ARRAY_SHAPE_INVALID) << text;
    EXPECT_EQ(status.message(), absl::StrCat("the run takes 2 inputs per row; this table has one column more, which "
                                             "may be the target or the weight, since the run knows its weight as "
                                             "column ",
                                             weight, " alone. Give a table of the inputs and nothing else."));
    EXPECT_EQ(table.columns, 3) << text;
  }
  // With both, with neither, or where a header names the column as the run does, there is no doubt.
  EXPECT_EQ(Inputs({{}, "1"}, 2, "w,a,b,y\n9,1,2,3\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({{}, "1"}, 2, "a,b\n1,2\n"), (std::vector<double>{1, 2}));
  EXPECT_EQ(Inputs({{}, "1"}, 2, "a,1,b\n1,9,2\n"), (std::vector<double>{1, 2}));
}

TEST(TableFile, IsReadAsWhatItIs) {
  const TestFolder folder;
  const std::vector<double> values = {1, 2, 3, 4};
  for (const std::string& path :
       {folder.Write("a.csv", "x,y\n1,2\n3,4\n"), folder.Write("b.tab", "x\ty\n1\t2\n3\t4\n"),
        folder.Write("c.txt", "1\t2\n3\t4\n"), folder.Write("d", WriteNpy(MakeTensor(values, {2, 2})))}) {
    const absl::StatusOr<Table> table = ReadTableFile(path);
    ASSERT_TRUE(table.ok()) << path << table.status();
    EXPECT_EQ(table->rows, 2) << path;
    EXPECT_EQ(table->columns, 2) << path;
    EXPECT_EQ(table->values, values) << path;
  }
}

TEST(TableFile, RefusesWhatIsNoTable) {
  const TestFolder folder;
  const std::vector<double> values = {1, 2};
  EXPECT_EQ(ReasonOf(ReadTableFile(folder.Write("x.npy", WriteNpy(MakeTensor(values, {2})))).status()),
            v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  const absl::Status npz = ReadTableFile(folder.Write("x.npz", "PK\x03\x04 and more")).status();
  EXPECT_TRUE(absl::IsInvalidArgument(npz));
  EXPECT_TRUE(absl::StrContains(npz.message(), "numpy.save")) << npz;
  EXPECT_TRUE(absl::IsNotFound(ReadTableFile(folder.Path("missing.csv")).status()));
}

}  // namespace
}  // namespace pilothouse::client
