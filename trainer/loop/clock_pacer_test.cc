#include "trainer/loop/clock_pacer.h"

#include <gtest/gtest.h>

namespace pilothouse::trainer {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(ClockPacer, GrowsStepByStepToAMillisecondsWorthOfFastBatches) {
  ClockPacer pacer;
  EXPECT_EQ(pacer.batches(), 1);
  pacer.Record(1, nanoseconds(200));
  EXPECT_EQ(pacer.batches(), 2);
  for (int i = 0; i < 20; ++i) pacer.Record(pacer.batches(), nanoseconds(200) * pacer.batches());
  EXPECT_EQ(pacer.batches(), 5000);
}

TEST(ClockPacer, FallsBackAtOnceWhenBatchesBecomeSlow) {
  ClockPacer pacer;
  for (int i = 0; i < 20; ++i) pacer.Record(pacer.batches(), nanoseconds(1) * pacer.batches());
  EXPECT_EQ(pacer.batches(), ClockPacer::kMaxBatches);
  pacer.Record(100, microseconds(50'000));
  EXPECT_EQ(pacer.batches(), 2);
  pacer.Record(1, seconds(2));
  EXPECT_EQ(pacer.batches(), 1);
}

TEST(ClockPacer, CopesWithATimeTooShortToMeasure) {
  ClockPacer pacer;
  pacer.Record(1, nanoseconds(0));
  EXPECT_EQ(pacer.batches(), 2);
}

}  // namespace
}  // namespace pilothouse::trainer
