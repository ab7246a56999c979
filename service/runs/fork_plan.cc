#include "service/runs/fork_plan.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/journal/event_kind.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/line.h"
#include "proto/support/constant_schedule.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::service {
namespace {

constexpr char kEta[] = "eta";
constexpr int64_t kAnyEventBytes = int64_t{1} << 30;

absl::Status OutOfRange(const v1::Run& run, int64_t batch, LineRange line) {
  return MakeError(v1::ERROR_REASON_BATCH_OUT_OF_RANGE, "batch",
                   absl::StrCat("The run ", run.run_id(), " can be forked at batch ", line.first, " to ", line.last,
                                ", not at ", batch, "."),
                   {{"batch", absl::StrCat(batch)},
                    {"first_batch", absl::StrCat(line.first)},
                    {"last_batch", absl::StrCat(line.last)}});
}

// What only the batch decides where the fork begins.
absl::Status CheckTarget(const v1::ForkRequest& request, int64_t batch) {
  if (batch + request.more() > kMaxTarget) {
    return MakeError(
        v1::ERROR_REASON_TARGET_INVALID, "more",
        absl::StrCat("The fork begins at batch ", batch, ", and ", request.more(), " more would lead beyond 2^53."),
        {{"value", absl::StrCat(request.more())}});
  }
  if (request.has_target() && request.target() < batch) {
    return MakeError(
        v1::ERROR_REASON_TARGET_INVALID, "target",
        absl::StrCat("The fork begins at batch ", batch, ", so its target cannot be ", request.target(), "."),
        {{"value", absl::StrCat(request.target())}});
  }
  return absl::OkStatus();
}

// What its schedule begins with, if that is another eta than its parent's. Where the parent's schedule changes eta and
// is kept, it stays what it is. An eta that is none is left to the trainer to refuse, as the change that it is.
void SetFirstEta(const v1::ForkRequest& request, v1::RunSpec& spec) {
  if (request.eta_schedule().empty() && !IsConstantSchedule(spec.eta_schedule())) return;
  for (const v1::KnobChange& knob : request.knobs()) {
    if (knob.name() != kEta || knob.follow_schedule()) continue;
    if (std::isfinite(knob.value()) && knob.value() > 0) spec.set_eta(knob.value());
  }
}

// The examples that are held out, and those that are kept for the end, stay what they are: the fork goes on with
// parameters that have learnt from the others.
void SetOrder(bool keep_order, v1::RunSpec& spec) {
  v1::DataSpec& data = *spec.mutable_data();
  if (data.split() == v1::SPLIT_METHOD_UNSPECIFIED) {
    data.set_split(spec.keep_order() ? v1::SPLIT_METHOD_TAIL : v1::SPLIT_METHOD_RANDOM);
  }
  spec.set_keep_order(keep_order);
}

v1::RunSpec SpecOf(const v1::ForkRequest& request, const ForkParent& parent, int64_t batch) {
  v1::RunSpec spec = parent.run.spec();
  // The first checkpoint takes its place.
  spec.mutable_network()->clear_initial_state();
  if (request.has_seed()) spec.set_seed(request.seed());
  if (request.has_keep_order()) SetOrder(request.keep_order(), spec);
  SetFirstEta(request, spec);
  if (!request.eta_schedule().empty()) spec.set_eta_schedule(request.eta_schedule());
  v1::Lineage& lineage = *spec.mutable_parent();
  lineage.set_run_id(parent.run.run_id());
  lineage.set_batch(batch);
  lineage.set_branch(request.branch());
  return spec;
}

v1::Welcome BeginningOf(const v1::ForkRequest& request, const ForkParent& parent, int64_t batch) {
  v1::Welcome beginning;
  v1::ForkPoint& fork = *beginning.mutable_fork();
  fork.set_directory(parent.directory);
  fork.set_batch(batch);
  fork.set_branch(request.branch());
  *fork.mutable_knobs() = request.knobs();
  if (!request.eta_schedule().empty()) {
    // After all others: eta itself may be among them.
    v1::KnobChange& eta = *fork.add_knobs();
    eta.set_name(kEta);
    eta.set_follow_schedule(true);
  }
  *fork.mutable_detach_plugins() = request.detach_plugins();
  *fork.mutable_attach_plugins() = request.attach_plugins();
  beginning.set_data_sha256(parent.run.facts().data_sha256());
  return beginning;
}

}  // namespace

absl::StatusOr<ForkParent> ReadForkParent(const RunPlace& place) {
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place.journal_path());
  if (!reader.ok()) return reader.status();
  absl::StatusOr<v1::Run> run = (*reader)->LoadRun();
  if (!run.ok()) return run.status();
  ForkParent parent{.directory = place.directory, .run = *std::move(run)};
  parent.last_batch = parent.run.batch();
  if (parent.run.last_sequence() == 0) return parent;
  const absl::StatusOr<JournalPage> newest =
      (*reader)->Read(parent.run.last_sequence() - 1, EventKindSet::All(), 1, kAnyEventBytes);
  if (!newest.ok()) return newest.status();
  // It is damaged, or tells of another batch: what the run was last known to be must do.
  if (newest->events.empty() || newest->events.front()->has_checkpoint()) return parent;
  const v1::Event& event = *newest->events.front();
  const bool taken_back = event.control().change().has_rewind();
  parent.last_batch = taken_back ? static_cast<int64_t>(event.control().value()) : event.batch();
  return parent;
}

absl::StatusOr<LineRange> RangeOf(const ForkParent& parent, const std::string& branch) {
  const int64_t first = parent.run.spec().parent().batch();
  if (branch.empty()) return LineRange{.first = first, .last = std::max(first, parent.last_batch)};
  const auto& branches = parent.run.branches();
  const auto found =
      std::find_if(branches.begin(), branches.end(), [&](const v1::Branch& one) { return one.name() == branch; });
  if (found == branches.end()) {
    std::vector<std::string> known;
    for (const v1::Branch& one : branches) known.push_back(one.name());
    return BranchNotFound(branch, std::move(known));
  }
  return LineRange{.first = first, .last = found->through_batch()};
}

absl::StatusOr<RunToStart> PlanFork(const v1::ForkRequest& request, const ForkParent& parent, int64_t batch) {
  const absl::StatusOr<LineRange> line = RangeOf(parent, request.branch());
  if (!line.ok()) return line.status();
  if (batch < line->first || batch > line->last) return OutOfRange(parent.run, batch, *line);
  if (absl::Status target = CheckTarget(request, batch); !target.ok()) return target;
  RunToStart run;
  run.run_id = request.new_run_id();
  run.run_id_field = "new_run_id";
  run.request_id = request.request_id();
  run.spec = SpecOf(request, parent, batch);
  run.target = request.has_target() ? request.target() : batch + request.more();
  run.fork = request;
  run.beginning = BeginningOf(request, parent, batch);
  return run;
}

}  // namespace pilothouse::service
