// What the knobs of a run are at its start.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_KNOBS_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_KNOBS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "pilothouse/v1/run.pb.h"
#include "trainer/loop/knobs.h"
#include "trainer/optim/eta_schedule.h"

namespace pilothouse::trainer {

// As the spec's eta, optimizer, report and checkpoints say, in a run with so many parameters. Error fields are relative
// to the spec. Pure and thread-safe. Errors: ETA_INVALID, INTERVAL_INVALID, CHECKPOINTS_INVALID, STATE_TOO_LARGE,
// KNOB_OUT_OF_RANGE for a setting of the optimizer, SPEC_INVALID for one that it does not have and for all else.
absl::StatusOr<Knobs> PlanKnobs(const v1::RunSpec& spec, int64_t parameters);

// What becomes of the eta among them. Error: ETA_SCHEDULE_INVALID, as above.
absl::StatusOr<EtaSchedule> PlanEtaSchedule(const v1::RunSpec& spec);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_KNOBS_H_
