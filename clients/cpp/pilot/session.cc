#include "clients/cpp/pilot/session.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cpp/pilot/answer_output.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/plugin_output.h"
#include "clients/cpp/pilot/run_view.h"
#include "clients/cpp/pilot/text.h"
#include "clients/cpp/pilothouse_client/identity.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

// Runs are looked for among so many.
constexpr size_t kMaxListedRuns = 10000;
constexpr int kPageSize = 1000;
constexpr size_t kMaxNamedRuns = 8;
// Where files lie that plugins have saved; other parameters are checkpoints.
constexpr char kSavedByPlugins[] = "saved/";

std::string Names(const std::vector<v1::Run>& runs) {
  std::vector<std::string> names;
  for (const v1::Run& run : runs) names.push_back(Printable(run.run_id()));
  const bool more = names.size() > kMaxNamedRuns;
  if (more) names.resize(kMaxNamedRuns);
  return absl::StrCat(absl::StrJoin(names, ", "), more ? ", …" : "");
}

std::vector<v1::Run> Living(const std::vector<v1::Run>& runs) {
  std::vector<v1::Run> living;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(living),
               [](const v1::Run& run) { return !HasEnded(run.status()); });
  return living;
}

absl::Status Ambiguous(const std::vector<v1::Run>& runs) {
  return absl::InvalidArgumentError(absl::StrCat("say which run; these are alive: ", Names(runs), "."));
}

// Whether a plugin that saves the best did so at this batch of a branch, or, without a name, of the present line.
absl::StatusOr<bool> WasSavedAt(const Client& client, const std::string& run_id, int64_t batch,
                                const std::string& branch) {
  v1::ReadHistoryRequest request;
  request.set_run_id(run_id);
  request.set_branch(branch);
  request.add_kinds(v1::EVENT_KIND_PLUGIN);
  request.set_first_batch(batch);
  request.set_last_batch(batch);
  do {
    const absl::StatusOr<v1::ReadHistoryResponse> page = client.ReadHistory(request);
    if (!page.ok()) return page.status();
    for (const v1::Event& event : page->events()) {
      if (event.plugin().kind() == "save-best" && event.plugin().has_output()) return true;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return false;
}

// What was saved before the run was taken back stays, until there is something better: then its batch is one of what
// was left behind, and the present line, if it has come so far at all, is another there.
absl::Status CheckOnPresentLine(const Client& client, const v1::GetStateResponse& best) {
  const int64_t batch = best.model().batch();
  const std::string& run_id = best.run().run_id();
  // The one that was left last comes first: of several that saved it, it has written the file last.
  std::vector<std::string> left;
  for (const v1::Branch& branch : best.run().branches()) {
    if (branch.from_batch() < batch && batch <= branch.through_batch()) left.insert(left.begin(), branch.name());
  }
  if (left.empty() || !absl::StartsWith(best.model().file(), kSavedByPlugins)) return absl::OkStatus();
  const absl::StatusOr<bool> present = WasSavedAt(client, run_id, batch, "");
  if (!present.ok() || *present) return present.status();
  std::string owner = left.front();
  for (const std::string& branch : left) {
    const absl::StatusOr<bool> saved = WasSavedAt(client, run_id, batch, branch);
    if (!saved.ok()) return saved.status();
    if (!*saved) continue;
    owner = branch;
    break;
  }
  const std::string name = Printable(owner);
  return MakeError(v1::ERROR_REASON_BATCH_OUT_OF_RANGE, "batch",
                   absl::StrCat("the best parameters are of batch ", batch, " of what was left behind as ", name,
                                ", not of the present line; pilot fork ", Printable(run_id), " --branch ", name,
                                " --at ", batch, " goes on from there."),
                   {{"batch", absl::StrCat(batch)}, {"branch", owner}});
}

// Why the run does not come to a batch that lies ahead unless somebody does something, and what; empty: it is on its
// way there, or it is not up to a command.
std::string WhatHoldsItUp(const v1::Run& run, int64_t batch) {
  const bool idle = run.status() == v1::RUN_STATUS_IDLE;
  const bool goes_on = run.status() == v1::RUN_STATUS_TRAINING && run.target() < batch;
  if (!idle && !goes_on) return "";
  const std::string id = Printable(run.run_id());
  const bool leads_there = idle && std::max(run.target(), run.resume_target()) >= batch;
  const std::string command =
      leads_there ? absl::StrCat("pilot resume ", id) : absl::StrCat("pilot batch-to ", id, " ", batch);
  const std::string state =
      idle ? absl::StrCat("is ", StatusText(run.status(), run.idle_reason()), " at batch ", FormatCount(run.batch()))
           : absl::StrCat("trains up to batch ", FormatCount(run.target()));
  return absl::StrCat(id, " ", state, " and comes to that batch only if it is told to train on: ", command);
}

// The batch of a checkpoint of the present line that a refusal calls damaged. To go there takes nothing of its file:
// what lies before it is trained again.
std::optional<int64_t> BatchOfDamaged(const absl::Status& refusal) {
  if (ReasonOf(refusal) != v1::ERROR_REASON_CHECKPOINT_DAMAGED) return std::nullopt;
  const v1::Error error = ToError(refusal);
  const auto file = error.metadata().find("file");
  const auto batch = error.metadata().find("batch");
  int64_t number = 0;
  if (file == error.metadata().end() || absl::StartsWith(file->second, kSavedByPlugins) ||
      batch == error.metadata().end() || !absl::SimpleAtoi(batch->second, &number)) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::string ErrorText(const absl::Status& status) {
  const std::string message(status.message());
  const std::string text = message.empty() ? absl::StatusCodeToString(status.code()) : PrintableLines(message, "\n  ");
  if (ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED) return text;
  const v1::Error error = ToError(status);
  return absl::StrCat(text, " [", ReasonName(error.reason()), error.field().empty() ? "" : ", ",
                      Printable(error.field()), "]", SchedulePointer(status));
}

int PrintError(const absl::Status& status, int exit_code, bool json) {
  const std::string line = json ? ErrorJson(status, exit_code) : absl::StrCat("pilot: ", ErrorText(status));
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", line.c_str());
  return exit_code;
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitSuccess;
  if (IsUnreachable(status)) return kExitUnreachable;
  const bool is_local =
      ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED &&
      (absl::IsInvalidArgument(status) || absl::IsNotFound(status) || absl::IsPermissionDenied(status));
  return is_local ? kExitUsage : kExitRefused;
}

void Session::NoteWaiting(const std::string& run_id, const ChangeOptions& options) const {
  if (json_ || !options.at_batch.has_value()) return;
  // A run that cannot be read just now may still be one to wait for.
  const absl::StatusOr<v1::GetStateResponse> state = client_->GetState(run_id, false);
  if (state.ok() && (state->run().batch() >= *options.at_batch || HasEnded(state->run().status()))) return;
  Note(absl::StrCat("waiting for batch ", FormatCount(*options.at_batch),
                    "; once the run has taken the change, Ctrl-C ends the waiting only"));
  const std::string held_up = state.ok() ? WhatHoldsItUp(state->run(), *options.at_batch) : "";
  if (!held_up.empty()) Note(held_up);
}

absl::StatusOr<int64_t> Session::BatchOfBest(const std::string& run_id) const {
  v1::ModelChoice choice;
  choice.set_model(v1::MODEL_BEST);
  const absl::StatusOr<v1::GetStateResponse> state = client_->GetState(run_id, false, choice);
  if (const std::optional<int64_t> batch = BatchOfDamaged(state.status()); batch.has_value()) {
    Note(absl::StrCat("the best parameters are those of batch ", FormatCount(*batch),
                      ", whose file is damaged: going there from a checkpoint before it"));
    return *batch;
  }
  if (!state.ok()) return state.status();
  if (const absl::Status present = CheckOnPresentLine(*client_, *state); !present.ok()) return present;
  Note(absl::StrCat("model ", ModelText(state->model())));
  return state->model().batch();
}

absl::StatusOr<Session> Session::Open(const GlobalArguments& arguments) {
  ClientOptions options;
  options.origin = DefaultOrigin("pilot");
  if (arguments.timeout.has_value()) {
    options.connect_timeout = std::min(options.connect_timeout, *arguments.timeout);
    options.timeout = options.data_timeout = options.at_batch_timeout = *arguments.timeout;
  }
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(arguments.address, options);
  if (client.ok()) return Session(*std::move(client), arguments.json);
  if (!absl::IsUnavailable(client.status())) return client.status();
  return absl::UnavailableError(
      absl::StrCat(std::string(client.status().message()),
                   " Start one with deploy/quickstart --service or pilothoused, or say where it is with --address or "
                   "PILOTHOUSE_ADDRESS."));
}

Session::Session(std::unique_ptr<Client> client, bool json) : client_(std::move(client)), json_(json) {}

int Session::Fail(const absl::Status& status) const { return PrintError(status, ExitCodeOf(status), json_); }

void Session::Note(const std::string& line) const {
  if (!json_) std::fprintf(stderr, "pilot: %s\n", line.c_str());
}

void Session::Print(const std::string& line) const {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

absl::StatusOr<std::vector<v1::Run>> Session::ListRuns(size_t limit) const {
  std::vector<v1::Run> runs;
  std::string token;
  do {
    const auto page_size = static_cast<int32_t>(std::min<size_t>(kPageSize, limit - runs.size()));
    absl::StatusOr<v1::ListRunsResponse> page = client_->ListRuns(page_size, token);
    if (!page.ok()) return page.status();
    std::move(page->mutable_runs()->begin(), page->mutable_runs()->end(), std::back_inserter(runs));
    token = page->next_page_token();
  } while (!token.empty() && runs.size() < limit);
  return runs;
}

absl::StatusOr<std::string> Session::RunToChange(const std::string& given) const {
  if (!given.empty()) return given;
  const absl::StatusOr<std::vector<v1::Run>> runs = ListRuns(kMaxListedRuns);
  if (!runs.ok()) return runs.status();
  const std::vector<v1::Run> living = Living(*runs);
  if (living.size() == 1) return living.front().run_id();
  if (living.empty()) return absl::InvalidArgumentError("no run is alive that could be changed.");
  return Ambiguous(living);
}

absl::StatusOr<v1::Run> Session::RunToRead(const std::string& given) const {
  if (!given.empty()) {
    absl::StatusOr<v1::GetStateResponse> exact = client_->GetState(given, false);
    if (exact.ok()) return exact->run();
    const v1::ErrorReason reason = ReasonOf(exact.status());
    if (reason != v1::ERROR_REASON_RUN_NOT_FOUND) return exact.status();
  }
  const absl::StatusOr<std::vector<v1::Run>> runs = ListRuns(kMaxListedRuns);
  if (!runs.ok()) return runs.status();
  std::vector<v1::Run> candidates;
  if (given.empty()) {
    candidates = Living(*runs);
    if (candidates.size() > 1) return Ambiguous(candidates);
    if (candidates.empty() && !runs->empty()) candidates.push_back(runs->front());
    if (candidates.empty()) return absl::InvalidArgumentError("the service has no runs yet; pilot start makes one.");
  } else {
    for (const v1::Run& run : *runs) {
      if (absl::StartsWith(run.run_id(), given)) candidates.push_back(run);
    }
    if (candidates.empty()) {
      return MakeError(v1::ERROR_REASON_RUN_NOT_FOUND, "run_id",
                       absl::StrCat("no run is named ", Printable(given), " or begins so; pilot runs lists them."),
                       {{"run_id", given}});
    }
    if (candidates.size() > 1) {
      return absl::InvalidArgumentError(absl::StrCat(Printable(given), " may be any of ", Names(candidates), "."));
    }
  }
  absl::StatusOr<v1::GetStateResponse> state = client_->GetState(candidates.front().run_id(), false);
  if (!state.ok()) return state.status();
  return state->run();
}

}  // namespace pilothouse::client
