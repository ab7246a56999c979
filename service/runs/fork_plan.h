// What a fork is to be: which batches of its parent it can begin at, and what it begins with.
#ifndef PILOTHOUSE_SERVICE_RUNS_FORK_PLAN_H_
#define PILOTHOUSE_SERVICE_RUNS_FORK_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"
#include "service/runs/run_place.h"
#include "service/runs/run_store.h"

namespace pilothouse::service {

// A run that is to be forked, as its journal says.
struct ForkParent {
  std::string directory;
  // With its spec.
  v1::Run run;
  // The last batch of its present line that anything is journaled of.
  int64_t last_batch = 0;
};

// JOURNAL_FAILED. Blocks on the disk.
absl::StatusOr<ForkParent> ReadForkParent(const RunPlace& place);

// Batches that a line has, from the run's beginning on.
struct LineRange {
  int64_t first = 0;
  int64_t last = 0;
};

// Of a branch; empty: of the present line. BRANCH_NOT_FOUND. Pure.
absl::StatusOr<LineRange> RangeOf(const ForkParent& parent, const std::string& branch);

// The run that forks `parent` at `batch`; its data are left to the caller. BATCH_OUT_OF_RANGE, BRANCH_NOT_FOUND,
// TARGET_INVALID. Pure.
absl::StatusOr<RunToStart> PlanFork(const v1::ForkRequest& request, const ForkParent& parent, int64_t batch);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_FORK_PLAN_H_
