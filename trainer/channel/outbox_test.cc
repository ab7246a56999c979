#include "trainer/channel/outbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

Report StatusAt(RunStatus status) {
  Report report;
  report.kind = StatusReport{status, IdleReason::kNone, "", 0, -1};
  return report;
}

v1::Answer Numbered(uint64_t query_id) {
  v1::Answer answer;
  answer.set_query_id(query_id);
  return answer;
}

TEST(Outbox, GivesRefusalsAndAnswersBeforeReportsAndAHeartbeatLast) {
  Outbox outbox;
  outbox.BeginStream();
  outbox.OnHeartbeat({7, 0.5, {}});
  outbox.OnHeartbeat({8, 0.5, {}});
  outbox.OnReport(StatusAt(RunStatus::kIdle));
  outbox.AddAnswer(outbox.stream(), Numbered(1), nullptr);
  outbox.OnRefusal({"a", absl::InternalError("no")});
  EXPECT_TRUE(std::holds_alternative<Refusal>(*outbox.Next()));
  EXPECT_TRUE(std::holds_alternative<v1::Answer>(*outbox.Next()));
  EXPECT_TRUE(std::holds_alternative<std::vector<NumberedReport>>(*outbox.Next()));
  const std::optional<Outgoing> last = outbox.Next();
  EXPECT_EQ(std::get<Heartbeat>(*last).batch, 8) << "the newest only";
}

TEST(Outbox, DropsAnswersToQueriesOfAStreamThatHasEnded) {
  Outbox outbox;
  outbox.BeginStream();
  const Outbox::StreamId first = outbox.stream();
  outbox.AddAnswer(first, Numbered(1), nullptr);
  EXPECT_TRUE(outbox.Lives(first));
  outbox.EndStream();
  EXPECT_FALSE(outbox.Lives(first));
  EXPECT_FALSE(outbox.Next().has_value());
  outbox.BeginStream();
  EXPECT_FALSE(outbox.Lives(first));
  outbox.AddAnswer(first, Numbered(2), nullptr);
  outbox.OnRefusal({"a", absl::InternalError("no")});
  EXPECT_TRUE(std::holds_alternative<Refusal>(*outbox.Next()));
  // Nothing but this report is left.
  outbox.OnReport(StatusAt(RunStatus::kIdle));
  EXPECT_TRUE(std::holds_alternative<std::vector<NumberedReport>>(*outbox.Next()));
}

TEST(Outbox, KeepsTheTicketOfAnAnswerUntilItIsSentOrDropped) {
  Outbox outbox;
  outbox.BeginStream();
  QueryBudget budget;
  QueryTicket ticket = budget.Reserve(kMaxOpenQueryBytes);
  outbox.AddAnswer(outbox.stream(), Numbered(1), std::move(ticket));
  EXPECT_EQ(budget.Reserve(1), nullptr);
  ASSERT_TRUE(outbox.Next().has_value());
  ticket = budget.Reserve(kMaxOpenQueryBytes);
  ASSERT_NE(ticket, nullptr);
  outbox.AddAnswer(outbox.stream(), Numbered(2), std::move(ticket));
  outbox.EndStream();
  EXPECT_NE(budget.Reserve(kMaxOpenQueryBytes), nullptr);
}

TEST(Outbox, KeepsTheNewestRefusalsWhenThereAreTooMany) {
  Outbox outbox;
  for (size_t i = 0; i <= kMaxWaitingRefusals; ++i) outbox.OnRefusal({std::to_string(i), absl::InternalError("no")});
  outbox.BeginStream();
  EXPECT_EQ(std::get<Refusal>(*outbox.Next()).request_id, "1");
}

TEST(Outbox, WakesWhoeverWaitsWhenSomethingComesAndWhenTheStreamEnds) {
  Outbox outbox;
  outbox.BeginStream();
  int given = 0;
  std::thread writer([&] {
    while (outbox.Next().has_value()) ++given;
  });
  outbox.OnReport(StatusAt(RunStatus::kStopped));
  // What was not given yet cannot be taken.
  while (!outbox.LastReportTaken()) {
    outbox.Taken(1);
    std::this_thread::yield();
  }
  outbox.EndStream();
  writer.join();
  EXPECT_EQ(given, 1);
}

TEST(Outbox, TakesAFailureForTheLastReportAsWell) {
  Outbox outbox;
  outbox.OnReport(StatusAt(RunStatus::kFailed));
  EXPECT_TRUE(outbox.LastReportAdded());
}

TEST(Outbox, KnowsWhenTheLastReportOfARunWasTaken) {
  Outbox outbox;
  outbox.BeginStream();
  outbox.OnReport(StatusAt(RunStatus::kStopping));
  EXPECT_FALSE(outbox.LastReportAdded());
  outbox.OnReport(StatusAt(RunStatus::kStopped));
  EXPECT_TRUE(outbox.LastReportAdded());
  ASSERT_TRUE(outbox.Next().has_value());
  outbox.Taken(1);
  EXPECT_FALSE(outbox.LastReportTaken());
  outbox.Taken(2);
  EXPECT_TRUE(outbox.LastReportTaken());
}

}  // namespace
}  // namespace pilothouse::trainer
