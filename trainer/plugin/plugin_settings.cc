#include "trainer/plugin/plugin_settings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/text.h"
#include "trainer/plugin/schedule.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {
namespace {

// Of a value that is quoted in a sentence.
constexpr size_t kMaxQuotedBytes = 80;

// " from 0 to 1", " of 1 or more", " above 0": bounds that no one would think of are left out.
std::string RangeText(double minimum, double maximum) {
  constexpr double kHuge = 1e300;
  if (minimum <= -kHuge && maximum >= kHuge) return "";
  if (minimum <= -kHuge) return absl::StrCat(" of ", maximum, " or less");
  const bool positive = minimum > 0 && minimum <= std::numeric_limits<double>::min();
  if (maximum < kHuge)
    return absl::StrCat(positive ? " above 0, up to " : absl::StrCat(" from ", minimum, " to "), maximum);
  return positive ? " above 0" : absl::StrCat(" of ", minimum, " or more");
}

absl::Status Expected(absl::string_view name, absl::string_view value, absl::string_view what) {
  return PluginSettings::Invalid(
      name, value,
      absl::StrCat("The setting \"", name, "\" takes ", what, "; got \"", Shortened(value, kMaxQuotedBytes), "\"."));
}

// nullopt: it is no single length above 0.
std::optional<Span> ReadSpan(absl::string_view text, std::optional<Timeline> timeline) {
  // Schedules know all units already; what is more than one time of theirs is kept out.
  if (text.find_first_of("(),|&~") != absl::string_view::npos) return std::nullopt;
  const absl::StatusOr<Schedule> schedule = Schedule::Parse(absl::StrCat("at(", text, ")"), timeline);
  const Ticks ticks = schedule.ok() ? schedule->NextAfter(0) : kNever;
  if (ticks == kNever) return std::nullopt;
  return Span{schedule->timeline(), ticks};
}

bool MayStandInFileName(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; }

}  // namespace

const std::string& PluginSettings::Text(absl::string_view name) const {
  return values_.find(std::string(name))->second;
}

absl::StatusOr<double> PluginSettings::Number(absl::string_view name, double minimum, double maximum) const {
  double value = 0;
  const bool fits =
      absl::SimpleAtod(Text(name), &value) && std::isfinite(value) && value >= minimum && value <= maximum;
  if (fits) return value;
  return Expected(name, Text(name), absl::StrCat("a number", RangeText(minimum, maximum)));
}

absl::StatusOr<int64_t> PluginSettings::Integer(absl::string_view name, int64_t minimum, int64_t maximum) const {
  int64_t value = 0;
  if (absl::SimpleAtoi(Text(name), &value) && value >= minimum && value <= maximum) return value;
  return Expected(name, Text(name), absl::StrCat("a whole number from ", minimum, " to ", maximum));
}

absl::StatusOr<bool> PluginSettings::Flag(absl::string_view name) const {
  const std::string& value = Text(name);
  if (value == "true" || value == "yes" || value == "1") return true;
  if (value == "false" || value == "no" || value == "0") return false;
  return Expected(name, value, "\"true\" or \"false\"");
}

absl::StatusOr<std::chrono::nanoseconds> PluginSettings::Time(absl::string_view name) const {
  const std::optional<Span> span = ReadSpan(Text(name), Timeline::kWallTime);
  if (span.has_value()) return std::chrono::nanoseconds(span->ticks);
  return Expected(name, Text(name), "a time above 0, such as \"30 s\", \"5 min\" or \"1 h\"");
}

absl::StatusOr<Span> PluginSettings::SpanOn(absl::string_view name, Timeline clock) const {
  const std::optional<Span> span = ReadSpan(Text(name), std::nullopt);
  if (!span.has_value()) {
    return Expected(name, Text(name), "a length above 0, such as \"500 batches\", \"20 epochs\" or \"1 h\"");
  }
  return Span{span->timeline == Timeline::kWallTime ? clock : span->timeline, span->ticks};
}

absl::StatusOr<std::string> PluginSettings::Choice(absl::string_view name,
                                                   const std::vector<std::string>& choices) const {
  const std::string& value = Text(name);
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  return Expected(name, value, absl::StrCat("one of ", absl::StrJoin(choices, ", ")));
}

absl::StatusOr<std::string> PluginSettings::FileName(absl::string_view name) const {
  const std::string& value = Text(name);
  const bool fits = !value.empty() && value.size() <= kMaxPluginFileNameBytes && value.front() != '.' &&
                    std::all_of(value.begin(), value.end(), MayStandInFileName);
  if (fits) return value;
  return Expected(name, value,
                  absl::StrCat("the name of a file: 1 to ", kMaxPluginFileNameBytes,
                               " letters, digits, \"-\", \"_\" and \".\", not beginning with \".\""));
}

absl::Status PluginSettings::Invalid(absl::string_view name, absl::string_view value, absl::string_view sentence) {
  return MakeError(v1::ERROR_REASON_PLUGIN_SETTING_INVALID, absl::StrCat("settings.", name), sentence,
                   {{"setting", std::string(name)}, {"value", std::string(value)}});
}

}  // namespace pilothouse::trainer
