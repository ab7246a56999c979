#include "trainer/loop/control_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;

Control At(int64_t batch, std::string id) { return {std::move(id), KnobChange{"eta", 0.5}, batch, "", ""}; }

std::vector<std::string> Ids(const std::vector<Control>& controls) {
  std::vector<std::string> ids;
  for (const Control& control : controls) ids.push_back(control.request_id);
  return ids;
}

TEST(ControlSchedule, GivesControlsBackAtTheirBatchInTheOrderTheyCame) {
  ControlSchedule schedule;
  EXPECT_EQ(schedule.NextBatch(), ControlSchedule::kNever);
  ASSERT_TRUE(schedule.Wait(At(20, "late")).ok());
  ASSERT_TRUE(schedule.Wait(At(10, "a")).ok());
  ASSERT_TRUE(schedule.Wait(At(10, "b")).ok());
  EXPECT_EQ(schedule.NextBatch(), 10);
  EXPECT_THAT(Ids(schedule.TakeDue(9)), ElementsAre());
  EXPECT_THAT(Ids(schedule.TakeDue(10)), ElementsAre("a", "b"));
  EXPECT_EQ(schedule.NextBatch(), 20);
  EXPECT_THAT(Ids(schedule.TakeAll()), ElementsAre("late"));
}

TEST(ControlSchedule, RefusesMoreThanItCanHold) {
  ControlSchedule schedule;
  for (size_t i = 0; i < kMaxWaitingControls; ++i) ASSERT_TRUE(schedule.Wait(At(10, absl::StrCat(i))).ok());
  EXPECT_EQ(ReasonOf(schedule.Wait(At(10, "one more"))), v1::ERROR_REASON_TOO_MANY_CONTROLS);
  EXPECT_FALSE(schedule.Knows("one more"));
}

TEST(ControlSchedule, KnowsWhatWaitsAndTheNewestThatWereApplied) {
  ControlSchedule schedule;
  ASSERT_TRUE(schedule.Wait(At(10, "a")).ok());
  EXPECT_TRUE(schedule.Knows("a"));
  ASSERT_EQ(schedule.TakeDue(10).size(), 1u);
  EXPECT_FALSE(schedule.Knows("a"));
  schedule.RememberApplied("a");
  EXPECT_TRUE(schedule.Knows("a"));
  for (size_t i = 0; i < kMaxRememberedControls; ++i) schedule.RememberApplied(absl::StrCat("later", i));
  EXPECT_FALSE(schedule.Knows("a"));
  EXPECT_TRUE(schedule.Knows("later0"));
}

}  // namespace
}  // namespace pilothouse::trainer
