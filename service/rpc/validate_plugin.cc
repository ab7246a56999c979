#include "service/rpc/validate_plugin.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "service/runs/run_id.h"

namespace pilothouse::service {
namespace {

// How much of a text that is refused is shown again.
constexpr size_t kShownBytes = 64;
constexpr int kMaxNanoseconds = 999'999'999;

bool FitToShow(absl::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(c); });
}

bool Fits(absl::string_view text) { return text.size() <= kMaxPluginTextBytes && FitToShow(text); }

// What may be told again of a text that is refused.
std::string Shown(absl::string_view text) {
  std::string shown = Shortened(text, kShownBytes);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return absl::ascii_iscntrl(c); }, '?');
  return shown;
}

absl::Status Invalid(absl::string_view field, absl::string_view sentence, absl::string_view value) {
  return MakeError(v1::ERROR_REASON_PLUGIN_INVALID, field, sentence, {{"value", Shown(value)}});
}

absl::Status CheckKind(const std::string& kind) {
  // Which kinds there are, and that one must be named, the trainer says.
  if (kind.size() <= kShownBytes && FitToShow(kind)) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN, "kind",
      absl::StrCat("There is no kind of plugin \"", Shown(kind), "\"; ListPluginKinds tells those there are."),
      {{"kind", Shown(kind)}});
}

absl::Status CheckSettings(const google::protobuf::Map<std::string, std::string>& settings) {
  if (settings.size() > kMaxPluginSettings) {
    return MakeError(
        v1::ERROR_REASON_PLUGIN_SETTING_INVALID, "settings",
        absl::StrCat("A plugin has at most ", kMaxPluginSettings, " settings; these are ", settings.size(), "."));
  }
  for (const auto& [name, value] : settings) {
    if (Fits(name) && Fits(value)) continue;
    return MakeError(v1::ERROR_REASON_PLUGIN_SETTING_INVALID, absl::StrCat("settings.", Shown(name)),
                     absl::StrCat("The name and the value of a setting have at most ", kMaxPluginTextBytes,
                                  " bytes each and no control characters."),
                     {{"setting", Shown(name)}, {"value", Shown(value)}});
  }
  return absl::OkStatus();
}

absl::Status CheckPoint(int point) {
  if (v1::PluginPoint_IsValid(point)) return absl::OkStatus();
  std::vector<std::string> names;
  for (int known = v1::PLUGIN_POINT_START; v1::PluginPoint_IsValid(known); ++known) {
    names.push_back(absl::AsciiStrToLower(
        v1::PluginPoint_Name(static_cast<v1::PluginPoint>(known)).substr(sizeof("PLUGIN_POINT_") - 1)));
  }
  const std::string known = absl::StrJoin(names, ", ");
  return MakeError(v1::ERROR_REASON_PLUGIN_POINT_UNKNOWN, "point",
                   absl::StrCat("There is no point ", point, " in the life of a run. The points are: ", known, "."),
                   {{"point", absl::StrCat(point)}, {"known", known}});
}

absl::Status CheckAllowance(const google::protobuf::Duration& allowance) {
  // The message can hold what no duration is: seconds and nanoseconds of any size and of different signs.
  const bool well_made = allowance.seconds() >= 0 && allowance.nanos() >= 0 && allowance.nanos() <= kMaxNanoseconds;
  const absl::Duration value = absl::Seconds(allowance.seconds()) + absl::Nanoseconds(allowance.nanos());
  if (well_made && value > absl::ZeroDuration() && value <= kLongestAllowance) return absl::OkStatus();
  const std::string shown = absl::FormatDuration(value);
  return Invalid("allowance", absl::StrCat("The allowance lies above 0 and is at most 1 h; got ", shown, "."), shown);
}

absl::Status CheckNumbers(const v1::PluginSpec& plugin) {
  if (plugin.priority() < -kMaxPriority || plugin.priority() > kMaxPriority) {
    return Invalid("priority",
                   absl::StrCat("The priority lies between ", -kMaxPriority, " and ", kMaxPriority, "; got ",
                                plugin.priority(), "."),
                   absl::StrCat(plugin.priority()));
  }
  if (plugin.max_failures() < 0 || plugin.max_failures() > kMostFailures) {
    return Invalid("max_failures",
                   absl::StrCat("max_failures lies between 1 and ", kMostFailures, ", or is 0 for the usual 3; got ",
                                plugin.max_failures(), "."),
                   absl::StrCat(plugin.max_failures()));
  }
  return plugin.has_allowance() ? CheckAllowance(plugin.allowance()) : absl::OkStatus();
}

absl::Status CheckSize(const v1::PluginSpec& plugin) {
  const size_t bytes = plugin.ByteSizeLong();
  if (bytes <= size_t{kMaxPluginSpecBytes}) return absl::OkStatus();
  return Invalid("",
                 absl::StrCat("A plugin with all its settings has at most ", kMaxPluginSpecBytes,
                              " bytes; this one has ", bytes, ". Give it fewer or shorter settings."),
                 absl::StrCat(bytes, " bytes"));
}

absl::Status CheckFields(const v1::PluginSpec& plugin) {
  if (!plugin.name().empty()) {
    if (absl::Status name = CheckPluginName(plugin.name(), "name"); !name.ok()) return name;
  }
  if (absl::Status kind = CheckKind(plugin.kind()); !kind.ok()) return kind;
  if (absl::Status schedule = CheckSchedule(plugin.schedule(), plugin.timeline()); !schedule.ok()) return schedule;
  if (absl::Status point = CheckPoint(plugin.point()); !point.ok()) return point;
  if (absl::Status settings = CheckSettings(plugin.settings()); !settings.ok()) return settings;
  if (absl::Status numbers = CheckNumbers(plugin); !numbers.ok()) return numbers;
  return CheckSize(plugin);
}

}  // namespace

absl::Status CheckPluginName(absl::string_view name, absl::string_view field) {
  if (IsName(name)) return absl::OkStatus();
  return Invalid(field,
                 absl::StrCat("The name of a plugin has 1 to 63 characters out of a-z, 0-9 and '-', and does not begin "
                              "with '-'; got \"",
                              Shown(name), "\"."),
                 name);
}

absl::Status CheckSchedule(absl::string_view schedule, v1::Timeline timeline) {
  if (!Fits(schedule)) {
    return MakeError(v1::ERROR_REASON_SCHEDULE_INVALID, "schedule",
                     absl::StrCat("A schedule has at most ", kMaxPluginTextBytes, " bytes and no control characters."),
                     {{"schedule", Shown(schedule)}});
  }
  if (v1::Timeline_IsValid(timeline)) return absl::OkStatus();
  return Invalid("timeline",
                 absl::StrCat("There is no timeline ", static_cast<int>(timeline),
                              ". The timelines are: batches, examples, epochs, wall_time, training_time."),
                 absl::StrCat(static_cast<int>(timeline)));
}

absl::Status CheckPlugin(const v1::PluginSpec& plugin, absl::string_view field) {
  const absl::Status valid = CheckFields(plugin);
  return valid.ok() ? valid : WithFieldPrefix(valid, field);
}

absl::Status CheckPlugins(const google::protobuf::RepeatedPtrField<v1::PluginSpec>& plugins, absl::string_view field) {
  if (plugins.size() > kMaxPlugins) {
    return MakeError(v1::ERROR_REASON_TOO_MANY_PLUGINS, field,
                     absl::StrCat("A run has at most ", kMaxPlugins, " plugins; these are ", plugins.size(), "."),
                     {{"limit", absl::StrCat(kMaxPlugins)}});
  }
  for (int i = 0; i < plugins.size(); ++i) {
    if (absl::Status valid = CheckPlugin(plugins[i], absl::StrCat(field, "[", i, "]")); !valid.ok()) return valid;
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::service
