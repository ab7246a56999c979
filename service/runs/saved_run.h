// Answers about runs that have ended, from what they left on the disk.
#ifndef PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_
#define PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "service/journal/journal.h"
#include "service/runs/pending_controls.h"
#include "service/runs/run_place.h"

namespace pilothouse::service {

// What a control that is in the journal came to, now that it is asked for again: its receipt, or TRAINER_FAILED for a
// stop of a run that FAILED before it had stopped, or REQUEST_ID_REUSED if it was another change. REQUIRES: it is no
// checkpoint; if it is a stop, `run` has ended.
absl::StatusOr<ControlOutcome> OutcomeOfKnown(const v1::Run& run, const RecordedControl& known,
                                              const v1::Control& control);

// The receipt of a control that was applied while the run lived, for whoever asks again; otherwise RUN_ENDED, or
// REQUEST_ID_REUSED. `run` is the run's last state. Blocks on the disk.
absl::StatusOr<ControlOutcome> AnswerEndedControl(const RunPlace& place, const v1::Run& run,
                                                  const v1::Control& control);

// Asks a trainer process that lives only for this question, with the newest parameters of the run's present line.
// NO_PARAMETERS if it saved none. Blocks on the process.
// The answer to a state query says of the run what `run`, its last state, says. Given up, with CANCELLED, once
// `given_up` is true.
absl::StatusOr<v1::Answer> AnswerEndedQuery(const RunPlace& place, const v1::Run& run,
                                            const std::string& trainer_program, const v1::Query& query,
                                            const std::function<bool()>& given_up);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_
