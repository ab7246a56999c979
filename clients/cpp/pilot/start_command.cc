#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/data_output.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/requests.h"
#include "clients/cpp/pilot/terminal.h"
#include "clients/cpp/pilot/text.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

std::string StartedText(const v1::Run& run, bool watched) {
  const v1::RunFacts& facts = run.facts();
  const std::string id = Printable(run.run_id());
  std::string text =
      absl::StrCat("run ", id, " started: ", ExamplesText(facts), ", ", FormatCount(facts.batches_per_epoch()),
                   " batches per epoch, ", FormatCount(facts.parameters()), " parameters\n");
  absl::StrAppend(&text, FormatTable(UnusualRows(run), {false, false}, "  "), "\n", LayerTable(facts));
  if (watched) return text;
  absl::StrAppend(&text, "\nNext:\n");
  std::vector<std::vector<std::string>> next;
  if (run.target() == 0) next.push_back({absl::StrCat("pilot batch-to ", id, " 5000"), "train up to batch 5000"});
  next.push_back({absl::StrCat("pilot watch ", id), "see how it goes"});
  next.push_back({absl::StrCat("pilot set-eta ", id, " 0.01"), "change the learning rate"});
  next.push_back({absl::StrCat("pilot stop ", id), "end it, keeping what it has learnt"});
  absl::StrAppend(&text, FormatTable(next, {false, false}, "  "));
  return std::string(absl::StripSuffix(text, "\n"));
}

// Sends the files that are named, and returns the dataset's id; empty where none are.
absl::StatusOr<std::string> UploadData(const Session& session, const StartArguments& given) {
  if (given.data.empty() && given.inputs.empty()) return std::string();
  ProgressLine line(!session.json());
  const UploadProgress progress = [&line](int64_t sent, int64_t total) { line.Show(sent, total); };
  const absl::StatusOr<v1::UploadDatasetResponse> uploaded =
      given.inputs.empty() ? session.client().UploadFile(given.data, progress)
                           : session.client().UploadNpyFiles(given.inputs, given.targets, given.weights, progress);
  if (!uploaded.ok()) return uploaded.status();
  return uploaded->dataset_id();
}

}  // namespace

int RunStart(const Session& session, const Arguments& arguments) {
  const StartArguments& given = arguments.start;
  const absl::StatusOr<std::string> dataset_id = UploadData(session, given);
  if (!dataset_id.ok()) return session.Fail(dataset_id.status());
  const absl::StatusOr<v1::Run> run = session.client().StartRun(BuildStartRequest(given, *dataset_id));
  if (!run.ok()) return session.Fail(run.status());
  session.Print(session.json() ? RunJson(*run) : StartedText(*run, given.watch));
  if (!session.json() && !run->spec().plugins().empty()) PrintWhatWaitsInVain(session, run->run_id());
  if (!given.watch) return ExitCodeOf(absl::OkStatus());
  // From its beginning, so that nothing is lost between the start and the watch.
  WatchArguments watch;
  watch.from_start = true;
  return WatchRun(session, *run, watch);
}

}  // namespace pilothouse::client
