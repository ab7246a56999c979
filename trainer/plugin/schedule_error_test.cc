// What is said about texts that are no schedules.
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "trainer/plugin/schedule.h"

namespace pilothouse::trainer {
namespace {

struct BadSchedule {
  std::string text;
  int position;
  // What the sentence says after "at character N: ".
  std::string why;
  std::optional<Timeline> timeline = std::nullopt;
};

class BadScheduleTest : public ::testing::TestWithParam<BadSchedule> {};

TEST_P(BadScheduleTest, IsRefusedAtTheCharacterThatDoesNotFit) {
  const BadSchedule& bad = GetParam();
  const absl::StatusOr<Schedule> schedule = Schedule::Parse(bad.text, bad.timeline);
  ASSERT_FALSE(schedule.ok());
  v1::Error error = ToError(schedule.status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_SCHEDULE_INVALID);
  EXPECT_EQ(error.field(), "schedule");
  EXPECT_EQ(error.metadata().at("schedule"), bad.text);
  EXPECT_EQ(error.metadata().at("position"), absl::StrCat(bad.position));
  EXPECT_EQ(error.message(), absl::StrCat("The schedule \"", bad.text, "\" cannot be read at character ", bad.position,
                                          ": ", bad.why, "."));
}

constexpr char kSetExpected[] = "a set of times is expected: each(…), at(…), from(…), until(…), always or never";
constexpr char kOneTimeline[] = "; a schedule has one timeline, so use units of one of them";

INSTANTIATE_TEST_SUITE_P(
    Grammar, BadScheduleTest,
    ::testing::Values(
        BadSchedule{"", 1, kSetExpected}, BadSchedule{"  ", 3, kSetExpected}, BadSchedule{"10", 1, kSetExpected},
        BadSchedule{"each(10) & at(", 15, "a time is expected, such as 10 or 30 s"},
        BadSchedule{"each(-1)", 6, "a time is expected, such as 10 or 30 s"},
        BadSchedule{"at(.5)", 4, "a time is expected, such as 10 or 30 s"},
        BadSchedule{"at(1, )", 7, "a time is expected, such as 10 or 30 s"},
        BadSchedule{"at(5. s)", 6, "a digit is expected after the point"},
        BadSchedule{"each 10", 6, "( is expected after each"}, BadSchedule{"until", 6, "( is expected after until"},
        BadSchedule{"each(10, 20)", 8, ") is expected"}, BadSchedule{"each(1_000)", 7, ") is expected"},
        BadSchedule{"at(10 20)", 7, "a comma or ) is expected"},
        BadSchedule{"each(10) each(20)", 10, "&, | or the end of the schedule is expected"},
        BadSchedule{"always)", 7, "&, | or the end of the schedule is expected"},
        BadSchedule{"always()", 7, "&, | or the end of the schedule is expected"},
        BadSchedule{"(each(10) | never", 18, "&, | or ) is expected"},
        BadSchedule{"each(10) && at(2)", 11, kSetExpected}, BadSchedule{"each(10) |", 11, kSetExpected},
        BadSchedule{"~", 2, kSetExpected}, BadSchedule{"()", 2, kSetExpected},
        BadSchedule{"never | every(10)", 9,
                    "'every' is no set of times; there are each(…), at(…), from(…), until(…), always or never"},
        BadSchedule{"each(10 apples)", 9,
                    "'apples' is no unit; there are batches, examples, epochs, ms, s, min, h and d"},
        BadSchedule{"each(1e5)", 7, "'e' is no unit; there are batches, examples, epochs, ms, s, min, h and d"}));

INSTANTIATE_TEST_SUITE_P(
    Times, BadScheduleTest,
    ::testing::Values(
        BadSchedule{"each(0)", 6, "each takes a time above 0"},
        BadSchedule{"each(0.000 s)", 6, "each takes a time above 0"},
        BadSchedule{"at(1) | each(0.5)", 14, "'0.5' is too fine; the timeline batches is told in whole batches"},
        BadSchedule{"each(2.5 examples)", 6,
                    "'2.5 examples' is too fine; the timeline examples is told in whole examples"},
        BadSchedule{"at(0.0000001 epochs)", 4,
                    "'0.0000001 epochs' is too fine; the timeline epochs is told in millionths of an epoch"},
        BadSchedule{"at(0.0000000001)", 4,
                    "'0.0000000001' is too fine; the timeline training_time is told in nanoseconds",
                    Timeline::kTrainingTime},
        BadSchedule{"at(0.00000000000000000000001 d)", 4,
                    "'0.00000000000000000000001 d' is too fine; the timeline wall_time is told in nanoseconds"},
        BadSchedule{"at(4611686018427387905)", 4,
                    "'4611686018427387905' is too large; the largest time is 4611686018427387904 batches"},
        BadSchedule{"at(99999999999999999999999 epochs)", 4,
                    "'99999999999999999999999 epochs' is too large; the largest time is 4611686018427 epochs"},
        BadSchedule{"at(4611686018.427387905 s)", 4,
                    "'4611686018.427387905 s' is too large; the largest time is 4611686018 seconds"}));

INSTANTIATE_TEST_SUITE_P(
    Timelines, BadScheduleTest,
    ::testing::Values(
        BadSchedule{"each(30 s)", 6,
                    "'30 s' is a time, but the timeline is batches; give the timeline wall_time or training_time",
                    Timeline::kBatches},
        BadSchedule{"each(2 epochs)", 6,
                    "'2 epochs' counts epochs, but the timeline is wall_time; give the timeline epochs",
                    Timeline::kWallTime},
        BadSchedule{"each(2 epochs)", 6,
                    "'2 epochs' counts epochs, but the timeline is examples; give the timeline epochs",
                    Timeline::kExamples},
        BadSchedule{"each(1 batch)", 6,
                    "'1 batch' counts batches, but the timeline is training_time; give the timeline batches",
                    Timeline::kTrainingTime},
        BadSchedule{"each(30 s) & from(2 epochs)", 19,
                    absl::StrCat("'2 epochs' counts epochs, but '30 s' is a time", kOneTimeline)},
        BadSchedule{"at(1, 2 examples, 3 h)", 19,
                    absl::StrCat("'3 h' is a time, but '2 examples' counts examples", kOneTimeline)}));

std::string MessageOf(absl::string_view text) { return std::string(Schedule::Parse(text).status().message()); }

TEST(ScheduleErrors, EscapeWhatCannotBeShown) {
  EXPECT_EQ(MessageOf("each(10 µs)\x1b[2J"),
            "The schedule \"each(10 \\xc2\\xb5s)\\x1b[2J\" cannot be read at character 9: ) is expected.");
  EXPECT_EQ(MessageOf("at(1\n\nepoch) | at(2 s)"),
            "The schedule \"at(1\\n\\nepoch) | at(2 s)\" cannot be read at character 19: '2 s' is a time, but "
            "'1\\n\\nepoch' counts epochs; a schedule has one timeline, so use units of one of them.");
}

TEST(ScheduleErrors, ShowTheSurroundingsInALongText) {
  std::string text = "at(1)";
  while (text.size() < 300) absl::StrAppend(&text, " | at(1)");
  const std::string shown = text.substr(160, 80);
  text[200] = '?';
  const std::string message = MessageOf(text);
  EXPECT_NE(message.find("character 201: "), std::string::npos) << message;
  EXPECT_NE(message.find(absl::StrCat("\"…", shown.substr(0, 40), "?", shown.substr(41), "…\"")), std::string::npos)
      << message;
  EXPECT_LT(message.size(), 250);
}

TEST(ScheduleErrors, ShowTheBeginningOfALongWord) {
  EXPECT_NE(MessageOf(std::string(200, 'x')).find(": 'xxxxxxxxxxxxxxxxxxxx…' is no set of times"), std::string::npos);
}

TEST(ScheduleErrors, TellAScheduleThatIsTooLong) {
  const absl::StatusOr<Schedule> schedule = Schedule::Parse(std::string(kMaxPluginTextBytes + 1, ' '));
  const v1::Error error = ToError(schedule.status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_SCHEDULE_INVALID);
  EXPECT_EQ(error.metadata().at("position"), "1025");
  EXPECT_NE(error.message().find("a schedule has at most 1024 characters."), std::string::npos) << error.message();
}

TEST(ScheduleErrors, TellAScheduleThatIsTooDeep) {
  const auto nested = [](int depth, absl::string_view open, absl::string_view close) {
    std::string text = "always";
    for (int i = 0; i < depth; ++i) text = absl::StrCat(open, text, close);
    return text;
  };
  EXPECT_TRUE(Schedule::Parse(nested(kMaxScheduleDepth, "(", ")")).ok());
  EXPECT_TRUE(Schedule::Parse(nested(kMaxScheduleDepth, "~", "")).ok());
  for (const std::string& text : {nested(kMaxScheduleDepth + 1, "(", ")"), nested(kMaxScheduleDepth + 1, "~", "")}) {
    const v1::Error error = ToError(Schedule::Parse(text).status());
    EXPECT_EQ(error.reason(), v1::ERROR_REASON_SCHEDULE_INVALID);
    EXPECT_EQ(error.metadata().at("position"), "65");
    EXPECT_NE(error.message().find("it is too complicated; at most 64 parentheses and ~ may stand inside each other."),
              std::string::npos)
        << error.message();
  }
  // Not inside each other.
  EXPECT_TRUE(Schedule::Parse("~(~(at(1))) | ~(~(at(2)))").ok());
}

// (each(2) | each(3)) & (each(5) | each(7)) & …: as many factors as `factors`, each of two of the primes.
std::string Product(int factors) {
  constexpr int kPrimes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79};
  std::string text;
  for (int i = 0; i < factors; ++i) {
    absl::StrAppend(&text, i > 0 ? " & " : "", "(each(", kPrimes[2 * i], ") | each(", kPrimes[2 * i + 1], "))");
  }
  return text;
}

TEST(ScheduleErrors, TellAScheduleOfTooManyPieces) {
  EXPECT_TRUE(Schedule::Parse(Product(10)).ok());
  const v1::Error error = ToError(Schedule::Parse(Product(11)).status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_SCHEDULE_INVALID);
  EXPECT_EQ(error.metadata().at("position"), "21");
  EXPECT_NE(error.message().find("it is too complicated; written without parentheses it would have more than 1024"),
            std::string::npos)
      << error.message();
}

TEST(ScheduleText, OfAnyCharactersIsReadOrRefused) {
  constexpr const char* kScraps[] = {"each",     "at",   "from", "until",  "always", "never", "(",     ")",
                                     ",",        "&",    "|",    "~",      " ",      "1",     "0",     "2.5",
                                     ".",        "9",    "s",    "epochs", "batch",  "EACH(", "at(3)", "each(2)",
                                     "\xc2\xb5", "\xff", "-",    "_",      "\n",     "é"};
  std::mt19937_64 random(20240611);
  int read = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string text;
    for (uint64_t left = random() % 24; left > 0; --left) text += kScraps[random() % std::size(kScraps)];
    const absl::StatusOr<Schedule> schedule = Schedule::Parse(text);
    if (schedule.ok()) {
      ++read;
      EXPECT_GE(schedule->NextAfter(5), 6) << text;
      continue;
    }
    const v1::Error error = ToError(schedule.status());
    ASSERT_EQ(error.reason(), v1::ERROR_REASON_SCHEDULE_INVALID) << text;
    for (const char c : absl::StrReplaceAll(error.message(), {{"…", ""}})) {
      ASSERT_TRUE(c >= ' ' && c < 0x7f) << text;
    }
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace pilothouse::trainer
