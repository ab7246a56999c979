#include "trainer/plugin/plugin_settings.h"

#include <chrono>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

PluginSettings With(const std::string& value) { return PluginSettings({{"it", value}}); }

template <typename T>
std::string Sentence(const absl::StatusOr<T>& value) {
  EXPECT_EQ(ReasonOf(value.status()), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
  return std::string(value.status().message());
}

TEST(PluginSettings, NumbersLieInTheirRange) {
  EXPECT_EQ(With("0.25").Number("it", 0, 1).value(), 0.25);
  EXPECT_EQ(With("1e-3").Number("it", 0, 1).value(), 1e-3);
  EXPECT_EQ(Sentence(With("1.5").Number("it", 0, 1)), "The setting \"it\" takes a number from 0 to 1; got \"1.5\".");
  EXPECT_EQ(Sentence(With("x").Number("it", std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max())),
            "The setting \"it\" takes a number; got \"x\".");
}

TEST(PluginSettings, NumbersAreFinite) {
  for (const char* value : {"nan", "inf", "-inf", ""}) {
    EXPECT_FALSE(With(value).Number("it", -std::numeric_limits<double>::infinity(), 1).ok()) << value;
    EXPECT_FALSE(With(value).Number("it", 0, std::numeric_limits<double>::infinity()).ok()) << value;
  }
}

TEST(PluginSettings, RangesWithoutAnEndAreToldInWords) {
  EXPECT_EQ(Sentence(With("0").Number("it", std::numeric_limits<double>::denorm_min(), 1e308)),
            "The setting \"it\" takes a number above 0; got \"0\".");
  EXPECT_EQ(Sentence(With("0").Number("it", 2, 1e308)), "The setting \"it\" takes a number of 2 or more; got \"0\".");
}

TEST(PluginSettings, IntegersAreWhole) {
  EXPECT_EQ(With("7").Integer("it", 1, 10).value(), 7);
  for (const char* value : {"7.5", "0", "11", "seven", "", "99999999999999999999"}) {
    EXPECT_TRUE(absl::StrContains(Sentence(With(value).Integer("it", 1, 10)), "a whole number from 1 to 10")) << value;
  }
}

TEST(PluginSettings, FlagsAreYesOrNo) {
  for (const char* value : {"true", "yes", "1"}) EXPECT_TRUE(With(value).Flag("it").value()) << value;
  for (const char* value : {"false", "no", "0"}) EXPECT_FALSE(With(value).Flag("it").value()) << value;
  EXPECT_TRUE(absl::StrContains(Sentence(With("maybe").Flag("it")), "\"true\" or \"false\""));
}

TEST(PluginSettings, TimesHaveUnits) {
  EXPECT_EQ(With("30 s").Time("it").value(), std::chrono::seconds(30));
  EXPECT_EQ(With("1 h").Time("it").value(), std::chrono::hours(1));
  for (const char* value : {"", "0 s", "-1 s", "3 batches", "1 s, 2 s", "1 s) | at(2 s"}) {
    EXPECT_TRUE(absl::StrContains(Sentence(With(value).Time("it")), "a time above 0")) << value;
  }
}

TEST(PluginSettings, SpansLieOnTheTimelineOfTheirUnit) {
  const absl::StatusOr<Span> epochs = With("2.5 epochs").SpanOn("it", Timeline::kTrainingTime);
  EXPECT_EQ(epochs->timeline, Timeline::kEpochs);
  EXPECT_EQ(epochs->ticks, 2'500'000);
  EXPECT_EQ(With("100").SpanOn("it", Timeline::kWallTime)->timeline, Timeline::kBatches);
  const absl::StatusOr<Span> seconds = With("1.5 s").SpanOn("it", Timeline::kTrainingTime);
  EXPECT_EQ(seconds->timeline, Timeline::kTrainingTime);
  EXPECT_EQ(seconds->ticks, 1'500'000'000);
  for (const char* value : {"", "0", "-1 s", "3 apples", "1, 2", "1) | at(2", "always"}) {
    EXPECT_TRUE(absl::StrContains(Sentence(With(value).SpanOn("it", Timeline::kWallTime)), "a length above 0"))
        << value;
  }
}

TEST(PluginSettings, ChoicesAreListed) {
  EXPECT_EQ(With("lower").Choice("it", {"lower", "higher"}).value(), "lower");
  EXPECT_TRUE(absl::StrContains(Sentence(With("up").Choice("it", {"lower", "higher"})), "one of lower, higher"));
}

TEST(PluginSettings, FileNamesStayInTheirFolder) {
  EXPECT_EQ(With("best-1.safetensors").FileName("it").value(), "best-1.safetensors");
  for (const std::string& value : {std::string(), std::string(".."), std::string(".hidden"), std::string("a/b"),
                                   std::string("a b"), std::string(kMaxPluginFileNameBytes + 1, 'a')}) {
    EXPECT_TRUE(absl::StrContains(Sentence(With(value).FileName("it")), "the name of a file")) << value;
  }
}

TEST(PluginSettings, ErrorsBlameTheSetting) {
  const v1::Error error = ToError(With("x").Integer("it", 1, 10).status());
  EXPECT_EQ(error.field(), "settings.it");
  EXPECT_EQ(error.metadata().at("setting"), "it");
  EXPECT_EQ(error.metadata().at("value"), "x");
}

}  // namespace
}  // namespace pilothouse::trainer
