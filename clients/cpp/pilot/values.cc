#include "clients/cpp/pilot/values.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/limits.h"

namespace pilothouse::client {
namespace {

absl::Status Expected(absl::string_view what, absl::string_view text) {
  // A leading minus sign may have been replaced by a real one, so that the number is not taken for an option.
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, "; got \"", absl::StrReplaceAll(text, {{"−", "-"}}), "\"."));
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

// One of the named values; '_' and case do not matter.
template <typename T>
absl::StatusOr<T> ParseName(const std::string& text, std::initializer_list<std::pair<absl::string_view, T>> names) {
  std::string plain = absl::AsciiStrToLower(text);
  std::replace(plain.begin(), plain.end(), '_', '-');
  std::string known;
  for (const auto& [name, value] : names) {
    if (plain == name) return value;
    absl::StrAppend(&known, known.empty() ? "" : ", ", name);
  }
  return Expected(absl::StrCat("one of ", known), text);
}

}  // namespace

absl::StatusOr<double> ParseNumber(const std::string& text) {
  double value = 0;
  const std::string plain = absl::StrReplaceAll(text, {{"−", "-"}});
  if (!absl::SimpleAtod(plain, &value) || !std::isfinite(value)) return Expected("a finite number", text);
  return value;
}

absl::StatusOr<double> ParseEta(const std::string& text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value) || value <= 0) {
    return Expected("a finite number above 0", text);
  }
  return value;
}

absl::StatusOr<int64_t> ParseBatch(const std::string& text) {
  int64_t value = 0;
  if (!IsDigits(text) || !absl::SimpleAtoi(text, &value) || value > kMaxTarget) {
    return Expected("a whole number from 0 to 2^53", text);
  }
  return value;
}

absl::StatusOr<int64_t> ParseCount(const std::string& text) {
  int64_t value = 0;
  if (!IsDigits(text) || !absl::SimpleAtoi(text, &value) || value < 1)
    return Expected("a whole number from 1 on", text);
  return value;
}

absl::StatusOr<v1::TargetChange> ParseTarget(const std::string& text) {
  absl::string_view digits = text;
  const bool more = absl::ConsumePrefix(&digits, "+");
  int64_t value = 0;
  const bool whole = IsDigits(digits) && absl::SimpleAtoi(digits, &value) && value <= kMaxTarget;
  if (!whole || (more && value == 0)) {
    return Expected("a whole number of batches from 0 to 2^53, or +N for N batches more", text);
  }
  v1::TargetChange change;
  if (more) {
    change.set_more(value);
  } else {
    change.set_batch(value);
  }
  return change;
}

absl::StatusOr<absl::Duration> ParseDuration(const std::string& text) {
  absl::Duration duration;
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    return Expected("a time such as 50ms, 2s or 1m30s", text);
  }
  // A year: longer is a mistake, and would overflow on the wire.
  constexpr absl::Duration kLongest = absl::Hours(365 * 24);
  if (std::isnan(seconds) || duration < absl::ZeroDuration() || duration > kLongest) {
    return Expected("a time from 0 to a year", text);
  }
  return duration;
}

absl::StatusOr<std::vector<double>> ParseNumbers(const std::string& text) {
  std::vector<double> values;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::StatusOr<double> value = ParseNumber(std::string(absl::StripAsciiWhitespace(part)));
    if (!value.ok()) return Expected("finite numbers separated by commas", text);
    values.push_back(*value);
  }
  return values;
}

absl::StatusOr<v1::LossFunction> ParseLoss(const std::string& text) {
  return ParseName<v1::LossFunction>(text, {{"cross-entropy", v1::LOSS_FUNCTION_CROSS_ENTROPY},
                                            {"binary-cross-entropy", v1::LOSS_FUNCTION_BINARY_CROSS_ENTROPY},
                                            {"mse", v1::LOSS_FUNCTION_MSE},
                                            {"half-mse", v1::LOSS_FUNCTION_HALF_MSE}});
}

absl::StatusOr<v1::Precision> ParsePrecision(const std::string& text) {
  return ParseName<v1::Precision>(text, {{"float32", v1::PRECISION_FLOAT32}, {"float64", v1::PRECISION_FLOAT64}});
}

absl::StatusOr<v1::Initializer> ParseInitializer(const std::string& text) {
  return ParseName<v1::Initializer>(text, {{"scaled", v1::INITIALIZER_SCALED}, {"normal", v1::INITIALIZER_NORMAL}});
}

absl::StatusOr<std::vector<v1::EventKind>> ParseKinds(const std::string& text) {
  std::vector<v1::EventKind> kinds;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::StatusOr<v1::EventKind> kind =
        ParseName<v1::EventKind>(std::string(absl::StripAsciiWhitespace(part)), {{"loss", v1::EVENT_KIND_LOSS},
                                                                                 {"status", v1::EVENT_KIND_STATUS},
                                                                                 {"control", v1::EVENT_KIND_CONTROL},
                                                                                 {"state", v1::EVENT_KIND_STATE}});
    if (!kind.ok()) return kind.status();
    kinds.push_back(*kind);
  }
  return kinds;
}

}  // namespace pilothouse::client
