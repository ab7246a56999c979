#include "proto/support/text.h"

#include <gtest/gtest.h>

#include <string>

namespace pilothouse {
namespace {

TEST(Text, ValidTextStaysAsItIs) {
  for (const char* text : {"", "plain", "Grüße", "日本", "🚢", "\u07FF\u0800\uFFFF"}) EXPECT_EQ(ValidUtf8(text), text);
}

TEST(Text, BytesThatAreNoCharactersBecomeQuestionMarks) {
  EXPECT_EQ(ValidUtf8("caf\xe9 \xff!"), "caf? ?!");
  EXPECT_EQ(ValidUtf8("\x80"), "?");
  EXPECT_EQ(ValidUtf8("cut \xc3"), "cut ?");
  EXPECT_EQ(ValidUtf8("\xc0\xaf"), "??") << "overlong";
  EXPECT_EQ(ValidUtf8("\xe0\x80\xaf"), "???") << "overlong";
  EXPECT_EQ(ValidUtf8("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(ValidUtf8("\xf4\x90\x80\x80"), "????") << "beyond the last character";
}

TEST(Text, EveryByteStringBecomesValidAndValidTextIsAFixedPoint) {
  uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 20; ++i) bytes += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    const std::string valid = ValidUtf8(bytes);
    EXPECT_EQ(ValidUtf8(valid), valid);
  }
}

TEST(Text, IsShortenedAtACharacter) {
  EXPECT_EQ(Shortened("short", 5), "short");
  EXPECT_EQ(Shortened("longer", 4), "long…");
  EXPECT_EQ(Shortened("éé", 3), "é…");
  EXPECT_EQ(Shortened("é", 1), "…");
}

}  // namespace
}  // namespace pilothouse
