#include "clients/cpp/pilot/plugin_output.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "clients/cpp/pilot/text.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

// More than these are counted, not shown.
constexpr int kMaxShownValues = 8;
constexpr int kMaxShownNames = 8;
constexpr int kValueDigits = 5;
constexpr absl::string_view kNothing = "-";

std::string Plural(int64_t count, absl::string_view thing) {
  return absl::StrCat(FormatCount(count), " ", thing, count == 1 ? "" : "s");
}

std::string Lower(const std::string& name, absl::string_view prefix) {
  const absl::string_view word = absl::StripPrefix(name, prefix);
  return word == "UNSPECIFIED" ? "" : absl::AsciiStrToLower(word);
}

// The timeline that the first unit of a schedule names; batches where there is none.
v1::Timeline TimelineOfUnits(absl::string_view schedule) {
  for (size_t i = 1; i < schedule.size(); ++i) {
    const absl::string_view before = absl::StripTrailingAsciiWhitespace(schedule.substr(0, i));
    const bool behind_number = !before.empty() && (absl::ascii_isdigit(before.back()) || before.back() == '.');
    if (!behind_number || !absl::ascii_isalpha(schedule[i])) continue;
    const bool is_exponent =
        (schedule[i] == 'e' || schedule[i] == 'E') && i + 1 < schedule.size() && !absl::ascii_isalpha(schedule[i + 1]);
    if (is_exponent) continue;
    const std::string unit = absl::AsciiStrToLower(schedule.substr(i, 2));
    if (unit == "ba") return v1::TIMELINE_BATCHES;
    if (unit == "ex") return v1::TIMELINE_EXAMPLES;
    return unit == "ep" ? v1::TIMELINE_EPOCHS : v1::TIMELINE_WALL_TIME;
  }
  return v1::TIMELINE_BATCHES;
}

// Whole numbers without an exponent, others with at most 3 decimals.
std::string FormatPlain(double value) {
  constexpr double kFar = 9e15;
  if (!std::isfinite(value) || std::abs(value) > kFar) return FormatNumber(value);
  std::string text = absl::StrFormat("%.3f", value);
  const size_t point = text.find('.');
  int64_t whole = 0;
  if (!absl::SimpleAtoi(text.substr(0, point), &whole)) return FormatNumber(value);
  text = FormatCount(whole) + text.substr(point);
  text.erase(text.find_last_not_of('0') + 1);
  return std::string(absl::StripSuffix(text, "."));
}

bool TakesSchedule(v1::PluginPoint point) {
  return point != v1::PLUGIN_POINT_START && point != v1::PLUGIN_POINT_BEFORE_STOP && point != v1::PLUGIN_POINT_END;
}

std::string ValuesText(const v1::PluginOutput& output) {
  std::vector<std::string> parts;
  for (int i = 0; i < std::min(output.values_size(), kMaxShownValues); ++i) {
    const v1::NamedValue& value = output.values(i);
    parts.push_back(absl::StrCat(Printable(value.name()), " ", FormatNumber(value.value(), kValueDigits)));
  }
  if (output.values_size() > kMaxShownValues) {
    parts.push_back(Plural(output.values_size() - kMaxShownValues, "more value"));
  }
  if (output.histograms_size() > 0) parts.push_back(Plural(output.histograms_size(), "histogram"));
  return absl::StrJoin(parts, ", ");
}

std::string OutputText(const v1::PluginOutput& output) {
  const std::string values = ValuesText(output);
  const std::string message = PrintableLines(output.message(), " | ");
  return absl::StrCat(values, values.empty() || message.empty() ? "" : "  ", message);
}

std::string FailureText(const v1::PluginFailure& failure) {
  std::string text(absl::StripSuffix(PrintableLines(failure.message(), " | "), "."));
  if (failure.failures_in_a_row() > 1) absl::StrAppend(&text, "; ", failure.failures_in_a_row(), " times in a row");
  if (failure.detached()) absl::StrAppend(&text, "; detached");
  if (failure.paused()) absl::StrAppend(&text, "; the run pauses");
  return text;
}

}  // namespace

std::string TimelineWord(v1::Timeline timeline) { return Lower(v1::Timeline_Name(timeline), "TIMELINE_"); }

std::string PointWord(v1::PluginPoint point) { return Lower(v1::PluginPoint_Name(point), "PLUGIN_POINT_"); }

std::string ScheduleText(const std::string& schedule, v1::Timeline timeline) {
  if (timeline == v1::TIMELINE_UNSPECIFIED || timeline == TimelineOfUnits(schedule)) return Printable(schedule);
  std::string words = TimelineWord(timeline);
  std::replace(words.begin(), words.end(), '_', ' ');
  return absl::StrCat(Printable(schedule), " on ", words);
}

std::string NextDueText(const v1::PluginStatus& plugin) {
  absl::string_view awaited = plugin.waits_for();
  if (absl::ConsumePrefix(&awaited, "a ")) return absl::StrCat("next ", Printable(awaited));
  if (!awaited.empty()) return absl::StrCat("at ", Printable(awaited));
  if (!TakesSchedule(plugin.spec().point())) return std::string(kNothing);
  if (!plugin.has_next_due()) return plugin.built_in() ? std::string(kNothing) : "never";
  const double due = plugin.next_due();
  switch (plugin.spec().timeline()) {
    case v1::TIMELINE_EXAMPLES:
      return absl::StrCat("example ", FormatPlain(due));
    case v1::TIMELINE_EPOCHS:
      return absl::StrCat("epoch ", FormatPlain(due));
    case v1::TIMELINE_WALL_TIME:
    case v1::TIMELINE_TRAINING_TIME:
      if (due <= plugin.now()) return "now";
      return absl::StrCat("in ", FormatSpan(absl::Seconds(due - plugin.now())),
                          plugin.spec().timeline() == v1::TIMELINE_TRAINING_TIME ? " training" : "");
    default:
      return absl::StrCat("batch ", FormatPlain(due));
  }
}

std::string ReportText(const v1::PluginReport& report) {
  return report.has_failure() ? FailureText(report.failure()) : OutputText(report.output());
}

std::string ReportLine(const v1::PluginReport& report) {
  return absl::StrCat(Printable(report.plugin()), report.has_failure() ? " failed: " : ": ", ReportText(report));
}

std::string PluginControlText(const v1::ControlReport& control) {
  const v1::Change& change = control.change();
  const std::string name = Printable(control.plugin());
  if (change.has_attach_plugin()) {
    const v1::PluginSpec& spec = change.attach_plugin().plugin();
    const std::string schedule = ScheduleText(spec.schedule(), spec.timeline());
    return absl::StrCat("attach ", name, spec.kind() == control.plugin() ? "" : " of kind ",
                        spec.kind() == control.plugin() ? "" : Printable(spec.kind()), schedule.empty() ? "" : ", ",
                        schedule);
  }
  if (change.has_reschedule_plugin()) {
    const v1::ReschedulePluginChange& reschedule = change.reschedule_plugin();
    return absl::StrCat("schedule ", name, ", ", ScheduleText(reschedule.schedule(), reschedule.timeline()));
  }
  if (change.has_detach_plugin()) return absl::StrCat("detach ", name);
  const v1::ParametersChange& parameters = change.parameters();
  return absl::StrCat("parameters of ", Printable(parameters.from_run_id()), " at batch ",
                      FormatCount(parameters.from_batch()));
}

std::string PluginReceiptLine(const v1::Change& change, const v1::Receipt& receipt) {
  const std::string end = absl::StrCat(" (receipt ", receipt.control_id(), ")");
  const std::string name = Printable(receipt.plugin());
  if (change.has_reschedule_plugin()) {
    const v1::ReschedulePluginChange& reschedule = change.reschedule_plugin();
    return absl::StrCat(name, " is due ", ScheduleText(reschedule.schedule(), reschedule.timeline()), " after batch ",
                        receipt.applied_batch(), end);
  }
  const auto count = static_cast<int64_t>(receipt.value());
  return absl::StrCat(name, change.has_attach_plugin() ? " is attached" : " is detached", " after batch ",
                      receipt.applied_batch(), "; ", count == 0 ? "no plugins" : Plural(count, "plugin"), " now", end);
}

std::string PluginNames(const v1::Run& run) {
  std::vector<std::string> names;
  for (const v1::PluginStatus& plugin : run.plugins()) {
    if (plugin.built_in()) continue;
    const std::string failed =
        plugin.failures() > 0 ? absl::StrCat(" (failed ", Plural(plugin.failures(), "time"), ")") : "";
    names.push_back(Printable(plugin.spec().name()) + failed);
  }
  const auto more = static_cast<int64_t>(names.size()) - kMaxShownNames;
  if (more > 0) {
    names.resize(kMaxShownNames);
    names.push_back(absl::StrCat(FormatCount(more), " more"));
  }
  return absl::StrJoin(names, ", ");
}

absl::StatusOr<std::vector<v1::PluginKind>> ChooseKinds(const v1::ListPluginKindsResponse& kinds,
                                                        const std::string& name) {
  std::vector<v1::PluginKind> chosen;
  std::vector<std::string> known;
  for (const v1::PluginKind& kind : kinds.kinds()) {
    known.push_back(kind.name());
    if (name.empty() || kind.name() == name) chosen.push_back(kind);
  }
  if (!chosen.empty() || name.empty()) return chosen;
  const std::string names = absl::StrJoin(known, ", ");
  return MakeError(v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN, "kind",
                   absl::StrCat("There is no kind of plugin named ", name, "; the kinds are ", names, "."),
                   {{"kind", name}, {"known", names}});
}

std::string SchedulePointer(const absl::Status& status) {
  if (ReasonOf(status) != v1::ERROR_REASON_SCHEDULE_INVALID) return "";
  const v1::Error error = ToError(status);
  const auto schedule = error.metadata().find("schedule");
  const auto position = error.metadata().find("position");
  int64_t at = 0;
  if (schedule == error.metadata().end() || position == error.metadata().end()) return "";
  const auto size = static_cast<int64_t>(schedule->second.size());
  if (!absl::SimpleAtoi(position->second, &at) || at < 1 || at > size + 1) return "";
  // What can be seen of a long schedule on one line; all before the mark is ASCII, or the mark would stand there.
  constexpr int64_t kBefore = 40;
  constexpr int kShown = 70;
  const int64_t begin = std::max<int64_t>(0, at - 1 - kBefore);
  const std::string left = begin > 0 ? "…" : "";
  const std::string shown = Truncate(Printable(absl::string_view(schedule->second).substr(begin)), kShown);
  const auto column = static_cast<size_t>(at - 1 - begin + (begin > 0 ? 1 : 0));
  return absl::StrCat("\n  ", left, shown, "\n  ", std::string(column, ' '), "^");
}

}  // namespace pilothouse::client
