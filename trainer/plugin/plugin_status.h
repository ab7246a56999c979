// What is known of a plugin that is attached.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_STATUS_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_STATUS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "trainer/plugin/change.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

struct PluginFailure {
  std::string message;
  int failures_in_a_row = 0;
  bool detached = false;
  bool paused = false;
};

// Fields as in v1::PluginStatus.
struct PluginStatus {
  PluginSpec spec;  // complete
  int64_t runs = 0;
  int64_t failures = 0;
  std::optional<int64_t> last_batch;
  std::chrono::nanoseconds total_time{0};
  std::chrono::nanoseconds last_time{0};
  std::optional<double> next_due;
  double now = 0;
  bool built_in = false;
  std::string last_failure;
  int64_t attached_batch = 0;
  std::string waits_for;
};

// A plugin as a checkpoint keeps it.
struct SavedPlugin {
  PluginStatus status;
  Ticks asked_through = 0;
  int failures_in_a_row = 0;
  bool owed = false;   // it is required, and its last call did nothing
  Ticks retry_at = 0;  // then: when it is called again, in wall time
  std::string state;   // what Plugin::Save gave
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_STATUS_H_
