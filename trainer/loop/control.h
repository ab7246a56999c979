// What comes in to the training loop: controls, which change the run, and queries, which ask it something.
#ifndef PILOTHOUSE_TRAINER_LOOP_CONTROL_H_
#define PILOTHOUSE_TRAINER_LOOP_CONTROL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/learner.h"
#include "trainer/plugin/change.h"
#include "trainer/plugin/plugin_host.h"
#include "trainer/plugin/validation.h"

namespace pilothouse::trainer {

// With which the origin of what plugins ask for begins; the plugin's name follows.
inline constexpr char kPluginOrigin[] = "plugin ";

struct Control {
  // Never empty. A control whose id was accepted before is ignored.
  std::string request_id;
  Change change;
  // Takes effect after exactly this batch and before the next. Unset: at the next boundary.
  std::optional<int64_t> at_batch;
  std::string origin;
  std::string note;
};

enum class RunStatus { kTraining, kIdle, kStopping, kStopped, kCompleted, kFailed };
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
  std::vector<PluginStatus> plugins;   // empty unless asked for
  // Unset unless asked for. NO_VALIDATION_DATA or NO_TEST_DATA.
  std::optional<absl::StatusOr<Validation>> scores = std::nullopt;
};

struct Query {
  bool include_model = false;
  // With include_model: also report the state vector, unless it is too large for an event or was reported at this
  // batch.
  bool report_state = false;
  // Called once, on the training thread: it must not block.
  std::function<void(RunSnapshot)> answer;
  bool include_plugins = false;
  // Score the parameters on it, which takes the training thread as long as a validation does, once for all who ask
  // before the next batch, and changes nothing.
  std::optional<HeldOutPart> score = std::nullopt;
  // Whether anybody still waits for the answer; a query that nobody waits for is dropped. Unset: yes. Called on the
  // training thread: it must not block.
  std::function<bool()> awaited = nullptr;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CONTROL_H_
