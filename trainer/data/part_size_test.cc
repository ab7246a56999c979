#include "trainer/data/part_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

using ::testing::HasSubstr;

constexpr char kField[] = "data.validation_size";

absl::StatusOr<int64_t> Count(const std::string& text, int64_t examples) {
  const absl::StatusOr<PartSize> size = PartSize::Parse(text, kField);
  return size.ok() ? size->Of(examples) : size.status();
}

TEST(PartSize, IsAFractionAPercentageOrANumberOfExamples) {
  EXPECT_EQ(*Count("100", 500), 100);
  EXPECT_EQ(*Count("1", 500), 1);
  EXPECT_EQ(*Count("499", 500), 499);
  EXPECT_EQ(*Count("0.2", 500), 100);
  EXPECT_EQ(*Count(".2", 500), 100);
  EXPECT_EQ(*Count("20%", 500), 100);
  EXPECT_EQ(*Count("12.5%", 400), 50);
  EXPECT_EQ(*Count("0.2%", 500), 1);
  EXPECT_EQ(*Count(" 20% ", 500), 100);
  EXPECT_EQ(*Count("007", 500), 7);
}

TEST(PartSize, OfAFractionIsTheNearestNumberInExactDecimals) {
  EXPECT_EQ(*Count("29%", 100), 29) << "0.29 · 100 is less than 29 in binary";
  EXPECT_EQ(*Count("0.29", 100), 29);
  for (int64_t percent = 1; percent < 100; ++percent) {
    EXPECT_EQ(*Count(absl::StrCat(percent, "%"), 100), percent);
    EXPECT_EQ(*Count(absl::StrCat(percent, "%"), 1'000'000'000'000), percent * 10'000'000'000);
  }
  EXPECT_EQ(*Count("0.26", 10), 3);
  EXPECT_EQ(*Count("0.25", 10), 3) << "halves upwards";
  EXPECT_EQ(*Count("0.24999999999999999", 10), 2);
  EXPECT_EQ(*Count("0.1", 9'223'372'036'854'775'807), 922'337'203'685'477'581);
  EXPECT_EQ(*Count("0.99999999999999999%", 1'000'000), 10'000);
}

// The text of the refusal.
std::string Refusal(const std::string& text, int64_t examples = 500) {
  const absl::StatusOr<int64_t> count = Count(text, examples);
  if (count.ok()) return absl::StrCat("no refusal but ", *count);
  EXPECT_EQ(ReasonOf(count.status()), v1::ERROR_REASON_SPEC_INVALID);
  EXPECT_EQ(ToError(count.status()).field(), kField);
  EXPECT_THAT(ToError(count.status()).message(), HasSubstr("Write a fraction such as 0.2, a percentage such as 20%"));
  return ToError(count.status()).message();
}

TEST(PartSize, RefusesWhatLeavesNothingOnOneSide) {
  EXPECT_THAT(Refusal("500"), HasSubstr("500 of 500 examples is all of them, or more"));
  EXPECT_THAT(Refusal("501"), HasSubstr("From 1 to 499 are possible."));
  EXPECT_THAT(Refusal("999999999999999999"), HasSubstr("is all of them, or more"));
  EXPECT_THAT(Refusal("0.9999"), HasSubstr("rounds to all of them"));
  EXPECT_THAT(Refusal("100%"), HasSubstr("100% is not below 100%"));
  EXPECT_THAT(Refusal("150%"), HasSubstr("is not below 100%"));
  EXPECT_THAT(Refusal("0.001"), HasSubstr("0.001 of 500 examples is less than one"));
  EXPECT_THAT(Refusal("0.1%"), HasSubstr("is less than one"));
  EXPECT_THAT(Refusal("0"), HasSubstr("0 is zero"));
  EXPECT_THAT(Refusal("0.00"), HasSubstr("0.00 is zero"));
  EXPECT_THAT(Refusal("0%"), HasSubstr("0% is zero"));
  EXPECT_THAT(Refusal("1", 1), HasSubstr("One example is too few"));
}

TEST(PartSize, RefusesWhatIsNegativeAsSuch) {
  for (const char* text : {"-5", "-0.2", "-20%"}) {
    EXPECT_THAT(Refusal(text), HasSubstr(absl::StrCat(text, " is negative")));
  }
}

TEST(PartSize, RefusesWhatCannotBeRead) {
  EXPECT_THAT(Refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(Refusal("  "), HasSubstr("is empty"));
  for (const char* text : {"%", ".", "5.", "a fifth", "1e2", "0x10", "+5", "20%%", "20 %", "1,5", "0.2.1", "nan", "inf",
                           "--5", "-", "1234567890123456789", "0.1234567890123456789"}) {
    EXPECT_THAT(Refusal(text), HasSubstr(absl::StrCat("\"", text, "\" is no size"))) << text;
  }
  EXPECT_THAT(Refusal("1.0"), HasSubstr("neither a fraction below 1 nor a whole number"));
  EXPECT_THAT(Refusal("1.5"), HasSubstr("neither a fraction below 1 nor a whole number"));
  EXPECT_THAT(Refusal(std::string(1000, '\x01')), HasSubstr("…"));
}

}  // namespace
}  // namespace pilothouse::trainer
