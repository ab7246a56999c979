#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "clients/cpp/pilot/answer_output.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/run_tree.h"
#include "clients/cpp/pilot/terminal.h"
#include "clients/cpp/pilot/text.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

constexpr size_t kNewestRuns = 20;
constexpr size_t kAllRuns = 1000000;
constexpr char kNoRuns[] = "no runs yet; pilot start --help says how to start one";

std::string WithoutLastNewline(const std::string& text) { return std::string(absl::StripSuffix(text, "\n")); }

// Whose state was asked for, and the state, as far as there is any of them.
std::string ChosenText(const v1::GetStateResponse& response) {
  std::string text = response.has_model() ? absl::StrCat("\nmodel ", ModelText(response.model()), "\n") : "";
  if (!response.has_state()) return text;
  const v1::Tensor& state = response.state();
  // Enough digits to get the same numbers back.
  const int digits = state.element_type() == v1::ELEMENT_TYPE_FLOAT32 ? 9 : 17;
  absl::StrAppend(&text, response.has_model() ? "" : "\n", "state vector:\n");
  for (const double value : ToDoubles(state)) absl::StrAppend(&text, FormatNumber(value, digits), "\n");
  return text;
}

int RunTree(const Session& session) {
  const absl::StatusOr<std::vector<v1::Run>> runs = session.ListRuns(kAllRuns);
  if (!runs.ok()) return session.Fail(runs.status());
  if (!session.json() && runs->empty()) {
    session.Print(kNoRuns);
  } else {
    session.Print(session.json() ? TreeJson(*runs) : WithoutLastNewline(TreeText(*runs, TerminalStyle().unicode)));
  }
  return kExitSuccess;
}

}  // namespace

int RunRuns(const Session& session, const Arguments& arguments) {
  if (arguments.run_tree) return RunTree(session);
  // One more than is shown tells whether there are more.
  const size_t limit = arguments.all_runs ? kAllRuns : kNewestRuns + 1;
  absl::StatusOr<std::vector<v1::Run>> runs = session.ListRuns(limit);
  if (!runs.ok()) return session.Fail(runs.status());
  const bool more = !arguments.all_runs && runs->size() > kNewestRuns;
  if (more) runs->resize(kNewestRuns);
  if (session.json()) {
    session.Print(RunsJson(*runs));
  } else if (runs->empty()) {
    session.Print(kNoRuns);
  } else {
    session.Print(absl::StrCat(WithoutLastNewline(RunTable(*runs)), more ? "\nolder ones: pilot runs --all" : ""));
  }
  return kExitSuccess;
}

int RunState(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  v1::GetStateResponse state;
  *state.mutable_run() = *run;
  if (arguments.state_vector || arguments.model.ByteSizeLong() > 0) {
    absl::StatusOr<v1::GetStateResponse> answer =
        session.client().GetState(run->run_id(), arguments.state_vector, arguments.model);
    if (!answer.ok()) return session.Fail(answer.status());
    if (arguments.state_vector) {
      if (const absl::Status valid = CheckTensor(answer->state(), "state"); !valid.ok()) return session.Fail(valid);
    }
    state = *std::move(answer);
  }
  if (session.json()) {
    session.Print(StateJson(state));
  } else {
    session.Print(WithoutLastNewline(absl::StrCat(RunPage(state.run(), absl::Now()), ChosenText(state))));
  }
  return kExitSuccess;
}

}  // namespace pilothouse::client
