#include "trainer/channel/run_history.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <system_error>
#include <tuple>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/journal/journal_reader.h"
#include "proto/support/error.h"
#include "trainer/channel/journal_scan.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/run_lines.h"
#include "trainer/checkpoint/checkpoint_store.h"

namespace pilothouse::trainer {

struct RunHistory::Content {
  // An event of a control or a checkpoint, in order of sequence.
  void Take(const v1::Event& event);
  void ReadPositions(const JournalReader& reader, uint64_t last_sequence);

  int64_t first_batch() const { return spec.has_parent() ? spec.parent().batch() : 0; }
  std::string FileOf(const KnownCheckpoint& known) const { return absl::StrCat(directory, "/", known.report.file()); }

  // The nearest checkpoint to come to `batch` of a line from, and its content. Null: the beginning of the run.
  absl::StatusOr<const KnownCheckpoint*> FindBase(const RunLine& line, int64_t batch, std::vector<std::string>& damaged,
                                                  std::shared_ptr<const SavedState>& state) const;
  // What a state that contains the first `contained` of all controls lacks up to a batch of a line.
  absl::Status AddControls(const RunLine& line, int64_t contained, int64_t through,
                           std::vector<AppliedControl>& applied) const;

  std::string directory;
  v1::RunSpec spec;
  std::string run_id;
  std::vector<KnownControl> controls;
  std::vector<KnownCheckpoint> checkpoints;
  std::vector<KnownRewind> rewinds;
  std::vector<v1::Branch> branches;
  // Refers to `rewinds`.
  std::unique_ptr<const PositionScan> position;
};

namespace {

// Who asked for what a plugin asked for begins so.
constexpr char kPluginOrigin[] = "plugin ";

std::chrono::nanoseconds ToNanoseconds(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

RecordedCheckpoint ToRecorded(const v1::CheckpointReport& report) {
  RecordedCheckpoint recorded;
  recorded.facts.batch = report.batch();
  recorded.facts.controls = report.controls();
  recorded.facts.line = report.line();
  recorded.facts.pinned = report.pinned();
  recorded.facts.request_id = report.request_id();
  if (report.has_validation_loss()) recorded.facts.validation_loss = report.validation_loss();
  recorded.facts.held_up = ToNanoseconds(report.held_up());
  recorded.file = report.file();
  recorded.sha256 = report.sha256();
  return recorded;
}

absl::StatusOr<Change> ToChange(const v1::ControlReport& report) {
  const v1::Change& change = report.change();
  if (change.has_rewind()) return TargetChange{TargetChange::Kind::kPause, 0};
  if (change.has_stop()) {
    // A plugin completes a run; everybody else stops it.
    return StopChange{
        .message = report.note(), .must_end = false, .completed = absl::StartsWith(report.origin(), kPluginOrigin)};
  }
  if (change.has_parameters()) {
    return ParametersChange{.file = change.parameters().file(),
                            .sha256 = change.parameters().sha256(),
                            .from_run_id = change.parameters().from_run_id(),
                            .from_batch = change.parameters().from_batch()};
  }
  v1::Control control;
  *control.mutable_change() = change;
  absl::StatusOr<Control> read = FromMessage(control);
  if (!read.ok()) return read.status();
  return std::move(read->change);
}

absl::StatusOr<AppliedControl> ToApplied(const v1::ControlReport& report, int64_t batch) {
  absl::StatusOr<Change> change = ToChange(report);
  if (!change.ok()) return change.status();
  return AppliedControl{Control{.request_id = report.request_id(),
                                .change = *std::move(change),
                                .at_batch = std::nullopt,
                                .origin = report.origin(),
                                .note = report.note()},
                        batch};
}

bool IsFile(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

absl::Status BranchNotFound(const std::string& branch, const std::vector<v1::Branch>& branches) {
  const std::string known = absl::StrJoin(
      branches, ", ", [](std::string* text, const v1::Branch& one) { absl::StrAppend(text, one.name()); });
  return MakeError(v1::ERROR_REASON_BRANCH_NOT_FOUND, "branch",
                   absl::StrCat("The run has no branch ", branch, "; it has ",
                                known.empty() ? "none, only its present line" : known, "."),
                   {{"branch", branch}, {"known", known}});
}

absl::Status BatchOutOfRange(int64_t batch, int64_t first, int64_t last) {
  return MakeError(
      v1::ERROR_REASON_BATCH_OUT_OF_RANGE, "batch",
      absl::StrCat("This line of the run goes from batch ", first, " to ", last, "; asked for was batch ", batch, "."),
      {{"batch", absl::StrCat(batch)}, {"first_batch", absl::StrCat(first)}, {"last_batch", absl::StrCat(last)}});
}

}  // namespace

absl::StatusOr<RunHistory> RunHistory::Read(const std::string& directory) {
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader =
      JournalReader::Open(absl::StrCat(directory, "/", kJournalFile));
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<v1::Run> run = (*reader)->LoadRun();
  if (!run.ok()) return run.status();
  auto content = std::make_shared<Content>();
  content->directory = directory;
  content->spec = run->spec();
  content->run_id = run->run_id();
  // What is journaled meanwhile, by a parent that trains on, belongs to a later history.
  const uint64_t last_sequence = run->last_sequence();
  absl::Status scanned = ScanJournal(**reader, {v1::EVENT_KIND_CONTROL, v1::EVENT_KIND_CHECKPOINT}, last_sequence,
                                     [&](const v1::Event& event) {
                                       content->Take(event);
                                       return absl::OkStatus();
                                     });
  if (!scanned.ok()) return scanned;
  content->ReadPositions(**reader, last_sequence);
  return RunHistory(std::move(content));
}

void RunHistory::Content::Take(const v1::Event& event) {
  if (event.has_checkpoint()) {
    if (event.checkpoint().error().empty()) checkpoints.push_back({event.checkpoint(), event.sequence()});
    return;
  }
  if (!event.has_control()) return;
  controls.push_back({event.control(), event.batch(), event.sequence()});
  if (!event.control().change().has_rewind()) return;
  const auto to_batch = static_cast<int64_t>(event.control().value());
  rewinds.push_back({event.sequence(), event.batch(), to_batch});
  v1::Branch& branch = branches.emplace_back();
  branch.set_name(event.control().branch());
  branch.set_from_batch(to_batch);
  branch.set_through_batch(event.batch());
  *branch.mutable_time() = event.time();
}

void RunHistory::Content::ReadPositions(const JournalReader& reader, uint64_t last_sequence) {
  const EventKindSet without_losses = {v1::EVENT_KIND_STATUS, v1::EVENT_KIND_CONTROL, v1::EVENT_KIND_STATE,
                                       v1::EVENT_KIND_PLUGIN, v1::EVENT_KIND_CHECKPOINT};
  const EventKindSet essential = {v1::EVENT_KIND_CONTROL, v1::EVENT_KIND_CHECKPOINT};
  for (const EventKindSet& kinds : {EventKindSet::All(), without_losses, essential}) {
    auto scan = std::make_unique<PositionScan>(rewinds, first_batch());
    const absl::Status scanned = ScanJournal(reader, kinds, last_sequence, [&](const v1::Event& event) {
      scan->Take(event);
      return absl::OkStatus();
    });
    position = std::move(scan);
    if (scanned.ok()) return;
  }
}

const v1::RunSpec& RunHistory::spec() const { return content_->spec; }
const std::string& RunHistory::run_id() const { return content_->run_id; }
int64_t RunHistory::first_batch() const { return content_->first_batch(); }
const std::vector<v1::Branch>& RunHistory::branches() const { return content_->branches; }
const std::vector<RunHistory::KnownCheckpoint>& RunHistory::checkpoints() const { return content_->checkpoints; }
const std::vector<RunHistory::KnownControl>& RunHistory::controls() const { return content_->controls; }

absl::StatusOr<int64_t> RunHistory::LineOf(const std::string& branch) const {
  const std::vector<v1::Branch>& branches = content_->branches;
  if (branch.empty()) return static_cast<int64_t>(branches.size());
  const auto found =
      std::find_if(branches.begin(), branches.end(), [&](const v1::Branch& one) { return one.name() == branch; });
  if (found == branches.end()) return BranchNotFound(branch, branches);
  return found - branches.begin();
}

absl::StatusOr<int64_t> RunHistory::LastBatch(const std::string& branch) const {
  const absl::StatusOr<int64_t> line = LineOf(branch);
  if (!line.ok()) return line.status();
  if (branch.empty()) return content_->position->last_batch();
  return content_->branches[static_cast<size_t>(*line)].through_batch();
}

absl::StatusOr<ResumePlan> RunHistory::PlanResume(int64_t seen_batch, std::vector<std::string>& damaged) const {
  const PositionScan& position = *content_->position;
  // Whoever saw the run before it was taken back saw another line.
  const int64_t through = position.just_rewound() ? position.last_batch() : std::max(position.last_batch(), seen_batch);
  absl::StatusOr<ResumePlan> plan = PlanLine(static_cast<int64_t>(content_->rewinds.size()), through, damaged);
  if (!plan.ok()) return plan;
  if (through == position.last_batch()) {
    plan->loss_reported = position.loss_reported();
    plan->state_reported = position.state_reported();
    plan->plugin_reports = position.plugin_reports();
  }
  plan->pause = position.just_rewound();
  return plan;
}

absl::StatusOr<ResumePlan> RunHistory::PlanVisit(int64_t batch, const std::string& branch,
                                                 std::vector<std::string>& damaged) const {
  const absl::StatusOr<int64_t> line = LineOf(branch);
  if (!line.ok()) return line.status();
  const absl::StatusOr<int64_t> last = LastBatch(branch);
  if (!last.ok()) return last.status();
  if (batch < first_batch() || (batch > *last && !branch.empty())) return BatchOutOfRange(batch, first_batch(), *last);
  absl::StatusOr<ResumePlan> plan = PlanLine(*line, batch, damaged);
  if (!plan.ok()) return plan;
  std::vector<AppliedControl>& controls = plan->controls;
  controls.erase(std::remove_if(controls.begin(), controls.end(),
                                [](const AppliedControl& applied) {
                                  return std::holds_alternative<StopChange>(applied.control.change);
                                }),
                 controls.end());
  return plan;
}

absl::StatusOr<ResumePlan> RunHistory::PlanLine(int64_t line_number, int64_t batch,
                                                std::vector<std::string>& damaged) const {
  const RunLine line(content_->rewinds, line_number);
  ResumePlan plan;
  absl::StatusOr<const KnownCheckpoint*> base = content_->FindBase(line, batch, damaged, plan.checkpoint);
  if (!base.ok()) return base.status();
  const int64_t contained = *base == nullptr ? 0 : (*base)->report.controls();
  if (absl::Status added = content_->AddControls(line, contained, batch, plan.controls); !added.ok()) return added;
  const int64_t from_batch = *base == nullptr ? first_batch() : (*base)->report.batch();
  for (const StretchMark& mark : content_->position->marks()) {
    const bool wanted = mark.batch >= from_batch && mark.batch <= batch && line.Holds(mark.stretch, mark.batch);
    if (wanted) plan.marks.push_back({mark.batch, mark.time});
  }
  for (const KnownCheckpoint& known : content_->checkpoints) {
    if (IsFile(content_->FileOf(known))) plan.recorded.push_back(ToRecorded(known.report));
  }
  plan.through_batch = batch;
  plan.line = line_number;
  plan.controls_recorded = static_cast<int64_t>(content_->controls.size());
  return plan;
}

absl::StatusOr<const RunHistory::KnownCheckpoint*> RunHistory::Content::FindBase(
    const RunLine& line, int64_t batch, std::vector<std::string>& damaged,
    std::shared_ptr<const SavedState>& state) const {
  std::vector<const KnownCheckpoint*> candidates;
  for (const KnownCheckpoint& known : checkpoints) {
    const bool usable = known.report.batch() <= batch && line.Holds(known.report.line(), known.report.batch());
    if (usable) candidates.push_back(&known);
  }
  const auto place = [](const KnownCheckpoint* known) {
    return std::tuple(known->report.batch(), known->report.controls(), known->sequence);
  };
  std::sort(candidates.begin(), candidates.end(),
            [&](const KnownCheckpoint* a, const KnownCheckpoint* b) { return place(a) > place(b); });
  for (const KnownCheckpoint* candidate : candidates) {
    // What retention removed is not missing.
    if (!IsFile(FileOf(*candidate))) continue;
    absl::StatusOr<SavedState> read = ReadCheckpoint(FileOf(*candidate), candidate->report.sha256());
    if (read.ok()) {
      state = std::make_shared<const SavedState>(*std::move(read));
      return candidate;
    }
    damaged.emplace_back(read.status().message());
  }
  if (!spec.has_parent()) return nullptr;
  const std::string cause = damaged.empty() ? "there is no checkpoint to begin from" : damaged.back();
  return MakeError(v1::ERROR_REASON_CHECKPOINT_DAMAGED, "",
                   absl::StrCat("A fork goes on from its checkpoints only, and none of run ", run_id,
                                " can be used: ", cause, absl::EndsWith(cause, ".") ? "" : "."),
                   {{"file", absl::StrCat(directory, "/", kCheckpointFolder)}, {"cause", cause}});
}

absl::Status RunHistory::Content::AddControls(const RunLine& line, int64_t contained, int64_t through,
                                              std::vector<AppliedControl>& applied) const {
  for (size_t i = static_cast<size_t>(contained); i < controls.size(); ++i) {
    const KnownControl& known = controls[i];
    if (known.report.change().has_checkpoint()) continue;
    int64_t stretch = StretchOf(rewinds, known.sequence);
    int64_t batch = known.batch;
    if (known.report.change().has_rewind()) {
      // It begins a stretch with a pause where the run was taken back to.
      batch = rewinds[static_cast<size_t>(stretch)].to_batch;
      ++stretch;
    }
    if (batch > through || !line.Holds(stretch, batch)) continue;
    absl::StatusOr<AppliedControl> one = ToApplied(known.report, batch);
    if (!one.ok()) return one.status();
    applied.push_back(*std::move(one));
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::trainer
