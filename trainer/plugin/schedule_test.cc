#include "trainer/plugin/schedule.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/limits.h"

namespace pilothouse::trainer {
namespace {

constexpr Ticks kSecond = 1'000'000'000;

Schedule Parsed(absl::string_view text, std::optional<Timeline> timeline = std::nullopt) {
  absl::StatusOr<Schedule> schedule = Schedule::Parse(text, timeline);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return schedule.ok() ? *std::move(schedule) : Schedule::Always(Timeline::kBatches);
}

// The times of the set up to `last`.
std::vector<Ticks> TimesOf(absl::string_view text, Ticks last) {
  const Schedule schedule = Parsed(text);
  std::vector<Ticks> times;
  for (Ticks time = schedule.NextAfter(-1); time <= last; time = schedule.NextAfter(time)) times.push_back(time);
  return times;
}

using Times = std::vector<Ticks>;

TEST(Schedule, FiresOnceForARangeHoweverManyOfItsTimesLieInIt) {
  const Schedule schedule = Parsed("each(10)");
  EXPECT_TRUE(schedule.DueIn(5, 47));
  // 10, 20, 30 and 40 are done with: the next one is 50.
  EXPECT_EQ(schedule.NextAfter(47), 50);
}

TEST(Schedule, FiresBetweenEndsThatAreNotMultiples) {
  const Schedule schedule = Parsed("each(10)");
  EXPECT_FALSE(schedule.DueIn(12, 19));
  EXPECT_TRUE(schedule.DueIn(19, 31));
}

TEST(Schedule, FiresInOneOnlyOfTwoRangesThatMeetAtATime) {
  const Schedule schedule = Parsed("each(10)");
  EXPECT_TRUE(schedule.DueIn(0, 10));
  EXPECT_TRUE(schedule.DueIn(10, 20));
  EXPECT_FALSE(schedule.DueIn(10, 19));
}

TEST(Schedule, IsASetOfTimesAndNotAnAnswerForARange) {
  EXPECT_TRUE(Parsed("each(10)&~at(20,30)").DueIn(5, 25));
  EXPECT_FALSE(Parsed("each(10)&~at(20,30)").DueIn(15, 35));
  EXPECT_FALSE(Parsed("each(2)&each(3)").DueIn(0, 4));
  EXPECT_TRUE(Parsed("each(2)&each(3)").DueIn(0, 6));
}

TEST(Schedule, HoldsTheTimesThatItsWordsSay) {
  EXPECT_EQ(TimesOf("each(4)", 12), (Times{0, 4, 8, 12}));
  EXPECT_EQ(TimesOf("at(7, 3, 7)", 100), (Times{3, 7}));
  EXPECT_EQ(TimesOf("from(3)", 6), (Times{3, 4, 5, 6}));
  EXPECT_EQ(TimesOf("until(3)", 100), (Times{0, 1, 2, 3}));
  EXPECT_EQ(TimesOf("always", 2), (Times{0, 1, 2}));
  EXPECT_EQ(TimesOf("never", 100), (Times{}));
  EXPECT_EQ(TimesOf("~until(3)", 6), (Times{4, 5, 6}));
  EXPECT_EQ(TimesOf("~from(3)", 100), (Times{0, 1, 2}));
  EXPECT_EQ(TimesOf("~from(0)", 100), (Times{}));
  EXPECT_EQ(TimesOf("~each(2)", 5), (Times{1, 3, 5}));
  EXPECT_EQ(TimesOf("~~at(5)", 100), (Times{5}));
}

TEST(Schedule, BindsNotTighterThanAndTighterThanOr) {
  EXPECT_EQ(TimesOf("at(1) | at(2, 3) & at(3, 4)", 100), (Times{1, 3}));
  EXPECT_EQ(TimesOf("(at(1) | at(2, 3)) & at(3, 4)", 100), (Times{3}));
  EXPECT_EQ(TimesOf("at(2, 3) & at(3, 4) | at(1)", 100), (Times{1, 3}));
  EXPECT_EQ(TimesOf("~at(0) & until(2)", 100), (Times{1, 2}));
  EXPECT_EQ(TimesOf("~(at(0) & until(2)) & until(3)", 100), (Times{1, 2, 3}));
  EXPECT_EQ(TimesOf("~(at(0) | from(2))", 100), (Times{1}));
}

TEST(Schedule, MayBeWrittenWithSpacesAndCapitals) {
  EXPECT_EQ(TimesOf("\t EACH ( 2 Batches )&\n~  At(2 ,4)  & UNTIL(8)  ", 100), (Times{0, 6, 8}));
  EXPECT_EQ(TimesOf("each(2batches)", 2), (Times{0, 2}));
  EXPECT_EQ(Parsed("  each(2) | at(1) ").text(), "each(2) | at(1)");
}

TEST(Schedule, KnowsWhenNothingIsLeft) {
  EXPECT_EQ(Parsed("each(2) & ~each(2)").NextAfter(-1), kNever);
  EXPECT_EQ(Parsed("each(12) & ~(each(4) | at(7))").NextAfter(-1), kNever);
  EXPECT_EQ(Parsed("each(4) & each(6) & ~each(3)").NextAfter(-1), kNever);
  EXPECT_EQ(Parsed("from(10) & until(9)").NextAfter(-1), kNever);
  EXPECT_EQ(Parsed("each(10) & from(11) & until(19)").NextAfter(-1), kNever);
  EXPECT_EQ(Parsed("each(1) & ~each(1)").NextAfter(-1), kNever);
  EXPECT_EQ(Parsed("at(5)").NextAfter(5), kNever);
}

TEST(Schedule, FindsWhatIsLeftFarAway) {
  // Of the multiples of two large primes' product, the first that a third does not divide.
  EXPECT_EQ(Parsed("each(999983) & each(1000003) & ~at(0)").NextAfter(-1), int64_t{999983} * 1000003);
  // Multiples in common beyond all times: only 0.
  const Schedule schedule = Parsed("each(2147483647) & each(4294967291)");
  EXPECT_EQ(schedule.NextAfter(-1), 0);
  EXPECT_EQ(schedule.NextAfter(0), kNever);
  EXPECT_EQ(Parsed("each(2147483647) & each(4294967291) & from(1)").NextAfter(-1), kNever);
  EXPECT_EQ(Parsed("each(2) & ~each(3) & ~each(5) & from(4611686018427387000)").NextAfter(-1), 4611686018427387002);
}

TEST(Schedule, EndsWhereTimesEnd) {
  const std::string last = absl::StrCat(kMaxTicks);
  EXPECT_EQ(Parsed("always").NextAfter(kMaxTicks - 1), kMaxTicks);
  EXPECT_EQ(Parsed("always").NextAfter(kMaxTicks), kNever);
  EXPECT_EQ(Parsed("always").NextAfter(kNever), kNever);
  EXPECT_EQ(Parsed(absl::StrCat("each(", last, ")")).NextAfter(0), kMaxTicks);
  EXPECT_EQ(Parsed(absl::StrCat("~until(", last, ")")).NextAfter(-1), kNever);
  EXPECT_EQ(Parsed(absl::StrCat("from(", last, ") & ~at(", last, ")")).NextAfter(-1), kNever);
}

TEST(Schedule, IsToldToNeverFireByTheSingleWordOnly) {
  EXPECT_TRUE(Parsed("never").IsNever());
  EXPECT_TRUE(Parsed("  Never ").IsNever());
  EXPECT_FALSE(Parsed("never & at(1)").IsNever());
  EXPECT_FALSE(Parsed("each(2) & ~each(2)").IsNever());
  EXPECT_FALSE(Schedule::Always(Timeline::kEpochs).IsNever());
}

TEST(Schedule, OfEveryTimeIsThereWithoutAText) {
  const Schedule schedule = Schedule::Always(Timeline::kTrainingTime);
  EXPECT_EQ(schedule.timeline(), Timeline::kTrainingTime);
  EXPECT_EQ(schedule.text(), "always");
  EXPECT_EQ(schedule.NextAfter(-1), 0);
  EXPECT_TRUE(schedule.Contains(17));
}

TEST(ScheduleTimes, DecideTheTimelineByTheirUnits) {
  EXPECT_EQ(Parsed("each(3)").timeline(), Timeline::kBatches);
  EXPECT_EQ(Parsed("each(3 batches)").timeline(), Timeline::kBatches);
  EXPECT_EQ(Parsed("each(3 examples)").timeline(), Timeline::kExamples);
  EXPECT_EQ(Parsed("each(1 epoch)").timeline(), Timeline::kEpochs);
  EXPECT_EQ(Parsed("each(30 s)").timeline(), Timeline::kWallTime);
  EXPECT_EQ(Parsed("each(30 s)", Timeline::kWallTime).timeline(), Timeline::kWallTime);
  EXPECT_EQ(Parsed("each(30 s)", Timeline::kTrainingTime).timeline(), Timeline::kTrainingTime);
  EXPECT_EQ(Parsed("each(3)", Timeline::kEpochs).NextAfter(0), 3'000'000);
}

TEST(ScheduleTimes, WithoutUnitAreInTheTimelinesUnit) {
  EXPECT_EQ(Parsed("at(5) | each(3 epochs)").NextAfter(3'000'000), 5'000'000);
  EXPECT_EQ(Parsed("at(1.5)", Timeline::kTrainingTime).NextAfter(-1), kSecond * 3 / 2);
  EXPECT_EQ(Parsed("at(2) | at(1 ms)").NextAfter(kSecond), 2 * kSecond);
}

TEST(ScheduleTimes, AreExact) {
  const std::vector<std::pair<std::string, Ticks>> times = {
      {"0.1 s", kSecond / 10},
      {"0.000000001 s", 1},
      {"0.0000000010000 s", 1},
      {"1.000001 epochs", 1'000'001},
      {"100 ms", kSecond / 10},
      {"0.000001 ms", 1},
      {"1 sec", kSecond},
      {"2 seconds", 2 * kSecond},
      {"0.5 min", 30 * kSecond},
      {"2 minutes", 120 * kSecond},
      {"1 h", 3600 * kSecond},
      {"0.25 hours", 900 * kSecond},
      {"1 day", 86400 * kSecond},
      {"0.0000000000125 d", 1080},
      {"53375 days", kSecond * 86400 * 53375},
      {"007.0 batches", 7},
      {"4611686018427387904 batches", kMaxTicks},
      {"4611686018.427387904 s", kMaxTicks},
  };
  for (const auto& [text, ticks] : times) {
    EXPECT_EQ(Parsed(absl::StrCat("at(", text, ")")).NextAfter(-1), ticks) << text;
  }
}

TEST(Schedule, OfManyAlternativesIsStillExact) {
  const Schedule schedule =
      Parsed("(each(2) | each(3)) & (each(5) | each(7)) & (each(11) | each(13)) & (each(17) | each(19))");
  for (Ticks time = 0; time < 3000; ++time) {
    const bool expected = (time % 2 == 0 || time % 3 == 0) && (time % 5 == 0 || time % 7 == 0) &&
                          (time % 11 == 0 || time % 13 == 0) && (time % 17 == 0 || time % 19 == 0);
    ASSERT_EQ(schedule.Contains(time), expected) << time;
  }
}

TEST(Schedule, FindsTheNextTimeAmongManyExceptions) {
  // As many numbers to leave out as a text has room for: what is left are the primes above 102.
  std::string text = "from(2)";
  for (int number = 2; text.size() + 12 < kMaxPluginTextBytes; ++number) absl::StrAppend(&text, "&~each(", number, ")");
  const Schedule schedule = Parsed(text);
  EXPECT_EQ(schedule.NextAfter(-1), 103);
  EXPECT_EQ(schedule.NextAfter(103), 107);
}

}  // namespace
}  // namespace pilothouse::trainer
