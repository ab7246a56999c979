#include "trainer/plugin/point.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {

absl::string_view PointName(PluginPoint point) {
  switch (point) {
    case PluginPoint::kStart:
      return "start";
    case PluginPoint::kBeforeBatch:
      return "before_batch";
    case PluginPoint::kAfterBatch:
      return "after_batch";
    case PluginPoint::kAfterValidation:
      return "after_validation";
    case PluginPoint::kBeforeStop:
      return "before_stop";
    case PluginPoint::kEnd:
      return "end";
  }
  return "";
}

absl::StatusOr<PluginPoint> PointOf(absl::string_view name) {
  for (const PluginPoint point : kPluginPoints) {
    if (PointName(point) == name) return point;
  }
  const std::string known = absl::StrJoin(
      kPluginPoints, ", ", [](std::string* out, PluginPoint point) { absl::StrAppend(out, PointName(point)); });
  return MakeError(v1::ERROR_REASON_PLUGIN_POINT_UNKNOWN, "point",
                   absl::StrCat("There is no point \"", name, "\" in the life of a run. The points are: ", known, "."),
                   {{"point", std::string(name)}, {"known", known}});
}

bool TakesSchedule(PluginPoint point) {
  return point == PluginPoint::kBeforeBatch || point == PluginPoint::kAfterBatch ||
         point == PluginPoint::kAfterValidation;
}

}  // namespace pilothouse::trainer
