// What a training loop is given to begin with.
#ifndef PILOTHOUSE_TRAINER_LOOP_LOOP_OPTIONS_H_
#define PILOTHOUSE_TRAINER_LOOP_LOOP_OPTIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/resume.h"
#include "trainer/loop/scheduled_eta.h"
#include "trainer/optim/eta_schedule.h"
#include "trainer/plugin/change.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

struct LoopOptions {
  int64_t target = 0;  // to begin with, 0 to kMaxTarget
  // Valid for the learner; eta is the one that the schedule begins with.
  Knobs knobs;
  EtaSchedule eta_schedule = {};
  std::string run_id;
  // The run's, and the folder of all runs' directories. Parameters are saved below the first: by a stop as
  // checkpoints/batch-000000000050.safetensors.
  std::string directory;
  std::string runs_directory;
  uint64_t seed = 0;
  // The kinds of plugins there are. Null: none.
  std::shared_ptr<const PluginKinds> plugin_kinds;
  // Attached at the beginning, in this order. REQUIRES: CheckPlugins is OK.
  std::vector<PluginSpec> plugins;
  CheckpointRetention retention = {};
  // The run has a past, and goes on from it. Null: it is new.
  std::shared_ptr<const ResumePlan> resume = nullptr;
  // The run is a fork, and `resume` leads to where it begins. Null: it is not, or has begun before.
  std::shared_ptr<const ForkStart> fork = nullptr;
  // Where files are that controls of its past name. Empty: in `directory`.
  std::string past_directory = "";
  // The batch at which the run began: 0, or where it was forked.
  int64_t first_batch = 0;

  int64_t line() const { return resume == nullptr ? 0 : resume->line; }
};

// The kinds of plugins there are for a run, and what its plugins can know when they are made.
const PluginKinds& KindsOf(const LoopOptions& options);
PluginSurroundings SurroundingsOf(const LoopOptions& options, const LearnerFacts& facts);

// The schedule of a run of this learner, and the knobs as they are before its first batch.
ScheduledEta ScheduledEtaOf(const LoopOptions& options, const LearnerFacts& facts);
Knobs FirstKnobsOf(const LoopOptions& options, const LearnerFacts& facts);

// Whether the plugins of `options` can be attached to a new run of this learner; their errors are those of
// PluginHost::Attach, and blame "plugins[i]…".
absl::Status CheckPlugins(const LoopOptions& options, const LearnerFacts& facts);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_LOOP_OPTIONS_H_
