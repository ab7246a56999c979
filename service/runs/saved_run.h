// Answers from what runs have left on the disk: about those that have ended, and about parameters that were kept.
#ifndef PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_
#define PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/model.pb.h"
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

// The batch of the parameters that an answer is about.
int64_t BatchOf(const v1::Answer& answer);

// Asks a trainer process that lives only for this question, about the parameters that FindModel finds; the answer says
// which; where several files hold them, about the first that is whole. A file that was removed after it was found is
// looked for once more; if that is in vain, NO_PARAMETERS names it. Its errors, those of the trainer, and of where the
// data are, if they are scored; CHECKPOINT_DAMAGED if it is a checkpoint and not what the journal says was written.
// Blocks on the process. The answer to a state query says of the
// run what `run`, its newest state, says. Given up, with CANCELLED, once `given_up` is true. REQUIRES: the run has
// ended, or IsSavedModel(choice).
absl::StatusOr<v1::Answer> AnswerSavedQuery(const RunPlace& place, const v1::Run& run,
                                            const std::string& trainer_program, const v1::Query& query,
                                            const v1::ModelChoice& choice, const std::function<bool()>& given_up);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_SAVED_RUN_H_
