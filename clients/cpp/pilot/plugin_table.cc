// The tables of plugin_output.h.
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/plugin_output.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

using google::protobuf::util::TimeUtil;
using Row = std::vector<std::string>;

constexpr int kScheduleColumn = 1;
// A schedule is shown in full behind its row where even this does not fit.
constexpr int kMinScheduleColumns = 10;
constexpr int kSettingColumns = 20;

// "35 µs", "1.2 ms", "2.4 s".
std::string FormatMean(const v1::PluginStatus& plugin) {
  if (plugin.runs() < 1) return "-";
  const double seconds = static_cast<double>(TimeUtil::DurationToNanoseconds(plugin.total_time())) / 1e9 /
                         static_cast<double>(plugin.runs());
  if (seconds < 1e-3) return absl::StrFormat("%.0f µs", seconds * 1e6);
  if (seconds < 1) return absl::StrFormat("%.*f ms", seconds < 0.1 ? 1 : 0, seconds * 1e3);
  return absl::StrFormat("%.1f s", seconds);
}

std::string ScheduleOf(const v1::PluginStatus& plugin) {
  switch (plugin.spec().point()) {
    case v1::PLUGIN_POINT_START:
      return "at start";
    case v1::PLUGIN_POINT_BEFORE_STOP:
      return "before stop";
    case v1::PLUGIN_POINT_END:
      return "at end";
    default:
      return plugin.spec().schedule().empty() ? "-" : ScheduleText(plugin.spec().schedule(), plugin.spec().timeline());
  }
}

Row RowOf(const v1::PluginStatus& plugin) {
  return {absl::StrCat(Printable(plugin.spec().name()), plugin.built_in() ? " *" : ""),
          ScheduleOf(plugin),
          plugin.has_last_batch() ? FormatCount(plugin.last_batch()) : "-",
          NextDueText(plugin),
          FormatCount(plugin.runs()),
          FormatCount(plugin.failures()),
          FormatMean(plugin)};
}

// Columns that the schedules may take, so that the table fits.
int ScheduleRoom(const std::vector<Row>& rows, int width) {
  int others = 0;
  for (size_t column = 0; column < rows.front().size(); ++column) {
    if (column == kScheduleColumn) continue;
    int widest = 0;
    for (const Row& row : rows) widest = std::max(widest, DisplayWidth(row[column]));
    others += widest + 2;
  }
  return std::max(kMinScheduleColumns, width - others);
}

std::string UsualText(const v1::PluginKind& kind) {
  std::string text = "Usually ";
  switch (kind.usual_point()) {
    case v1::PLUGIN_POINT_START:
      text += "at the start.";
      break;
    case v1::PLUGIN_POINT_BEFORE_STOP:
      text += "before the stop.";
      break;
    case v1::PLUGIN_POINT_END:
      text += "at the end.";
      break;
    default: {
      std::string point = PointWord(kind.usual_point());
      std::replace(point.begin(), point.end(), '_', ' ');
      absl::StrAppend(&text, Printable(kind.usual_schedule()), ", ", point, ".");
    }
  }
  if (kind.required()) text += " Must not be missed: the run pauses rather than go on without it.";
  return text;
}

std::string SettingLines(const v1::PluginSetting& setting, int width) {
  std::string name = absl::StrCat("    ", Printable(setting.name()));
  name += std::string(std::max(2, kSettingColumns - DisplayWidth(name)), ' ');
  const std::string usual = setting.required()        ? " (must be given)"
                            : setting.usual().empty() ? ""
                                                      : absl::StrCat(" (usually ", Printable(setting.usual()), ")");
  return WrapText(name, PrintableLines(setting.description(), " ") + usual, kSettingColumns, width);
}

}  // namespace

std::string PluginTable(const v1::ListPluginsResponse& list, int width) {
  std::vector<Row> rows = {{"plugin", "schedule", "last ran", "next due", "runs", "failed", "mean"}};
  bool any_built_in = false;
  for (const v1::PluginStatus& plugin : list.plugins()) {
    rows.push_back(RowOf(plugin));
    any_built_in = any_built_in || plugin.built_in();
  }
  const int room = ScheduleRoom(rows, width);
  std::vector<Row> cut = rows;
  for (Row& row : cut) row[kScheduleColumn] = Truncate(row[kScheduleColumn], room);
  const std::vector<std::string> lines =
      absl::StrSplit(FormatTable(cut, {false, false, true, false, true, true, true}, ""), '\n', absl::SkipEmpty());
  std::string table = lines[0] + "\n";
  for (size_t i = 1; i < lines.size(); ++i) {
    absl::StrAppend(&table, lines[i], "\n");
    if (cut[i][kScheduleColumn] != rows[i][kScheduleColumn]) {
      absl::StrAppend(&table, WrapText("    schedule: ", rows[i][kScheduleColumn], 6, width));
    }
    const v1::PluginStatus& plugin = list.plugins(static_cast<int>(i) - 1);
    if (!plugin.last_failure().empty()) {
      absl::StrAppend(&table, WrapText("    last failure: ", PrintableLines(plugin.last_failure(), " | "), 6, width));
    }
  }
  if (any_built_in) absl::StrAppend(&table, "* part of the run itself\n");
  return table;
}

std::string PluginKindList(const std::vector<v1::PluginKind>& kinds, int width) {
  std::string text;
  for (const v1::PluginKind& kind : kinds) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", Printable(kind.name()), "\n",
                    WrapText("  ", PrintableLines(kind.description(), " "), 2, width),
                    WrapText("  ", UsualText(kind), 2, width));
    for (const v1::PluginSetting& setting : kind.settings()) absl::StrAppend(&text, SettingLines(setting, width));
  }
  return text;
}

}  // namespace pilothouse::client
