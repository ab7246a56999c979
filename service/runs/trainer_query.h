// One question to the trainer program, asked in a process that lives only for it.
#ifndef PILOTHOUSE_SERVICE_RUNS_TRAINER_QUERY_H_
#define PILOTHOUSE_SERVICE_RUNS_TRAINER_QUERY_H_

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::service {

// Scoring reads and splits a run's data, and may take as long as a client waits for such a thing at most.
inline constexpr std::chrono::seconds kEvaluationPatience{600};
inline constexpr std::chrono::seconds kQueryPatience{60};

// The answer, or the error it holds; TRAINER_FAILED if the program gives none in that time; CANCELLED once `given_up`
// is true. What the program says besides is appended to `log_path`. Blocks on the process. Thread-safe.
absl::StatusOr<v1::Answer> AskTrainerProgram(const std::string& trainer_program, const v1::SavedQuery& query,
                                             const std::string& log_path, const std::function<bool()>& given_up);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_TRAINER_QUERY_H_
