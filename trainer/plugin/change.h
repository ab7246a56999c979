// What can be asked of a run: by a person, or by a plugin.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_CHANGE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_CHANGE_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "trainer/plugin/point.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

struct KnobChange {
  std::string name;
  double value = 0;
  // Only of eta: it is what the run's schedule says again, whatever `value` is.
  bool follow_schedule = false;
};

struct TargetChange {
  enum class Kind {
    kBatch,   // train up to batch `count`
    kMore,    // train `count` batches more, counted from where this takes effect
    kPause,   // pause where the run is
    kResume,  // train on to the last target that lay ahead when it was set
  };
  Kind kind = Kind::kBatch;
  int64_t count = 0;
};

// Save the parameters and end.
struct StopChange {
  // What the run's last status says about it. Empty: nothing.
  std::string message;
  // A plugin ends the run: it is COMPLETED, not STOPPED. If the parameters cannot be saved, the run pauses.
  bool completed = false;
};

// What to run, and when. Fields as in v1::PluginSpec; what is unset gets the kind's usual value.
struct PluginSpec {
  std::string name;
  std::string kind;
  std::string schedule;
  std::optional<Timeline> timeline;
  std::optional<PluginPoint> point;
  std::map<std::string, std::string> settings;
  std::optional<int> priority;
  std::optional<bool> required;
  std::optional<std::chrono::nanoseconds> allowance;
  int max_failures = 0;  // 0: kUsualMaxFailures
};

struct AttachPluginChange {
  PluginSpec spec;
};

struct DetachPluginChange {
  std::string name;
};

struct ReschedulePluginChange {
  std::string name;
  std::string schedule;
  std::optional<Timeline> timeline;
};

// Replace the parameters by those in a file.
struct ParametersChange {
  std::string file;    // relative to the run's directory
  std::string sha256;  // of its content, in hexadecimal
  std::string from_run_id;
  int64_t from_batch = 0;
};

// Make a checkpoint.
struct CheckpointChange {
  // Keep it for as long as the run.
  bool pin = false;
};

// Go back to where the run was when the batch after this one was about to be trained, and wait there.
struct RewindChange {
  int64_t batch = 0;
  // Names what came after. Never empty in a run that has a service.
  std::string branch;
};

using Change = std::variant<KnobChange, TargetChange, StopChange, AttachPluginChange, DetachPluginChange,
                            ReschedulePluginChange, ParametersChange, CheckpointChange, RewindChange>;

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_CHANGE_H_
