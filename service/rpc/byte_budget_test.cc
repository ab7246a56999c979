#include "service/rpc/byte_budget.h"

#include <gtest/gtest.h>

namespace pilothouse::service {
namespace {

TEST(ByteBudget, GivesNoMoreThanThereIsAndTakesItBackWithTheLastTicket) {
  ByteBudget budget(100);
  ByteBudget::Ticket first = budget.Take(60);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(budget.Take(41), nullptr);
  const ByteBudget::Ticket rest = budget.Take(40);
  EXPECT_NE(rest, nullptr);
  ByteBudget::Ticket copy = first;
  first.reset();
  EXPECT_EQ(budget.Take(60), nullptr);
  copy.reset();
  EXPECT_NE(budget.Take(60), nullptr);
}

}  // namespace
}  // namespace pilothouse::service
