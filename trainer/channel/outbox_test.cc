#include "trainer/channel/outbox.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

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

Report CheckpointAt(int64_t batch) {
  Report report;
  report.batch = batch;
  report.kind = CheckpointReport{};
  return report;
}

TEST(Outbox, WantsWhatWaitsKeptElsewhereFromEachCheckpointOnWhileNoServiceIsThere) {
  Outbox outbox;
  outbox.OnReport(StatusAt(RunStatus::kTraining));
  EXPECT_TRUE(outbox.ToKeep(false).empty()) << "nothing to go on from";
  outbox.OnReport(CheckpointAt(10));
  EXPECT_EQ(outbox.ToKeep(false).size(), 2U);
  EXPECT_TRUE(outbox.ToKeep(false).empty()) << "nothing new";
  outbox.NotKept();
  EXPECT_EQ(outbox.ToKeep(false).size(), 2U) << "again, since it could not be";
  outbox.OnReport(CheckpointAt(20));
  const std::vector<NumberedReport> kept = outbox.ToKeep(false);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept.back().number, 3U);
  EXPECT_EQ(outbox.ToKeep(true).size(), 3U) << "always at the end";
}

TEST(Outbox, CountsTheCheckpointsThatAServiceWillBeToldOfOnceTheirReportsAreKept) {
  Outbox outbox;
  outbox.OnReport(CheckpointAt(10));
  outbox.OnReport(CheckpointAt(20));
  outbox.ToKeep(false);
  EXPECT_EQ(outbox.CheckpointsAnnounced(), 0) << "not on the disk yet";
  outbox.OnReport(CheckpointAt(30));
  outbox.Kept();
  EXPECT_EQ(outbox.CheckpointsAnnounced(), 2) << "the third came later";
  EXPECT_EQ(outbox.CheckpointsRecorded(), 0);
  outbox.KeptNoMore();
  EXPECT_EQ(outbox.CheckpointsAnnounced(), 0);
}

TEST(Outbox, WantsNothingKeptOfWhatAServiceIsThereForUntilItHasGoneWithoutTakingIt) {
  Outbox outbox;
  outbox.BeginStream();
  outbox.OnReport(CheckpointAt(10));
  EXPECT_EQ(outbox.ToKeep(false).size(), 1U) << "it has not answered";
  outbox.ResendUntaken();
  outbox.OnReport(CheckpointAt(20));
  EXPECT_TRUE(outbox.ToKeep(false).empty());
  outbox.EndStream();
  EXPECT_EQ(outbox.ToKeep(false).size(), 2U);
}

TEST(Outbox, WantsNothingKeptOfReportsThatBelongTogetherBeforeAllAreThere) {
  Outbox outbox;
  outbox.Hold(true);
  outbox.OnReport(CheckpointAt(10));
  EXPECT_TRUE(outbox.ToKeep(false).empty());
  outbox.OnReport(StatusAt(RunStatus::kTraining));
  outbox.Hold(false);
  EXPECT_EQ(outbox.ToKeep(false).size(), 2U);
}

}  // namespace
}  // namespace pilothouse::trainer
