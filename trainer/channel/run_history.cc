#include "trainer/channel/run_history.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/journal/journal_reader.h"
#include "proto/support/error.h"
#include "trainer/channel/journal_scan.h"
#include "trainer/channel/messages.h"
#include "trainer/checkpoint/checkpoint_store.h"

namespace pilothouse::trainer {

struct RunHistory::Content {
  // An event of a control or a checkpoint, in order of sequence.
  void Take(const v1::Event& event);
  // Adds those of the journal's controls that cannot be read. JOURNAL_FAILED if they cannot even be counted, or the run
  // was taken back by one.
  absl::Status AddUnreadable(const JournalReader& reader);
  absl::Status Unreadable(const std::string& control, const std::string& advice) const;
  absl::Status Unreadable(const KnownControl& control) const;
  absl::Status ReadPositions(const JournalReader& reader);
  // Not before which batch a control of this sequence was made, by what was told before it.
  int64_t EarliestBatch(uint64_t sequence) const;

  int64_t first_batch() const { return spec.has_parent() ? spec.parent().batch() : 0; }
  std::string FileOf(const KnownCheckpoint& known) const { return absl::StrCat(directory, "/", known.report.file()); }

  // The nearest checkpoint to come to `batch` of a line from, and its content. Null: the beginning of the run.
  absl::StatusOr<const KnownCheckpoint*> FindBase(const Line& line, int64_t batch, std::vector<std::string>& damaged,
                                                  std::shared_ptr<const SavedState>& state) const;
  // What a state that contains the first `contained` of all controls lacks up to a batch of a line.
  absl::Status AddControls(const Line& line, int64_t contained, int64_t through,
                           std::vector<AppliedControl>& applied) const;

  int64_t ControlsBefore(uint64_t sequence) const {
    return std::count_if(controls.begin(), controls.end(),
                         [&](const KnownControl& control) { return control.sequence < sequence; });
  }

  std::string directory;
  v1::RunSpec spec;
  std::string run_id;
  std::vector<KnownControl> controls;
  std::vector<KnownCheckpoint> checkpoints;
  std::vector<RewindMark> rewinds;
  std::vector<v1::Branch> branches;
  std::string data_sha256;
  // What is journaled after it, by a run that trains on, belongs to a later history.
  uint64_t last_sequence = 0;
  std::unique_ptr<const PositionScan> position;
};

namespace {

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

absl::StatusOr<AppliedControl> ToApplied(const v1::ControlReport& report, int64_t batch) {
  absl::StatusOr<Control> control = FromJournal(report);
  if (!control.ok()) return control.status();
  if (std::holds_alternative<RewindChange>(control->change)) {
    control->change = TargetChange{TargetChange::Kind::kPause, 0};
  }
  return AppliedControl{*std::move(control), batch};
}

bool IsFile(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

std::vector<std::string> NamesOf(const std::vector<v1::Branch>& branches) {
  std::vector<std::string> names;
  for (const v1::Branch& branch : branches) names.push_back(branch.name());
  return names;
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
  content->data_sha256 = run->facts().data_sha256();
  content->last_sequence = run->last_sequence();
  // A damaged checkpoint is one less to go on from; a damaged control is in the checkpoints that were made later.
  std::vector<SequenceRange> damaged;
  absl::Status scanned = ScanJournal(**reader, {v1::EVENT_KIND_CONTROL, v1::EVENT_KIND_CHECKPOINT},
                                     content->last_sequence, damaged, [&](const v1::Event& event) {
                                       content->Take(event);
                                       return absl::OkStatus();
                                     });
  if (scanned.ok() && !damaged.empty()) scanned = content->AddUnreadable(**reader);
  if (scanned.ok()) scanned = content->ReadPositions(**reader);
  if (!scanned.ok()) return scanned;
  return RunHistory(std::move(content));
}

void RunHistory::Content::Take(const v1::Event& event) {
  if (event.has_checkpoint()) {
    if (event.checkpoint().error().empty()) checkpoints.push_back({event.checkpoint(), event.sequence()});
    return;
  }
  if (!event.has_control()) return;
  controls.push_back({event.control(), event.batch(), event.sequence(), /*readable=*/true});
  if (!event.control().change().has_rewind()) return;
  const auto to_batch = static_cast<int64_t>(event.control().value());
  rewinds.push_back({event.sequence(), to_batch, event.control().branch()});
  v1::Branch& branch = branches.emplace_back();
  branch.set_name(event.control().branch());
  branch.set_from_batch(to_batch);
  branch.set_through_batch(event.batch());
  *branch.mutable_time() = event.time();
}

absl::Status RunHistory::Content::AddUnreadable(const JournalReader& reader) {
  const absl::StatusOr<std::vector<uint64_t>> ids = reader.ControlIds();
  if (!ids.ok()) return ids.status();
  const auto before = [](const KnownControl& one, const KnownControl& other) { return one.sequence < other.sequence; };
  const std::vector<KnownControl> readable = controls;
  for (const uint64_t id : *ids) {
    const KnownControl unreadable{{}, 0, id, /*readable=*/false};
    const bool known = std::binary_search(readable.begin(), readable.end(), unreadable, before);
    if (id <= last_sequence && !known) controls.push_back(unreadable);
  }
  std::sort(controls.begin(), controls.end(), before);
  const absl::StatusOr<std::vector<RewindMark>> taken_back = reader.Rewinds();
  if (!taken_back.ok()) return taken_back.status();
  for (const RewindMark& mark : *taken_back) {
    const auto known = std::find_if(rewinds.begin(), rewinds.end(),
                                    [&](const RewindMark& one) { return one.sequence == mark.sequence; });
    if (known == rewinds.end() && mark.sequence <= last_sequence) {
      return Unreadable(absl::StrCat("the rewind with sequence ", mark.sequence), "");
    }
  }
  return absl::OkStatus();
}

absl::Status RunHistory::Content::Unreadable(const std::string& control, const std::string& advice) const {
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The journal in ", directory, " is damaged: ", control,
                                " cannot be read, so what came after it cannot be done again.", advice),
                   {{"file", absl::StrCat(directory, "/", kJournalFile)}});
}

absl::Status RunHistory::Content::Unreadable(const KnownControl& control) const {
  const int64_t before = control.batch - 1;
  const std::string advice =
      before < first_batch()
          ? ""
          : absl::StrCat(" Up to batch ", before, " all is known: a fork can begin there, and a replay can go there.");
  return Unreadable(
      absl::StrCat("the control with sequence ", control.sequence, ", made at batch ", control.batch, " or later,"),
      advice);
}

absl::Status RunHistory::Content::ReadPositions(const JournalReader& reader) {
  auto scan = std::make_unique<PositionScan>(rewinds, first_batch());
  std::vector<SequenceRange> damaged;
  absl::Status scanned = ScanJournal(reader, EventKindSet::All(), last_sequence, damaged, [&](const v1::Event& event) {
    scan->Take(event);
    return absl::OkStatus();
  });
  position = std::move(scan);
  for (KnownControl& control : controls) {
    if (!control.readable) control.batch = EarliestBatch(control.sequence);
  }
  return scanned;
}

int64_t RunHistory::Content::EarliestBatch(uint64_t sequence) const {
  const auto begins_later = [](uint64_t limit, const auto& one) { return limit <= one.sequence; };
  const auto& marks = position->marks();
  const auto mark = std::upper_bound(marks.begin(), marks.end(), sequence, begins_later);
  const auto rewind = std::upper_bound(rewinds.begin(), rewinds.end(), sequence, begins_later);
  const bool rewound =
      rewind != rewinds.begin() && (mark == marks.begin() || std::prev(rewind)->sequence > std::prev(mark)->sequence);
  if (rewound) return std::prev(rewind)->batch;
  return mark == marks.begin() ? first_batch() : std::prev(mark)->batch;
}

const v1::RunSpec& RunHistory::spec() const { return content_->spec; }
const std::string& RunHistory::run_id() const { return content_->run_id; }
const std::string& RunHistory::data_sha256() const { return content_->data_sha256; }
int64_t RunHistory::first_batch() const { return content_->first_batch(); }
const std::vector<v1::Branch>& RunHistory::branches() const { return content_->branches; }
const std::vector<RunHistory::KnownCheckpoint>& RunHistory::checkpoints() const { return content_->checkpoints; }
const std::vector<RunHistory::KnownControl>& RunHistory::controls() const { return content_->controls; }

absl::Status RunHistory::CheckComplete(int64_t through) const {
  for (const KnownControl& control : content_->controls) {
    if (!control.readable && control.batch <= through) return content_->Unreadable(control);
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> RunHistory::LastBatch(const std::string& branch) const {
  if (branch.empty()) return content_->position->last_batch();
  const std::vector<v1::Branch>& branches = content_->branches;
  const auto found =
      std::find_if(branches.begin(), branches.end(), [&](const v1::Branch& one) { return one.name() == branch; });
  if (found == branches.end()) return BranchNotFound(branch, NamesOf(branches));
  return found->through_batch();
}

absl::Status RunHistory::Scan(EventKindSet kinds, std::vector<SequenceRange>& damaged,
                              const std::function<absl::Status(const v1::Event& event)>& take) const {
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader =
      JournalReader::Open(absl::StrCat(content_->directory, "/", kJournalFile));
  if (!reader.ok()) return reader.status();
  return ScanJournal(**reader, kinds, content_->last_sequence, damaged, take);
}

absl::StatusOr<ResumePlan> RunHistory::PlanResume(int64_t seen_batch, std::vector<std::string>& damaged) const {
  const PositionScan& position = *content_->position;
  // Whoever saw the run before it was taken back saw another line.
  const int64_t through = position.just_rewound() ? position.last_batch() : std::max(position.last_batch(), seen_batch);
  absl::StatusOr<ResumePlan> plan =
      PlanLine(Line::Present(content_->rewinds), static_cast<int64_t>(content_->rewinds.size()), through, damaged);
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
  const absl::StatusOr<int64_t> last = LastBatch(branch);
  if (!last.ok()) return last.status();
  if (batch < first_batch() || (batch > *last && !branch.empty())) return BatchOutOfRange(batch, first_batch(), *last);
  const std::vector<RewindMark>& rewinds = content_->rewinds;
  const auto end = branch.empty() ? rewinds.end()
                                  : std::find_if(rewinds.begin(), rewinds.end(),
                                                 [&](const RewindMark& one) { return one.branch == branch; });
  const Line line = branch.empty() ? Line::Present(rewinds) : *Line::OfBranch(rewinds, branch);
  absl::StatusOr<ResumePlan> plan = PlanLine(line, end - rewinds.begin(), batch, damaged);
  if (!plan.ok()) return plan;
  std::vector<AppliedControl>& controls = plan->controls;
  controls.erase(std::remove_if(controls.begin(), controls.end(),
                                [](const AppliedControl& applied) {
                                  return std::holds_alternative<StopChange>(applied.control.change);
                                }),
                 controls.end());
  return plan;
}

absl::StatusOr<ResumePlan> RunHistory::PlanLine(const Line& line, int64_t rewinds, int64_t batch,
                                                std::vector<std::string>& damaged) const {
  ResumePlan plan;
  absl::StatusOr<const KnownCheckpoint*> base = content_->FindBase(line, batch, damaged, plan.checkpoint);
  if (!base.ok()) return base.status();
  const int64_t contained = *base == nullptr ? 0 : (*base)->report.controls();
  if (*base != nullptr && content_->ControlsBefore((*base)->sequence) < contained) {
    return content_->Unreadable(absl::StrCat("a control before sequence ", (*base)->sequence), "");
  }
  if (absl::Status added = content_->AddControls(line, contained, batch, plan.controls); !added.ok()) return added;
  const int64_t from_batch = *base == nullptr ? first_batch() : (*base)->report.batch();
  for (const SequenceMark& mark : content_->position->marks()) {
    const bool wanted = mark.batch >= from_batch && mark.batch <= batch && line.Contains(mark.sequence, mark.batch);
    if (wanted) plan.marks.push_back({mark.batch, mark.time});
  }
  for (const KnownCheckpoint& known : content_->checkpoints) {
    if (IsFile(content_->FileOf(known))) plan.recorded.push_back(ToRecorded(known.report));
  }
  plan.initial_target = content_->position->first_target();
  plan.through_batch = batch;
  plan.line = rewinds;
  plan.controls_recorded = static_cast<int64_t>(content_->controls.size());
  return plan;
}

absl::StatusOr<const RunHistory::KnownCheckpoint*> RunHistory::Content::FindBase(
    const Line& line, int64_t batch, std::vector<std::string>& damaged,
    std::shared_ptr<const SavedState>& state) const {
  std::vector<const KnownCheckpoint*> candidates;
  for (const KnownCheckpoint& known : checkpoints) {
    v1::Event event;
    event.set_sequence(known.sequence);
    *event.mutable_checkpoint() = known.report;
    if (known.report.batch() <= batch && line.Contains(event)) candidates.push_back(&known);
  }
  const auto place = [](const KnownCheckpoint* known) {
    return std::tuple(known->report.batch(), known->report.controls(), known->sequence);
  };
  std::sort(candidates.begin(), candidates.end(),
            [&](const KnownCheckpoint* a, const KnownCheckpoint* b) { return place(a) > place(b); });
  // One checkpoint may be told of several times: to each who asked for it.
  candidates.erase(std::unique(candidates.begin(), candidates.end(),
                               [](const KnownCheckpoint* one, const KnownCheckpoint* other) {
                                 return one->report.file() == other->report.file();
                               }),
                   candidates.end());
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

absl::Status RunHistory::Content::AddControls(const Line& line, int64_t contained, int64_t through,
                                              std::vector<AppliedControl>& applied) const {
  for (size_t i = static_cast<size_t>(contained); i < controls.size(); ++i) {
    const KnownControl& known = controls[i];
    // What a rewind begins begins with a pause where the run was taken back to.
    const int64_t batch = known.report.change().has_rewind() ? static_cast<int64_t>(known.report.value()) : known.batch;
    if (batch > through || !line.Contains(known.sequence, batch)) continue;
    if (!known.readable) return Unreadable(known);
    absl::StatusOr<AppliedControl> one = ToApplied(known.report, batch);
    if (!one.ok()) return one.status();
    applied.push_back(*std::move(one));
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::trainer
