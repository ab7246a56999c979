#include "trainer/data/printable.h"

#include <gtest/gtest.h>

namespace pilothouse::trainer {
namespace {

TEST(Printable, KeepsTextAndReplacesWhatIsNone) {
  EXPECT_EQ(Printable("größe €𝄞"), "größe €𝄞");
  EXPECT_EQ(Printable("a\tb\x7f\n"), "a?b??");
  const std::string broken[] = {"\xff", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"};
  for (const std::string& bytes : broken) EXPECT_EQ(Printable(bytes), std::string(bytes.size(), '?'));
}

TEST(Printable, CutsAtACharacter) {
  EXPECT_EQ(Printable(std::string(40, 'a')), std::string(40, 'a'));
  EXPECT_EQ(Printable(std::string(41, 'a')), std::string(40, 'a') + "…");
  EXPECT_EQ(Printable(std::string(39, 'a') + "é"), std::string(39, 'a') + "…");
}

TEST(Printable, ListsTheFirstNames) {
  EXPECT_EQ(PrintableList({"a", "b\n"}), "a, b?");
  EXPECT_EQ(PrintableList(std::vector<std::string>(21, "x")).size(), 20 * 3 + std::string("…").size());
}

}  // namespace
}  // namespace pilothouse::trainer
