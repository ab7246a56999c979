#include "trainer/channel/report_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Report At(int64_t batch, decltype(Report::kind) kind) {
  Report report;
  report.batch = batch;
  report.kind = std::move(kind);
  return report;
}
Report Loss(int64_t batch) { return At(batch, LossReport{.value = 0.5, .at_target = false}); }
Report Change(int64_t batch) { return At(batch, ControlReport{}); }
Report State(int64_t batch, bool asked) { return At(batch, StateReport{nullptr, 0.1, 0.5, asked}); }

std::vector<uint64_t> Numbers(const std::vector<NumberedReport>& reports) {
  std::vector<uint64_t> numbers;
  for (const NumberedReport& report : reports) numbers.push_back(report.number);
  return numbers;
}

// Sends everything that waits, as a service would see it that takes at once.
std::vector<NumberedReport> TakeAll(ReportBuffer& buffer) {
  std::vector<NumberedReport> all;
  while (buffer.HasToSend()) {
    for (const NumberedReport& report : buffer.NextToSend()) all.push_back(report);
    buffer.Taken(all.back().number);
  }
  return all;
}

TEST(ReportBuffer, NumbersReportsFromOneAndForgetsThoseThatWereTaken) {
  ReportBuffer buffer;
  for (int i = 0; i < 3; ++i) buffer.Add(Loss(i));
  EXPECT_THAT(Numbers(buffer.NextToSend()), ElementsAre(1, 2, 3));
  EXPECT_THAT(buffer.NextToSend(), IsEmpty());
  buffer.Taken(2);
  EXPECT_EQ(buffer.size(), 1u);
  buffer.Taken(3);
  EXPECT_TRUE(buffer.empty());
  buffer.Add(Loss(4));
  EXPECT_THAT(Numbers(buffer.NextToSend()), ElementsAre(4));
}

TEST(ReportBuffer, SendsWhatWasNotTakenAgainUnderTheSameNumbers) {
  ReportBuffer buffer;
  for (int i = 0; i < 4; ++i) buffer.Add(Loss(i));
  EXPECT_EQ(buffer.NextToSend().size(), 4u);
  buffer.Add(Loss(4));
  EXPECT_EQ(buffer.BeginStream(), 5u);
  buffer.Taken(2);
  buffer.ResendUntaken();
  const std::vector<NumberedReport> again = buffer.NextToSend();
  EXPECT_THAT(Numbers(again), ElementsAre(3, 4, 5));
  EXPECT_EQ(again[0].report->batch, 2);
}

TEST(ReportBuffer, SaysThatNothingWaitsWhenAStreamBegins) {
  ReportBuffer buffer;
  EXPECT_EQ(buffer.BeginStream(), 0u);
  buffer.Add(Loss(1));
  EXPECT_EQ(buffer.NextToSend().size(), 1u);
  buffer.Taken(1);
  EXPECT_EQ(buffer.BeginStream(), 0u);
}

TEST(ReportBuffer, IgnoresThatReportsWereTakenWhichItNeverSent) {
  ReportBuffer buffer;
  buffer.Add(Loss(1));
  buffer.Taken(100);
  EXPECT_THAT(Numbers(buffer.NextToSend()), ElementsAre(1));
}

TEST(ReportBuffer, ThinsLossesButNeverChangesNorLossesAtTheTargetAndLeavesNoHole) {
  ReportBuffer buffer;
  constexpr int64_t kBatches = 100'000;
  for (int64_t batch = 1; batch <= kBatches; ++batch) {
    buffer.Add(Loss(batch));
    if (batch % 1000 == 0) buffer.Add(Change(batch));
    if (batch % 10'000 == 0) buffer.Add(At(batch, LossReport{.value = 0.5, .at_target = true}));
  }
  EXPECT_LE(buffer.size(), kMaxBufferedReports + kMaxBufferedReports / 8);
  int changes = 0;
  int at_target = 0;
  uint64_t number = 0;
  int64_t batch = 0;
  for (const NumberedReport& report : TakeAll(buffer)) {
    EXPECT_EQ(report.number, ++number);
    EXPECT_GE(report.report->batch, batch);
    batch = report.report->batch;
    if (std::holds_alternative<ControlReport>(report.report->kind)) ++changes;
    if (const auto* loss = std::get_if<LossReport>(&report.report->kind)) at_target += loss->at_target ? 1 : 0;
  }
  EXPECT_EQ(changes, kBatches / 1000);
  EXPECT_EQ(at_target, kBatches / 10'000);
  EXPECT_EQ(batch, kBatches) << "the newest is always there";
}

TEST(ReportBuffer, LeavesWhatWasSentOrPromisedUntouchedWhenItThins) {
  ReportBuffer buffer;
  for (int64_t batch = 1; batch <= 100; ++batch) buffer.Add(Loss(batch));
  EXPECT_EQ(buffer.BeginStream(), 100u);
  for (int64_t batch = 101; batch <= 100'000; ++batch) buffer.Add(Loss(batch));
  const std::vector<NumberedReport> sent = TakeAll(buffer);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sent[i].report->batch, i + 1);
  EXPECT_LT(sent.size(), 20'000u);
}

TEST(ReportBuffer, ThinsScheduledStatesByTheirBytesButKeepsThoseThatWereAskedFor) {
  ReportBuffer buffer;
  buffer.set_state_bytes(kMaxBufferedStateBytes / 16);
  for (int64_t batch = 1; batch <= 100; ++batch) buffer.Add(State(batch, /*asked=*/batch % 25 == 0));
  EXPECT_LE(buffer.size(), 16u);
  std::vector<int64_t> batches;
  for (const NumberedReport& report : TakeAll(buffer)) batches.push_back(report.report->batch);
  EXPECT_THAT(batches, testing::IsSupersetOf({25, 50, 75, 99, 100}));
}

TEST(ReportBuffer, SendsNoMoreThanAMessageMayCarryAndNoMoreThanMayBeUntaken) {
  ReportBuffer buffer;
  buffer.set_state_bytes(kMaxReportBytesPerMessage * 2 / 3);
  for (int64_t batch = 1; batch <= 8000; ++batch) buffer.Add(Loss(batch));
  EXPECT_EQ(buffer.NextToSend().size(), kMaxReportsPerMessage);
  uint64_t newest = 0;
  while (buffer.HasToSend()) newest = buffer.NextToSend().back().number;
  EXPECT_EQ(newest, kMaxUntakenReports);
  buffer.Taken(8000);
  ASSERT_FALSE(TakeAll(buffer).empty());
  buffer.Add(State(8001, false));
  buffer.Add(State(8002, false));
  EXPECT_EQ(buffer.NextToSend().size(), 1u) << "two states would be too large";
}

TEST(ReportBuffer, IsCongestedOnlyByWhatIsNeverLeftOut) {
  ReportBuffer buffer;
  for (size_t i = 0; i < 3 * kMaxBufferedReports; ++i) buffer.Add(Loss(1));
  EXPECT_FALSE(buffer.congested());
  for (size_t i = 0; i < 3 * kMaxBufferedReports; ++i) buffer.Add(Change(1));
  EXPECT_TRUE(buffer.congested());
}

}  // namespace
}  // namespace pilothouse::trainer
