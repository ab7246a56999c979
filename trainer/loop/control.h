// What comes in to the training loop: controls, which change the run, and queries, which ask it something.
#ifndef PILOTHOUSE_TRAINER_LOOP_CONTROL_H_
#define PILOTHOUSE_TRAINER_LOOP_CONTROL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "trainer/loop/knobs.h"
#include "trainer/loop/learner.h"

namespace pilothouse::trainer {

struct KnobChange {
  std::string name;
  double value = 0;
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
  // End even if the parameters cannot be saved: the process must. Otherwise such a stop is refused.
  bool must_end = false;
};

using Change = std::variant<KnobChange, TargetChange, StopChange>;

struct Control {
  // Never empty. A control whose id was accepted before is ignored.
  std::string request_id;
  Change change;
  // Takes effect after exactly this batch and before the next. Unset: at the next boundary.
  std::optional<int64_t> at_batch;
  std::string origin;
  std::string note;
};

enum class RunStatus { kTraining, kIdle, kStopping, kStopped, kFailed };
enum class IdleReason { kNone, kTargetReached, kPaused, kDiverged };

// The run between two batches.
struct RunSnapshot {
  int64_t batch = 0;
  int64_t target = 0;
  int64_t resume_target = 0;
  double loss = -1;  // of `batch`; −1 before any training
  RunStatus status = RunStatus::kIdle;
  IdleReason idle_reason = IdleReason::kTargetReached;
  Knobs knobs;
  std::shared_ptr<const Model> model;  // null unless asked for
};

struct Query {
  bool include_model = false;
  // With include_model: also report the state vector, unless it is too large for an event or was reported at this
  // batch.
  bool report_state = false;
  // Called once, on the training thread: it must not block.
  std::function<void(RunSnapshot)> answer;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CONTROL_H_
