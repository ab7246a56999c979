#include "clients/cpp/pilot/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace pilothouse::client {
namespace {

TEST(Numbers, AreShortAndExact) {
  EXPECT_EQ(FormatLoss(0.0421312345), "0.042131");
  EXPECT_EQ(FormatLoss(1.23456e-5), "1.2346e-05");
  EXPECT_EQ(FormatLoss(2), "2");
  EXPECT_EQ(FormatLoss(-1), "none yet");
  EXPECT_EQ(FormatLoss(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(FormatLoss(-std::numeric_limits<double>::infinity()), "-Infinity");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(-123456), "-123,456");
}

TEST(Sizes, HaveUnits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.0 kB");
  EXPECT_EQ(FormatBytes(999960), "1.0 MB");
  EXPECT_EQ(FormatBytes(1234567), "1.2 MB");
  EXPECT_EQ(FormatBytes(5000000000000000), "5000.0 TB");
}

TEST(Spans, NameTheirTwoLargestUnits) {
  EXPECT_EQ(FormatSpan(absl::Milliseconds(420)), "0.4 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(12)), "12 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(185)), "3 min 5 s");
  EXPECT_EQ(FormatSpan(absl::Minutes(130)), "2 h 10 min");
  EXPECT_EQ(FormatSpan(absl::Hours(76)), "3 d 4 h");
  EXPECT_EQ(FormatSpan(absl::Seconds(-3)), "0.0 s");
}

TEST(Text, FromElsewhereCannotControlTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[2Jb\n\xc2\x9b"), "a?[2Jb??");
  EXPECT_EQ(Printable("Ωλ 学习"), "Ωλ 学习");
  EXPECT_EQ(Printable("\xff\xe2\x82"), "???");
  EXPECT_EQ(Printable("x\u202ey"), "x?y");
  EXPECT_EQ(PrintableLines("a\x1b\n\nb\n", " | "), "a? | b");
}

TEST(Text, IsCutAtAWidthInColumns) {
  EXPECT_EQ(DisplayWidth("Affine 2→2"), 10);
  EXPECT_EQ(DisplayWidth("学习"), 4);
  EXPECT_EQ(Truncate("abcdef", 6), "abcdef");
  EXPECT_EQ(Truncate("abcdef", 4), "abc…");
  EXPECT_EQ(Truncate("学习机器", 4), "学…");
  EXPECT_EQ(Truncate("abc", 0), "");
}

TEST(Text, IsWrappedBetweenWords) {
  EXPECT_EQ(WrapText("- ", "one two  three", 2, 9), "- one two\n  three\n");
  EXPECT_EQ(WrapText("", "averyverylongword and", 4, 8), "averyverylongword\n    and\n");
  EXPECT_EQ(WrapText("name  ", "", 2, 8), "name\n");
}

TEST(Tables, AlignTheirColumns) {
  EXPECT_EQ(FormatTable({{"layer", "n"}, {"2→2", "10"}, {"x", "5"}}, {false, true}, "  "),
            "  layer   n\n  2→2    10\n  x       5\n");
}

}  // namespace
}  // namespace pilothouse::client
