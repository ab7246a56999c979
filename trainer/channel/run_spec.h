// From a run's description as it travels to what the engine builds a run from.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_SPEC_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_SPEC_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "trainer/channel/run_data.h"
#include "trainer/channel/run_host.h"
#include "trainer/data/dataset.h"
#include "trainer/data/parsed_copy.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/optim/eta_schedule.h"
#include "trainer/plugin/change.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// What a RunSpec says, defaults filled in where the engine does not do it.
struct RunPlan {
  LearnerSpec learner;
  ColumnChoice columns;
  // Eta is the one that the schedule begins with.
  Knobs knobs;
  EtaSchedule eta_schedule;
  std::vector<PluginSpec> plugins;
  CheckpointRetention retention;
};

// Most of the newest checkpoints that a run may keep.
inline constexpr int kMaxKeepLast = 1000;

// Checks everything that can be checked without the data. Error fields begin with "spec.". Pure and thread-safe.
// Errors: SPEC_INVALID, NET_INVALID, ARRAY_SHAPE_INVALID, ARRAY_DTYPE_INVALID and those of PlanKnobs and
// PlanEtaSchedule.
absl::StatusOr<RunPlan> PlanRun(const v1::RunSpec& spec);

// Reads the data, with `copy` as in ReadTable(), and builds the network. Errors as of ReadTable, ReadArrays and
// MakeLearner; SPEC_INVALID for a column of weights, or one that is ignored, where the data are arrays.
absl::StatusOr<std::unique_ptr<Learner>> BuildLearner(const RunPlan& plan, const DataFiles& files,
                                                      ParsedCopy* copy = nullptr);

// What the loop of a new run begins with.
LoopOptions OptionsOf(const v1::Welcome& welcome, const RunPlan& plan, std::shared_ptr<const PluginKinds> plugin_kinds);

// Locks the run's directory, reads the data, builds the network and checks the plugins. Further errors: those of
// ReadTable, ReadArrays, MakeLearner and CheckPlugins, STATE_TOO_LARGE, and TRAINER_FAILED where another trainer holds
// the lock.
absl::StatusOr<BuiltRun> BuildRun(const v1::Welcome& welcome, std::shared_ptr<const PluginKinds> plugin_kinds);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_SPEC_H_
