// How many bytes wait and are sent at once, whatever the reports are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "proto/support/limits.h"
#include "trainer/channel/large_reports.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/report_buffer.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kMiB = 1 << 20;
// Between a thinning and the next, and what comes at once.
constexpr int64_t kMostBytes = kMaxBufferedBytes + kMaxBufferedBytes / 8 + 4 * kMiB;

int64_t MessageBytes(const std::vector<NumberedReport>& reports) {
  int64_t bytes = 0;
  for (const NumberedReport& report : reports) bytes += static_cast<int64_t>(ToMessage(report).ByteSizeLong());
  return bytes;
}

bool IsOutput(const NumberedReport& report) { return std::holds_alternative<PluginReport>(report.report->kind); }
bool HasList(const NumberedReport& report) { return report.report->plugins.has_value(); }

// All that waits, taken as soon as it comes. Fails where a message is larger than it may be.
std::vector<NumberedReport> TakeAllInBounds(ReportBuffer& buffer) {
  std::vector<NumberedReport> all;
  while (buffer.HasToSend()) {
    const std::vector<NumberedReport> message = buffer.NextToSend();
    EXPECT_LT(MessageBytes(message), kMaxMessageBytes) << message.size() << " reports";
    if (message.size() > 1) {
      EXPECT_LE(MessageBytes(message), kMaxReportBytesPerMessage);
    }
    all.insert(all.end(), message.begin(), message.end());
    buffer.Taken(all.back().number);
  }
  EXPECT_EQ(buffer.bytes(), 0);
  return all;
}

TEST(ReportBufferBytes, NoMessageOfTheLargestOutputsAndFailuresIsAboveItsBound) {
  ReportBuffer buffer;
  size_t failures = 0;
  for (int64_t batch = 1; batch <= int64_t{kMaxReportsPerMessage}; ++batch) {
    buffer.Add(LargestOutput(batch));
    buffer.Add(ReportAt(batch, PluginReport{"large", "large", PluginFailure{LongestText(), 1, false, false}}));
  }
  for (const NumberedReport& report : TakeAllInBounds(buffer))
    failures += !std::holds_alternative<PluginOutput>(std::get<PluginReport>(report.report->kind).what);
  EXPECT_EQ(failures, kMaxReportsPerMessage) << "those are never left out";
}

TEST(ReportBufferBytes, NoMessageOfManyAttachedPluginsIsAboveItsBound) {
  ReportBuffer buffer;
  constexpr int kAttached = 100;
  for (int64_t batch = 1; batch <= kAttached; ++batch) {
    buffer.Add(AttachedTheLast(batch));
    EXPECT_LE(buffer.bytes(), kMostBytes + batch * 2 * kMaxPluginSpecBytes);
  }
  const std::vector<NumberedReport> all = TakeAllInBounds(buffer);
  EXPECT_EQ(all.size(), size_t{kAttached});
  EXPECT_TRUE(HasList(all.back()));
  for (const NumberedReport& report : all) EXPECT_LT(MessageBytes({report}), 8 * kMiB);
}

TEST(ReportBufferBytes, OfListsOfPluginsThatWaitTheNewestReplacesThoseThatWereNeverSent) {
  ReportBuffer buffer;
  buffer.Add(AttachedTheLast(1));
  ASSERT_EQ(buffer.NextToSend().size(), 1U);
  while (buffer.bytes() <= kMaxBufferedBytes) buffer.Add(AttachedTheLast(2));
  const size_t full = buffer.size();
  for (int i = 0; i < 5; ++i) buffer.Add(AttachedTheLast(3));
  buffer.Add(ReportAt(4, StatusReport{}));
  buffer.ResendUntaken();
  const std::vector<NumberedReport> all = TakeAllInBounds(buffer);
  ASSERT_EQ(all.size(), full + 6);
  std::vector<size_t> without;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!HasList(all[i])) without.push_back(i);
  }
  EXPECT_THAT(without, testing::ElementsAre(full - 1, full, full + 1, full + 2, full + 3, full + 5));
}

TEST(ReportBufferBytes, ThinsOutputsByTheirBytesAndKeepsEverythingElse) {
  ReportBuffer buffer;
  constexpr int64_t kBatches = 2000;
  for (int64_t batch = 1; batch <= kBatches; ++batch) {
    buffer.Add(OutputOf(batch, 128));
    buffer.Add(ReportAt(batch, LossReport{}));
    EXPECT_LE(buffer.bytes(), kMostBytes);
  }
  int64_t outputs = 0;
  int64_t newest = 0;
  for (const NumberedReport& report : TakeAllInBounds(buffer)) {
    if (!IsOutput(report)) continue;
    ++outputs;
    newest = report.report->batch;
  }
  EXPECT_GT(outputs, 50);
  EXPECT_LT(outputs, kBatches / 2);
  EXPECT_EQ(newest, kBatches) << "the newest is always there";
}

TEST(ReportBufferBytes, ThinsAgainAfterABacklogWasTaken) {
  ReportBuffer buffer;
  for (int round = 0; round < 2; ++round) {
    while (buffer.bytes() <= kMaxBufferedBytes - kMiB) buffer.Add(OutputOf(1, 512));
    const uint64_t promised = buffer.BeginStream();
    for (int i = 0; i < 100; ++i) buffer.Add(OutputOf(2, 512));
    EXPECT_LE(buffer.bytes(), kMostBytes);
    EXPECT_GE(TakeAllInBounds(buffer).back().number, promised);
  }
}

TEST(ReportBufferBytes, SendsNoMoreBytesThanMayBeUntaken) {
  ReportBuffer buffer;
  buffer.set_state_bytes(kMiB);
  for (int64_t batch = 1; batch <= 60; ++batch) buffer.Add(ReportAt(batch, StateReport{nullptr, 0.1, 0.5, true}));
  int64_t sent = 0;
  while (buffer.HasToSend()) sent += static_cast<int64_t>(buffer.NextToSend().size());
  EXPECT_GE(sent * kMiB, kMaxUntakenBytes - kMaxReportBytesPerMessage);
  EXPECT_LE(sent * kMiB, kMaxUntakenBytes + kMaxReportBytesPerMessage);
  buffer.Taken(1);
  EXPECT_TRUE(buffer.HasToSend());
  buffer.ResendUntaken();
  int64_t again = 0;
  while (buffer.HasToSend()) again += static_cast<int64_t>(buffer.NextToSend().size());
  EXPECT_EQ(again, sent);
}

TEST(ReportBufferBytes, IsCongestedByTheBytesOfWhatIsNeverLeftOut) {
  ReportBuffer buffer;
  for (int i = 0; i < 200; ++i) buffer.Add(LargestOutput(1));
  EXPECT_FALSE(buffer.congested());
  Control control;
  control.change = AttachPluginChange{LargestSpec()};
  size_t changes = 0;
  while (!buffer.congested() && changes < kMaxBufferedReports) {
    buffer.Add(ReportAt(1, ControlReport{control, 1, 0, "large"}));
    ++changes;
  }
  EXPECT_TRUE(buffer.congested());
  EXPECT_GT(changes, 1000U);
}

}  // namespace
}  // namespace pilothouse::trainer
