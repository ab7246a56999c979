#include "trainer/plugin/builtin/eta_steps.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/text.h"
#include "trainer/plugin/plugin_settings.h"
#include "trainer/plugin/schedule.h"

namespace pilothouse::trainer {
namespace {

// Of an entry that is quoted in a sentence.
constexpr size_t kMaxQuotedBytes = 80;

// nullopt: it is no time above 0.
std::optional<Ticks> ReadTime(absl::string_view text, Timeline timeline) {
  if (text.find_first_not_of("0123456789.") != absl::string_view::npos) return std::nullopt;
  const absl::StatusOr<Schedule> schedule = Schedule::Parse(absl::StrCat("at(", text, ")"), timeline);
  const Ticks ticks = schedule.ok() ? schedule->NextAfter(0) : kNever;
  return ticks == kNever ? std::nullopt : std::optional<Ticks>(ticks);
}

std::optional<EtaStep> ReadStep(absl::string_view entry, char between, Timeline timeline) {
  const std::vector<absl::string_view> halves = absl::StrSplit(entry, between);
  if (halves.size() != 2) return std::nullopt;
  const std::optional<Ticks> from = ReadTime(absl::StripAsciiWhitespace(halves[0]), timeline);
  double eta = 0;
  const bool fits = absl::SimpleAtod(halves[1], &eta) && std::isfinite(eta) && eta > 0;
  if (!fits || !from.has_value()) return std::nullopt;
  return EtaStep{*from, eta};
}

absl::Status InvalidEntry(absl::string_view setting, absl::string_view entry, size_t number, absl::string_view what) {
  return PluginSettings::Invalid(
      setting, entry, absl::StrCat("Entry ", number, ", \"", Shortened(entry, kMaxQuotedBytes), "\", ", what));
}

}  // namespace

absl::StatusOr<std::vector<EtaStep>> ParseEtaSteps(absl::string_view text, absl::string_view setting,
                                                   Timeline timeline) {
  const bool colons = text.find(':') != absl::string_view::npos;
  const std::vector<absl::string_view> entries = absl::StrSplit(text, absl::ByAnyChar(colons ? ",;" : ";"));
  std::vector<EtaStep> steps;
  for (size_t i = 0; i < entries.size(); ++i) {
    const absl::string_view entry = absl::StripAsciiWhitespace(entries[i]);
    const std::optional<EtaStep> step = ReadStep(entry, colons ? ':' : ',', timeline);
    if (!step.has_value()) {
      return InvalidEntry(
          setting, entry, i + 1,
          "is no pair: write when it begins, above 0, and an eta above 0, such as \"50:0.01\". What holds "
          "from the beginning is the run's own eta.");
    }
    const bool twice =
        std::any_of(steps.begin(), steps.end(), [&step](const EtaStep& other) { return other.from == step->from; });
    if (twice) return InvalidEntry(setting, entry, i + 1, "begins where another entry does: leave one of them out.");
    steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end(), [](const EtaStep& a, const EtaStep& b) { return a.from < b.from; });
  return steps;
}

}  // namespace pilothouse::trainer
