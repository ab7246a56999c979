#include "trainer/data/row_selection.h"

#include <gtest/gtest.h>

namespace pilothouse::trainer {
namespace {

TEST(RowSelection, TellsWhetherItsRowsLieTogether) {
  const RowSelection range(5, 3);
  const RowSelection listed(std::vector<int64_t>{5, 6, 7});
  const RowSelection apart(std::vector<int64_t>{5, 6, 8});
  const RowSelection backwards(std::vector<int64_t>{7, 6, 5});
  for (const RowSelection& selection : {range, listed, apart, backwards}) EXPECT_EQ(selection.size(), 3);
  EXPECT_TRUE(range.together());
  EXPECT_TRUE(listed.together());
  EXPECT_FALSE(apart.together());
  EXPECT_FALSE(backwards.together());
  EXPECT_EQ(listed[2], 7);
  EXPECT_EQ(apart[2], 8);
  EXPECT_EQ(backwards[0], 7);
  EXPECT_EQ(RowSelection(std::vector<int64_t>{}).size(), 0);
}

}  // namespace
}  // namespace pilothouse::trainer
