#include "trainer/channel/report_size.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "proto/support/limits.h"
#include "trainer/channel/large_reports.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/plugin_messages.h"

namespace pilothouse::trainer {
namespace {

int64_t MessageBytes(const Report& report) {
  return static_cast<int64_t>(ToMessage(NumberedReport{1, std::make_shared<const Report>(report)}).ByteSizeLong());
}

std::vector<Report> OneOfEachKind() {
  std::vector<Report> reports;
  const auto add = [&](decltype(Report::kind) kind) { reports.push_back(ReportAt(1LL << 50, std::move(kind))); };
  const auto add_change = [&](Change change) {
    add(ControlReport{
        {LongestText(), std::move(change), 1LL << 50, LongestText(), LongestText()}, 1, 2, LongestText()});
  };
  add(LossReport{0.5, true});
  add(StatusReport{RunStatus::kFailed, IdleReason::kDiverged, LongestText(), 1LL << 50, 0.5});
  add_change(KnobChange{LongestText(), 1});
  add_change(TargetChange{TargetChange::Kind::kMore, 1LL << 50});
  add_change(StopChange{});
  add_change(AttachPluginChange{LargestSpec()});
  add_change(DetachPluginChange{LongestText()});
  add_change(ReschedulePluginChange{LongestText(), LongestText(), Timeline::kEpochs});
  add_change(ParametersChange{LongestText(), LongestText(), LongestText(), 1LL << 50});
  add(PluginReport{LongestText(), LongestText(), PluginFailure{LongestText(), 3, true, true}});
  reports.push_back(LargestOutput(1));
  reports.push_back(AttachedTheLast(1));
  return reports;
}

TEST(ReportSize, IsAtLeastThatOfItsMessageAndNotManyTimesAsMuch) {
  for (Report& report : OneOfEachKind()) {
    report.knobs = Knobs::UsualOf(OptimizerKind::kAdam);
    const int64_t message = MessageBytes(report);
    EXPECT_GE(SizeOf(report), message) << "kind " << report.kind.index();
    EXPECT_LE(SizeOf(report), 2 * message + 4096) << "kind " << report.kind.index();
  }
}

TEST(ReportSize, OfTheLargestReportIsFarBelowWhatAMessageMayHave) {
  EXPECT_GT(ToMessage(LargestSpec()).ByteSizeLong(), size_t{kMaxPluginSpecBytes} * 9 / 10);
  for (const Report& report : {LargestOutput(1), AttachedTheLast(1)}) EXPECT_LT(SizeOf(report), kMaxMessageBytes / 4);
}

}  // namespace
}  // namespace pilothouse::trainer
