#include <string>

#include "absl/strings/strip.h"
#include "clients/cpp/pilot/answer_json.h"
#include "clients/cpp/pilot/answer_output.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/exit_code.h"

namespace pilothouse::client {

int RunEvaluate(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  const absl::StatusOr<v1::EvaluateResponse> scored =
      session.client().Evaluate(run->run_id(), arguments.part, arguments.model);
  if (!scored.ok()) return session.Fail(scored.status());
  session.Print(session.json() ? EvaluationJson(run->run_id(), *scored)
                               : std::string(absl::StripSuffix(EvaluationText(run->run_id(), *scored), "\n")));
  return kExitSuccess;
}

}  // namespace pilothouse::client
