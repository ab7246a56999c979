// Forking: a new run from any batch of another, which is not touched.
#ifndef PILOTHOUSE_SERVICE_RUNS_FORK_RUN_H_
#define PILOTHOUSE_SERVICE_RUNS_FORK_RUN_H_

#include "pilothouse/v1/training_control.pb.h"
#include "service/journal/work_pool.h"
#include "service/runs/dataset_store.h"
#include "service/runs/run_registry.h"

namespace pilothouse::service {

// Starts the fork and answers as RunRegistry::Start does. Where the fork is to begin beyond what the journal of a
// living run tells of (at its newest batch, say), that run is asked for a checkpoint first. Errors: as
// RunRegistry::Start; RUN_NOT_FOUND, BATCH_OUT_OF_RANGE, BRANCH_NOT_FOUND, TARGET_INVALID, JOURNAL_FAILED;
// TRAINER_UNAVAILABLE or SAVE_FAILED where the checkpoint cannot be had; SERVICE_BUSY. May block on the disk for a
// moment. Thread-safe. What it is given must outlive `callback`'s call.
void ForkRun(RunRegistry& runs, const DatasetStore& datasets, WorkPool& pool, const v1::ForkRequest& request,
             const StartCallback& callback);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_FORK_RUN_H_
