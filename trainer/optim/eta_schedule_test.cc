#include "trainer/optim/eta_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

using ::testing::HasSubstr;

constexpr double kInitial = 0.1;

EtaSchedule Read(const std::string& text) {
  absl::StatusOr<EtaSchedule> schedule = EtaSchedule::Parse(text);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return *std::move(schedule);
}

// After so many completed batches, ten of which are an epoch.
double After(const EtaSchedule& schedule, int64_t batches) { return schedule.At(batches + 1, kInitial, 10).eta; }

std::string Refusal(const std::string& text) {
  const absl::StatusOr<EtaSchedule> schedule = EtaSchedule::Parse(text);
  EXPECT_EQ(ReasonOf(schedule.status()), v1::ERROR_REASON_ETA_SCHEDULE_INVALID) << text;
  return std::string(schedule.status().message());
}

TEST(EtaSchedule, StepsBeginWhenTheirEpochBegins) {
  const EtaSchedule schedule = Read("50,0.01;70,0.005");
  EXPECT_EQ(After(schedule, 0), kInitial);
  EXPECT_EQ(After(schedule, 499), kInitial);
  EXPECT_EQ(After(schedule, 500), 0.01);
  EXPECT_EQ(After(schedule, 600), 0.01);
  EXPECT_EQ(After(schedule, 699), 0.01);
  EXPECT_EQ(After(schedule, 700), 0.005);
  EXPECT_EQ(After(schedule, 1'000'000), 0.005);
}

TEST(EtaSchedule, StepsMayBeGivenInAnyOrderAndWithSpacesAndCountBatches) {
  const EtaSchedule schedule = Read("70 , 0.005 ; 50,0.01 unit=batches");
  EXPECT_EQ(After(schedule, 49), kInitial);
  EXPECT_EQ(After(schedule, 50), 0.01);
  EXPECT_EQ(After(schedule, 70), 0.005);
}

TEST(EtaSchedule, SaysForHowLongAStepHolds) {
  const EtaSchedule schedule = Read("50,0.01;70,0.005");
  EXPECT_EQ(schedule.At(1, kInitial, 10).through, 500);
  EXPECT_EQ(schedule.At(500, kInitial, 10).through, 500);
  EXPECT_EQ(schedule.At(501, kInitial, 10).through, 700);
  EXPECT_EQ(schedule.At(701, kInitial, 10).through, kForeverBatch);
}

TEST(EtaSchedule, AnEpochEndsWithItsLastBatchHoweverManyThereAre) {
  for (int64_t epoch = 1; epoch <= 100; ++epoch) {
    const EtaSchedule schedule = Read(std::to_string(epoch) + ",0.01");
    for (int64_t batches_per_epoch = 1; batches_per_epoch <= 100; ++batches_per_epoch) {
      const int64_t last = epoch * batches_per_epoch;
      ASSERT_EQ(schedule.At(1, kInitial, batches_per_epoch).through, last);
      ASSERT_EQ(schedule.At(last, kInitial, batches_per_epoch).eta, kInitial);
      ASSERT_EQ(schedule.At(last + 1, kInitial, batches_per_epoch).eta, 0.01);
    }
  }
}

// Whatever it says holds must hold: asking at every batch gives the same.
TEST(EtaSchedule, WhatHoldsForAWhileIsWhatEveryBatchOfItWouldGet) {
  for (const char* text : {"3,0.01;7,0.005", "2.55,0.3;2.56,0.2", "constant", "exponential factor=0.5 every=2",
                           "cosine over=5 warmup=1", "one-cycle over=5"}) {
    const EtaSchedule schedule = Read(text);
    for (int64_t batches_per_epoch : {1, 3, 7, 10, 49}) {
      EtaSchedule::Value held;
      for (int64_t batch = 1; batch < 600; ++batch) {
        const EtaSchedule::Value now = schedule.At(batch, kInitial, batches_per_epoch);
        if (batch <= held.through) {
          EXPECT_EQ(now.eta, held.eta) << text << " at " << batch;
        }
        ASSERT_GE(now.through, batch) << text;
        held = now;
      }
    }
  }
}

TEST(EtaSchedule, ExponentialMultipliesAgainAndAgain) {
  const EtaSchedule schedule = Read("exponential factor=0.5 every=2");
  EXPECT_EQ(After(schedule, 0), kInitial);
  EXPECT_DOUBLE_EQ(After(schedule, 20), kInitial / 2);
  EXPECT_DOUBLE_EQ(After(schedule, 40), kInitial / 4);
  EXPECT_DOUBLE_EQ(After(schedule, 10), kInitial * std::sqrt(0.5));
}

TEST(EtaSchedule, CosineWarmsUpFallsAndStays) {
  const EtaSchedule schedule = Read("cosine over=10 warmup=2 final=0.02");
  EXPECT_DOUBLE_EQ(After(schedule, 0), kInitial / 20);
  EXPECT_DOUBLE_EQ(After(schedule, 9), kInitial / 2);
  EXPECT_DOUBLE_EQ(After(schedule, 19), kInitial);
  EXPECT_DOUBLE_EQ(After(schedule, 20), kInitial);
  EXPECT_DOUBLE_EQ(After(schedule, 60), 0.06);
  EXPECT_DOUBLE_EQ(After(schedule, 100), 0.02);
  EXPECT_DOUBLE_EQ(After(schedule, 5000), 0.02);
}

TEST(EtaSchedule, WhatHoldsWithoutAWarmUpMayAlsoBeSaid) {
  const EtaSchedule schedule = Read("cosine over=10 warmup=0");
  EXPECT_EQ(After(schedule, 0), After(Read("cosine over=10"), 0));
  EXPECT_EQ(After(schedule, 55), After(Read("cosine over=10"), 55));
}

TEST(EtaSchedule, OneCycleRisesAndFalls) {
  const EtaSchedule schedule = Read("one-cycle over=100 unit=batches");
  EXPECT_DOUBLE_EQ(After(schedule, 0), kInitial / 25);
  EXPECT_DOUBLE_EQ(After(schedule, 15), (kInitial + kInitial / 25) / 2);
  EXPECT_DOUBLE_EQ(After(schedule, 30), kInitial);
  EXPECT_NEAR(After(schedule, 65), kInitial / 2, 1e-6);
  EXPECT_DOUBLE_EQ(After(schedule, 100), kInitial / 25 / 10000);
}

TEST(EtaSchedule, IsNeverNothingNorInfinite) {
  EXPECT_GT(After(Read("exponential factor=0.001 unit=batches"), 100'000), 0);
  EXPECT_TRUE(std::isfinite(After(Read("exponential factor=1000 unit=batches"), 100'000)));
  const double smallest = std::numeric_limits<double>::denorm_min();
  EXPECT_GT(Read("cosine over=1").At(100, smallest, 10).eta, 0);
  EXPECT_GT(Read("one-cycle over=1").At(100, smallest, 10).eta, 0);
}

TEST(EtaSchedule, NamesTheEntryThatItCannotRead) {
  EXPECT_THAT(Refusal("50,0.01;"), HasSubstr("Entry 2, \"\""));
  EXPECT_THAT(Refusal("50"), HasSubstr("Entry 1, \"50\""));
  EXPECT_THAT(Refusal("50,0.01;a,b"), HasSubstr("Entry 2, \"a,b\""));
  EXPECT_THAT(Refusal("50,0.01,3"), HasSubstr("Entry 1"));
  EXPECT_THAT(Refusal("0,0.01"), HasSubstr("above 0"));
  EXPECT_THAT(Refusal("50,-0.01"), HasSubstr("above 0"));
  EXPECT_THAT(Refusal("50,inf"), HasSubstr("Entry 1"));
  EXPECT_THAT(Refusal("10,0.1 5"), HasSubstr("Entry 1, \"10,0.1 5\""));
  EXPECT_THAT(Refusal("1,0.2;5 0,0.3"), HasSubstr("Entry 2, \"5 0,0.3\""));
  EXPECT_THAT(Refusal("50,0.01;50,0.02"), HasSubstr("Entry 2, \"50,0.02\", begins where another"));
}

TEST(EtaSchedule, NamesTheSettingThatItCannotRead) {
  EXPECT_THAT(Refusal(""), HasSubstr("empty"));
  EXPECT_THAT(Refusal("a,b"), HasSubstr("is no eta schedule"));
  EXPECT_THAT(Refusal("cosine"), HasSubstr("over=100"));
  EXPECT_THAT(Refusal("cosine over=10 warmup=10"), HasSubstr("warm-up"));
  EXPECT_THAT(Refusal("cosine over=-1"), HasSubstr("over takes a number above 0; got \"-1\""));
  EXPECT_THAT(Refusal("cosine over=10 warmup=-1"), HasSubstr("warmup takes a number of 0 or more; got \"-1\""));
  EXPECT_THAT(Refusal("cosine over=10 final=0"), HasSubstr("final takes a number above 0, such as 1e-6; got \"0\""));
  EXPECT_THAT(Refusal("cosine over=10 gamma=1"), HasSubstr("has no setting \"gamma\"; it has: unit, over, warmup"));
  EXPECT_THAT(Refusal("cosine over=10 over=11"), HasSubstr("twice"));
  EXPECT_THAT(Refusal("cosine over=10 fast"), HasSubstr("name=value"));
  EXPECT_THAT(Refusal("exponential factor=1001"), HasSubstr("1000"));
  EXPECT_THAT(Refusal("one-cycle over=1 rise=1"), HasSubstr("below 1"));
  EXPECT_THAT(Refusal("one-cycle over=1 start=0.5"), HasSubstr("1 or more"));
  EXPECT_THAT(Refusal("50,0.01 unit=weeks"), HasSubstr("epochs or batches"));
  EXPECT_THAT(Refusal(std::string(kMaxEtaScheduleCharacters + 1, 'x')), HasSubstr("at most"));
}

}  // namespace
}  // namespace pilothouse::trainer
