#include "trainer/plugin/builtin/condition.h"

#include <cmath>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/text.h"

namespace pilothouse::trainer {
namespace {

// Of a comparison that is quoted in a sentence.
constexpr size_t kMaxQuotedBytes = 80;

// The texts between the words "and".
std::vector<std::string> Parts(absl::string_view text) {
  std::vector<std::string> parts(1);
  for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
    if (word == "and") {
      parts.emplace_back();
    } else {
      absl::StrAppend(&parts.back(), parts.back().empty() ? "" : " ", word);
    }
  }
  return parts;
}

// nullopt: it is none.
std::optional<Comparison> ReadComparison(absl::string_view part) {
  const size_t begin = part.find_first_of("<>=");
  if (begin == absl::string_view::npos) return std::nullopt;
  Comparison comparison;
  comparison.view = std::string(absl::StripAsciiWhitespace(part.substr(0, begin)));
  const absl::string_view rest = part.substr(begin);
  // The longer ones first: "<" begins "<=".
  for (const absl::string_view operation : {"<=", ">=", "==", "<", ">"}) {
    if (!absl::StartsWith(rest, operation)) continue;
    comparison.operation = std::string(operation);
    const absl::string_view number = rest.substr(operation.size());
    if (absl::SimpleAtod(number, &comparison.number) && std::isfinite(comparison.number)) return comparison;
    return std::nullopt;
  }
  return std::nullopt;
}

absl::Status NoComparison(absl::string_view part, absl::string_view setting, absl::string_view text) {
  return PluginSettings::Invalid(
      setting, text,
      absl::StrCat("\"", Shortened(part, kMaxQuotedBytes),
                   "\" is no comparison: write a view, one of < <= > >= ==, and a number, such as \"loss < 0.01\"; "
                   "several are joined by \"and\"."));
}

}  // namespace

bool Comparison::Holds(double value) const {
  if (operation == "<") return value < number;
  if (operation == "<=") return value <= number;
  if (operation == ">") return value > number;
  if (operation == ">=") return value >= number;
  return value == number;
}

absl::StatusOr<Condition> Condition::Parse(absl::string_view text, absl::string_view setting,
                                           const PluginSurroundings& surroundings) {
  const std::vector<std::string> parts = Parts(text);
  if (parts.size() > kMaxComparisons) {
    return PluginSettings::Invalid(
        setting, text,
        absl::StrCat("A condition has at most ", kMaxComparisons, " comparisons; got ", parts.size(), "."));
  }
  std::vector<Comparison> comparisons;
  for (const std::string& part : parts) {
    std::optional<Comparison> comparison = ReadComparison(part);
    if (!comparison.has_value()) return NoComparison(part, setting, text);
    const absl::Status known = CheckViewName(comparison->view, setting, surroundings);
    if (!known.ok()) return known;
    comparisons.push_back(*std::move(comparison));
  }
  return Condition(std::move(comparisons));
}

absl::StatusOr<bool> Condition::Holds(const RunView& run) const {
  for (const Comparison& comparison : comparisons_) {
    const absl::StatusOr<std::optional<double>> value = run.Value(comparison.view);
    if (!value.ok()) return value.status();
    if (!value->has_value() || !comparison.Holds(**value)) return false;
  }
  return true;
}

}  // namespace pilothouse::trainer
