#include "trainer/channel/query_budget.h"

#include <gtest/gtest.h>

#include <vector>

namespace pilothouse::trainer {
namespace {

TEST(QueryBudget, GivesOutNoMoreThanItsBytesAndGetsThemBack) {
  QueryBudget budget;
  QueryTicket most = budget.Reserve(kMaxOpenQueryBytes - 1);
  ASSERT_NE(most, nullptr);
  EXPECT_EQ(budget.Reserve(2), nullptr);
  EXPECT_NE(budget.Reserve(1), nullptr);
  most = nullptr;
  EXPECT_NE(budget.Reserve(kMaxOpenQueryBytes), nullptr);
  EXPECT_NE(budget.Reserve(kMaxOpenQueryBytes + 1), nullptr) << "alone, any query has room";
}

TEST(QueryBudget, GivesOutNoMoreTicketsThanItsNumber) {
  QueryBudget budget;
  std::vector<QueryTicket> tickets(kMaxOpenQueries);
  for (QueryTicket& ticket : tickets) {
    ticket = budget.Reserve(1);
    ASSERT_NE(ticket, nullptr);
  }
  EXPECT_EQ(budget.Reserve(1), nullptr);
}

}  // namespace
}  // namespace pilothouse::trainer
