#include "trainer/plugin/schedule_time.h"

#include <array>
#include <cstdint>
#include <numeric>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/text.h"

namespace pilothouse::trainer {
namespace {

constexpr Ticks kMillisecond = 1'000'000;
constexpr Ticks kSecond = 1000 * kMillisecond;
constexpr Ticks kMinute = 60 * kSecond;
constexpr Ticks kHour = 60 * kMinute;
constexpr Ticks kDay = 24 * kHour;
constexpr Ticks kEpoch = 1'000'000;

constexpr std::array<TimeUnit, 20> kUnits = {{
    {"batch", Timeline::kBatches, 1},          {"batches", Timeline::kBatches, 1},
    {"example", Timeline::kExamples, 1},       {"examples", Timeline::kExamples, 1},
    {"epoch", Timeline::kEpochs, kEpoch},      {"epochs", Timeline::kEpochs, kEpoch},
    {"ms", Timeline::kWallTime, kMillisecond}, {"s", Timeline::kWallTime, kSecond},
    {"sec", Timeline::kWallTime, kSecond},     {"second", Timeline::kWallTime, kSecond},
    {"seconds", Timeline::kWallTime, kSecond}, {"min", Timeline::kWallTime, kMinute},
    {"minute", Timeline::kWallTime, kMinute},  {"minutes", Timeline::kWallTime, kMinute},
    {"h", Timeline::kWallTime, kHour},         {"hour", Timeline::kWallTime, kHour},
    {"hours", Timeline::kWallTime, kHour},     {"d", Timeline::kWallTime, kDay},
    {"day", Timeline::kWallTime, kDay},        {"days", Timeline::kWallTime, kDay},
}};

// What `digits` say times `scale`; nullopt above kMaxTicks.
std::optional<Ticks> Scaled(absl::string_view digits, Ticks scale) {
  Ticks value = 0;
  for (const char digit : digits) {
    const Ticks more = digit - '0';
    if (value > (kMaxTicks - more) / 10) return std::nullopt;
    value = value * 10 + more;
  }
  if (value > kMaxTicks / scale) return std::nullopt;
  return value * scale;
}

// What ".digits" say times `scale`; nullopt if it is not a whole number.
std::optional<Ticks> ScaledFraction(absl::string_view digits, Ticks scale) {
  while (!digits.empty() && digits.back() == '0') digits.remove_suffix(1);
  // The number, in lowest terms, has at least all 2s or all 5s of a power of ten below its line, and no unit's ticks
  // hold more than 16 of either: more digits cannot come out whole, and with fewer everything fits 64 bits.
  constexpr size_t kMaxDigits = 16;
  if (digits.size() > kMaxDigits) return std::nullopt;
  int64_t above = 0;
  int64_t below = 1;
  for (const char digit : digits) {
    above = above * 10 + (digit - '0');
    below *= 10;
  }
  const int64_t common = std::gcd(below, scale);
  if (above % (below / common) != 0) return std::nullopt;
  return above / (below / common) * (scale / common);
}

absl::string_view FinestOf(Timeline timeline) {
  switch (timeline) {
    case Timeline::kBatches:
      return "whole batches";
    case Timeline::kExamples:
      return "whole examples";
    case Timeline::kEpochs:
      return "millionths of an epoch";
    case Timeline::kWallTime:
    case Timeline::kTrainingTime:
      break;
  }
  return "nanoseconds";
}

absl::string_view UnitsOf(Timeline timeline) {
  return TicksPerUnit(timeline) == kSecond ? "seconds" : TimelineName(timeline);
}

}  // namespace

const TimeUnit* FindTimeUnit(absl::string_view name) {
  for (const TimeUnit& unit : kUnits) {
    if (absl::EqualsIgnoreCase(name, unit.name)) return &unit;
  }
  return nullptr;
}

bool Fits(const TimeUnit& unit, Timeline timeline) {
  return unit.timeline == timeline || (unit.timeline == Timeline::kWallTime && timeline == Timeline::kTrainingTime);
}

absl::StatusOr<Ticks> TicksOf(const WrittenTime& time, Timeline timeline) {
  const Ticks scale = time.unit != nullptr ? time.unit->ticks : TicksPerUnit(timeline);
  const size_t point = time.number.find('.');
  const std::optional<Ticks> whole = Scaled(time.number.substr(0, point), scale);
  std::optional<Ticks> fraction = 0;
  if (point != absl::string_view::npos) fraction = ScaledFraction(time.number.substr(point + 1), scale);
  if (!whole.has_value() || (fraction.has_value() && *whole > kMaxTicks - *fraction)) {
    return absl::OutOfRangeError(absl::StrCat(Quoted(time), " is too large; the largest time is ",
                                              kMaxTicks / TicksPerUnit(timeline), " ", UnitsOf(timeline)));
  }
  if (!fraction.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(time), " is too fine; the timeline ", TimelineName(timeline),
                                                   " is told in ", FinestOf(timeline)));
  }
  return *whole + *fraction;
}

std::string Quoted(const WrittenTime& time) {
  constexpr size_t kMaxBytes = 40;
  return absl::StrCat("'", Shortened(absl::CHexEscape(time.text), kMaxBytes), "'");
}

}  // namespace pilothouse::trainer
