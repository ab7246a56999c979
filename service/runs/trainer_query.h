// One question to the trainer program, asked in a process that lives only for it.
#ifndef PILOTHOUSE_SERVICE_RUNS_TRAINER_QUERY_H_
#define PILOTHOUSE_SERVICE_RUNS_TRAINER_QUERY_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::service {

// The answer, or the error it holds; TRAINER_FAILED if the program gives none; CANCELLED once `given_up` is true. What
// the program says besides is appended to `log_path`. Blocks on the process. Thread-safe.
absl::StatusOr<v1::Answer> AskTrainerProgram(const std::string& trainer_program, const v1::SavedQuery& query,
                                             const std::string& log_path, const std::function<bool()>& given_up);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_TRAINER_QUERY_H_
