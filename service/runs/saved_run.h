// Answers about runs that have ended, from what they left on the disk.
#ifndef PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_
#define PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_

#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "service/runs/pending_controls.h"
#include "service/runs/run_keeper.h"

namespace pilothouse::service {

// The receipt of a control that was applied while the run lived, for whoever asks again; otherwise RUN_ENDED, or
// REQUEST_ID_REUSED. `run` is the run's last state. Blocks on the disk.
absl::StatusOr<ControlOutcome> AnswerEndedControl(const RunPlace& place, const v1::Run& run,
                                                  const v1::Control& control);

// Asks a trainer process that lives only for this question, with the parameters the run saved last. NO_PARAMETERS if it
// saved none. Blocks on the process.
absl::StatusOr<v1::Answer> AnswerEndedQuery(const RunPlace& place, const std::string& trainer_program,
                                            const v1::Query& query);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_
