#include "trainer/replay/replay.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/journal/event_kind.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/wal.h"
#include "proto/support/error.h"
#include "trainer/channel/journal_scan.h"
#include "trainer/channel/run_data.h"
#include "trainer/channel/run_history.h"
#include "trainer/channel/run_spec.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/loop/run_state.h"
#include "trainer/replay/replayer.h"

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kHowToGiveData =
    "--data FILE, or for inputs, targets and perhaps weights as arrays, --data FILE for each";

std::string DataDirectory(const ReplayOptions& options) {
  if (!options.data_directory.empty()) return options.data_directory;
  std::error_code ignored;
  const fs::path directory = fs::weakly_canonical(options.directory, ignored);
  return directory.parent_path().parent_path().string();
}

// A run that was copied from elsewhere has its data elsewhere, too.
absl::StatusOr<DataFiles> DataOfService(const ReplayOptions& options, const v1::DataSpec& spec) {
  absl::StatusOr<DataFiles> found = FindData(spec, DataDirectory(options));
  if (found.ok()) return found;
  return MakeError(ReasonOf(found.status()), "data",
                   absl::StrCat(std::string(found.status().message()), " Say where they are: ", kHowToGiveData,
                                "; or --data-dir DIRECTORY, with the service's folder of data."));
}

absl::StatusOr<DataFiles> DataOf(const ReplayOptions& options, const v1::DataSpec& spec) {
  switch (options.data.size()) {
    case 0:
      return DataOfService(options, spec);
    case 1:
      return DataFiles{.table = options.data[0]};
    case 2:
      return DataFiles{.inputs = options.data[0], .targets = options.data[1]};
    case 3:
      return DataFiles{.inputs = options.data[0], .targets = options.data[1], .weights = options.data[2]};
    default:
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, "data",
                       "A run's data are one file, a table, or two, inputs and targets, or three: weights, too.");
  }
}

absl::StatusOr<std::unique_ptr<Learner>> LearnerOf(const ReplayOptions& options, const RunPlan& plan,
                                                   const v1::DataSpec& spec, const std::string& data_sha256) {
  const absl::StatusOr<DataFiles> files = DataOf(options, spec);
  if (!files.ok()) return files.status();
  if (!data_sha256.empty()) {
    const absl::StatusOr<std::string> found = HashOfData(*files);
    if (!found.ok()) return found.status();
    const std::string advice = absl::StrCat("Give the data that the run was trained on: ", kHowToGiveData, ".");
    if (absl::Status same = CheckDataHash(data_sha256, *found, advice); !same.ok()) return same;
  }
  return BuildLearner(plan, *files);
}

// The checkpoint that a fork began with. Null: it has none.
const RunHistory::KnownCheckpoint* BaseOf(const RunHistory& history) {
  const std::vector<RunHistory::KnownCheckpoint>& all = history.checkpoints();
  const auto base = std::find_if(all.begin(), all.end(), [&](const RunHistory::KnownCheckpoint& known) {
    return known.report.batch() == history.first_batch() && known.report.controls() == 0 && known.report.line() == 0;
  });
  return base == all.end() ? nullptr : &*base;
}

LearningPosition BeginningOf(const RunPlan& plan, const LearnerFacts& facts) {
  LearningPosition begin{.batch = 0,
                         .knobs = plan.knobs,
                         .scheduled_eta = {plan.eta_schedule, plan.knobs.update.eta, facts.batches_per_epoch},
                         .loss = std::nullopt};
  begin.scheduled_eta.Follow(begin.batch, begin.knobs);
  return begin;
}

absl::Status BeginFork(const std::string& directory, const RunHistory& history, Learner& learner,
                       LearningPosition& begin, std::string& file) {
  const RunHistory::KnownCheckpoint* base = BaseOf(history);
  if (base == nullptr) {
    return MakeError(v1::ERROR_REASON_CHECKPOINT_DAMAGED, "",
                     "The journal does not name the checkpoint that the fork began with.",
                     {{"file", directory}, {"cause", "not in the journal"}});
  }
  file = base->report.file();
  const absl::StatusOr<SavedState> saved = ReadCheckpoint(absl::StrCat(directory, "/", file), base->report.sha256());
  if (!saved.ok()) return saved.status();
  // The spec says what the run this one was forked from began with; where it was then, only the checkpoint does.
  RunState state(begin.knobs, begin.scheduled_eta, /*first_target=*/0, BatchSizes(), TimePoint());
  if (absl::Status restored = state.Restore(*saved); !restored.ok()) return restored;
  begin = {.batch = state.batch, .knobs = state.knobs, .scheduled_eta = state.scheduled_eta, .loss = state.loss};
  return learner.Restore(*saved);
}

}  // namespace

absl::StatusOr<ReplayResult> Replay(const ReplayOptions& options) {
  // No service has opened a copy of a run yet, and repaired it.
  absl::Status log = RefuseDamagedWal(absl::StrCat(options.directory, "/", kJournalFile));
  if (!log.ok()) return log;
  const absl::StatusOr<RunHistory> history = RunHistory::Read(options.directory);
  if (!history.ok()) return history.status();
  if (absl::Status complete = history->CheckComplete(options.through); !complete.ok()) return complete;
  absl::StatusOr<RunPlan> plan = PlanRun(history->spec());
  if (!plan.ok()) return plan.status();
  plan->learner.is_new = false;
  const absl::StatusOr<std::unique_ptr<Learner>> learner =
      LearnerOf(options, *plan, history->spec().data(), history->data_sha256());
  if (!learner.ok()) return learner.status();
  LearningPosition begin = BeginningOf(*plan, (*learner)->facts());
  std::string base;
  if (history->spec().has_parent()) {
    absl::Status begun = BeginFork(options.directory, *history, **learner, begin, base);
    if (!begun.ok()) return begun;
  }
  Replayer replayer(options.directory, *history, **learner, begin, options.through);
  std::vector<SequenceRange> damaged;
  absl::Status scanned = history->Scan(EventKindSet::All(), damaged, [&replayer](const v1::Event& event) {
    if (replayer.differs()) return absl::CancelledError();
    return replayer.Take(event);
  });
  if (!scanned.ok() && !replayer.differs()) return scanned;
  ReplayResult result = replayer.TakeResult();
  result.parent = history->spec().parent().run_id();
  result.base = std::move(base);
  result.damaged = std::move(damaged);
  return result;
}

}  // namespace pilothouse::trainer
