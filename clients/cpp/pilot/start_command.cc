#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/requests.h"
#include "clients/cpp/pilot/text.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

std::string StartedText(const v1::Run& run, bool watched) {
  const v1::RunFacts& facts = run.facts();
  const std::string id = Printable(run.run_id());
  std::string text = absl::StrCat("run ", id, " started: ", FormatCount(facts.examples()), " examples, ",
                                  FormatCount(facts.batches_per_epoch()), " batches per epoch, ",
                                  FormatCount(facts.parameters()), " parameters\n\n", LayerTable(facts));
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

}  // namespace

int RunStart(const Session& session, const Arguments& arguments) {
  const StartArguments& given = arguments.start;
  std::string dataset_id;
  if (!given.data.empty() || !given.inputs.empty()) {
    const absl::StatusOr<v1::UploadDatasetResponse> uploaded =
        given.inputs.empty() ? session.client().UploadFile(given.data)
                             : session.client().UploadNpyFiles(given.inputs, given.targets);
    if (!uploaded.ok()) return session.Fail(uploaded.status());
    dataset_id = uploaded->dataset_id();
  }
  const absl::StatusOr<v1::Run> run = session.client().StartRun(BuildStartRequest(given, dataset_id));
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
