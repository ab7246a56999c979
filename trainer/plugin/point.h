// The points in the life of a run at which plugins can run.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_POINT_H_
#define PILOTHOUSE_TRAINER_PLUGIN_POINT_H_

#include <array>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

// What happens in a run, in this order; the points in brackets come once:
//
//   [start]  { before_batch, a batch, after_batch, { validation, after_validation }, controls }  [before_stop]  [end]
enum class PluginPoint {
  // Before the first batch; for a plugin that is attached later, before the next batch.
  kStart,
  // After the controls of a boundary, right before the next batch.
  kBeforeBatch,
  // After a batch, before the controls of that boundary: so a person who asks for the same as a plugin has the last
  // word.
  kAfterBatch,
  // After a validation, whoever made it.
  kAfterValidation,
  // When the run was told to stop, before its parameters are saved.
  kBeforeStop,
  // When the parameters are saved and no batch will follow.
  kEnd,
};

inline constexpr std::array<PluginPoint, 6> kPluginPoints = {PluginPoint::kStart,      PluginPoint::kBeforeBatch,
                                                             PluginPoint::kAfterBatch, PluginPoint::kAfterValidation,
                                                             PluginPoint::kBeforeStop, PluginPoint::kEnd};

// "start", "before_batch", "after_batch", "after_validation", "before_stop", "end".
absl::string_view PointName(PluginPoint point);
// PLUGIN_POINT_UNKNOWN, listing the names, for any other.
absl::StatusOr<PluginPoint> PointOf(absl::string_view name);

// Whether plugins at this point are asked by their schedule. At the others they run once, whatever the time.
bool TakesSchedule(PluginPoint point);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_POINT_H_
