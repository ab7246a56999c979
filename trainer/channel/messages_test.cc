#include "trainer/channel/messages.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>

#include "proto/support/error.h"
#include "proto/support/tensor.h"
#include "trainer/loop/fake_learner.h"

namespace pilothouse::trainer {
namespace {

v1::Event EventOf(decltype(Report::kind) kind) {
  Report report;
  report.batch = 7;
  report.kind = std::move(kind);
  return ToMessage(NumberedReport{1, std::make_shared<const Report>(std::move(report))}).event();
}

// A control that comes in and is applied is reported as it came.
void ExpectReportedAsItCame(const v1::Control& control) {
  const absl::StatusOr<Control> read = FromMessage(control);
  ASSERT_TRUE(read.ok()) << control.DebugString();
  const v1::Event event = EventOf(ControlReport{*read, 2, 1, ""});
  EXPECT_EQ(event.control().change().SerializeAsString(), control.change().SerializeAsString());
  EXPECT_EQ(event.control().request_id(), control.request_id());
  EXPECT_EQ(event.control().has_at_batch(), control.has_at_batch());
  EXPECT_EQ(event.control().at_batch(), control.at_batch());
  EXPECT_EQ(event.control().origin(), control.origin());
  EXPECT_EQ(event.control().note(), control.note());
}

TEST(Messages, CarryEveryKindOfControlInAndOutUnchanged) {
  v1::Control control;
  control.set_request_id("a");
  control.set_origin("ana@lab");
  control.set_note("too fast");
  control.mutable_change()->mutable_knob()->set_name("eta");
  control.mutable_change()->mutable_knob()->set_value(0.5);
  ExpectReportedAsItCame(control);
  control.set_at_batch(0);
  control.mutable_change()->mutable_target()->set_batch(50);
  ExpectReportedAsItCame(control);
  control.mutable_change()->mutable_target()->set_more(5);
  ExpectReportedAsItCame(control);
  control.mutable_change()->mutable_target()->mutable_pause();
  ExpectReportedAsItCame(control);
  control.mutable_change()->mutable_target()->mutable_resume();
  ExpectReportedAsItCame(control);
  control.mutable_change()->mutable_stop();
  ExpectReportedAsItCame(control);
}

TEST(Messages, HoldNoBytesThatAreNotText) {
  const v1::Event event =
      EventOf(StatusReport{RunStatus::kFailed, IdleReason::kNone, "Opening caf\xe9 failed.", 0, -1});
  EXPECT_EQ(event.status().status(), v1::RUN_STATUS_FAILED);
  EXPECT_EQ(event.status().message(), "Opening caf? failed.");
}

TEST(Messages, RefuseAControlWithoutAChange) {
  EXPECT_EQ(ReasonOf(FromMessage(v1::Control()).status()), v1::ERROR_REASON_SPEC_INVALID);
  v1::Control no_goal;
  no_goal.mutable_change()->mutable_target();
  EXPECT_EQ(ReasonOf(FromMessage(no_goal).status()), v1::ERROR_REASON_SPEC_INVALID);
}

TEST(Messages, CarryReportsWithNumberBatchTimeKnobsAndResumeTarget) {
  Report report;
  report.batch = 50;
  report.time = WallTime(std::chrono::milliseconds(1500));
  report.kind = LossReport{.value = 0.25, .at_target = true, .eta = 0.05};
  report.knobs = Knobs();
  report.resume_target = 100;
  const v1::Report message = ToMessage(NumberedReport{17, std::make_shared<const Report>(report)});
  EXPECT_EQ(message.number(), 17u);
  EXPECT_EQ(message.event().sequence(), 0u);
  EXPECT_EQ(message.event().batch(), 50);
  EXPECT_EQ(message.event().time().seconds(), 1);
  EXPECT_EQ(message.event().time().nanos(), 500'000'000);
  EXPECT_EQ(message.event().loss().value(), 0.25);
  EXPECT_TRUE(message.event().loss().at_target());
  EXPECT_EQ(message.event().loss().eta(), 0.05);
  EXPECT_EQ(message.resume_target(), 100);
  ASSERT_EQ(static_cast<size_t>(message.knobs_size()), Knobs().Facts().size());
  EXPECT_EQ(message.knobs(0).name(), "eta");
  EXPECT_EQ(message.knobs(0).value(), 0.1);
}

TEST(Messages, CarryStatusAndState) {
  const v1::Event status = EventOf(StatusReport{RunStatus::kIdle, IdleReason::kDiverged, "why", 100, 3});
  EXPECT_EQ(status.status().status(), v1::RUN_STATUS_IDLE);
  EXPECT_EQ(status.status().idle_reason(), v1::IDLE_REASON_DIVERGED);
  EXPECT_EQ(status.status().message(), "why");
  EXPECT_EQ(status.status().target(), 100);
  EXPECT_EQ(status.status().loss(), 3);
  const v1::Event state = EventOf(StateReport{std::make_shared<FakeModel>(7, true), 0.5, 3, true});
  EXPECT_EQ(ToDoubles(state.state().state()), std::vector<double>({7}));
  EXPECT_EQ(state.state().eta(), 0.5);
  EXPECT_EQ(state.state().loss(), 3);
  EXPECT_TRUE(state.state().asked());
}

}  // namespace
}  // namespace pilothouse::trainer
