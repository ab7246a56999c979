// What a run with a past goes on from.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_PAST_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_PAST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "trainer/loop/loop_options.h"

namespace pilothouse::trainer {

// The run goes on where its journal says that it was, `seen_batch` at least. Logs which checkpoint it begins from, and
// which are damaged. Errors: those of RunHistory.
absl::Status AddPast(int64_t seen_batch, LoopOptions& options);

// "the checkpoint of batch 50", and a line of the log for each checkpoint that is damaged.
std::string BeginningOf(const ResumePlan& plan);
void LogDamaged(const std::vector<std::string>& damaged);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_PAST_H_
