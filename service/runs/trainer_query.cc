#include "service/runs/trainer_query.h"

#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "service/runs/process.h"

namespace pilothouse::service {
absl::StatusOr<v1::Answer> AskTrainerProgram(const std::string& trainer_program, const v1::SavedQuery& query,
                                             const std::string& log_path, const std::function<bool()>& given_up) {
  const std::chrono::seconds patience = query.query().has_evaluate() ? kEvaluationPatience : kQueryPatience;
  const absl::StatusOr<std::string> output = RunToEnd({trainer_program, "--saved-query"}, query.SerializeAsString(),
                                                      kMaxMessageBytes, patience, log_path, given_up);
  if (!output.ok()) return output.status();
  v1::Answer answer;
  if (!answer.ParseFromString(*output)) {
    return MakeError(v1::ERROR_REASON_INTERNAL, "", "The trainer's answer cannot be read.");
  }
  if (answer.has_error()) return FromError(answer.error());
  return answer;
}

}  // namespace pilothouse::service
