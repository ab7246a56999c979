// What a house knows of the past of its runs: checkpoints, rewinds, forks and history.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cpp/testing/fake_events.h"
#include "clients/cpp/testing/fake_house.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

constexpr int64_t kCheckpointBytes = 12345;
constexpr int kUsualPage = 1000;

std::string FileOf(int64_t batch) { return absl::StrFormat("checkpoints/batch-%012d.safetensors", batch); }

bool IsWithin(const v1::ReadHistoryRequest& request, int64_t batch) {
  return (!request.has_first_batch() || batch >= request.first_batch()) &&
         (!request.has_last_batch() || batch <= request.last_batch());
}

}  // namespace

void FakeHouse::AddCheckpoint(const std::string& run_id, const v1::Checkpoint& checkpoint) {
  MutexLock lock(mutex_);
  AddCheckpointLocked(Get(run_id), checkpoint);
}

void FakeHouse::AddDamage(uint64_t first, uint64_t last) {
  MutexLock lock(mutex_);
  v1::Gap& gap = damage_.emplace_back();
  gap.set_first(first);
  gap.set_last(last);
}

void FakeHouse::AddCheckpointLocked(FakeRun& run, v1::Checkpoint checkpoint) {
  if (checkpoint.file().empty()) checkpoint.set_file(FileOf(checkpoint.batch()));
  v1::Event event;
  v1::CheckpointReport& report = *event.mutable_checkpoint();
  report.set_batch(checkpoint.batch());
  report.set_file(checkpoint.file());
  report.set_bytes(checkpoint.bytes());
  report.set_pinned(checkpoint.pinned());
  if (checkpoint.has_validation_loss()) report.set_validation_loss(checkpoint.validation_loss());
  Append(run, event);
  *checkpoint.mutable_time() = run.events.back().time();
  checkpoint.set_sequence(run.events.back().sequence());
  run.run.set_checkpoint_batch(checkpoint.batch());
  *run.run.mutable_checkpoint_time() = checkpoint.time();
  run.checkpoints.insert(run.checkpoints.begin(), checkpoint);
}

v1::Checkpoint FakeHouse::SaveLocked(FakeRun& run, bool pin) {
  v1::Checkpoint checkpoint;
  checkpoint.set_batch(run.run.batch());
  checkpoint.set_bytes(kCheckpointBytes);
  checkpoint.set_pinned(pin);
  AddCheckpointLocked(run, checkpoint);
  return run.checkpoints.front();
}

void FakeHouse::GoBackLocked(FakeRun& run, int64_t batch) {
  run.run.set_batch(batch);
  v1::Event event;
  event.mutable_status()->set_status(v1::RUN_STATUS_IDLE);
  event.mutable_status()->set_idle_reason(v1::IDLE_REASON_PAUSED);
  Append(run, event);
  run.run.set_idle_reason(v1::IDLE_REASON_PAUSED);
}

absl::Status FakeHouse::ForkLocked(const v1::ForkRequest& request, v1::ForkResponse& response) {
  forks_.push_back(request);
  const v1::Run parent = Get(request.run_id()).run;
  const int64_t batch = request.has_batch() ? request.batch() : parent.batch();
  if (batch > parent.batch()) {
    return MakeError(v1::ERROR_REASON_BATCH_OUT_OF_RANGE, "batch",
                     absl::StrCat("the run has come to batch ", parent.batch(), "."),
                     {{"batch", absl::StrCat(batch)}, {"last_batch", absl::StrCat(parent.batch())}});
  }
  const std::string run_id =
      request.new_run_id().empty() ? absl::StrCat(request.run_id(), "-fork") : request.new_run_id();
  AddRunLocked(run_id);
  v1::Run& run = Get(run_id).run;
  run.set_batch(batch);
  run.set_loss(parent.loss());
  run.mutable_parent()->set_run_id(request.run_id());
  run.mutable_parent()->set_batch(batch);
  run.mutable_parent()->set_branch(request.branch());
  for (const v1::KnobChange& knob : request.knobs()) {
    if (knob.name() == "eta") run.set_eta(knob.value());
  }
  run.set_target(request.has_target() ? request.target() : batch);
  if (run.target() > batch) run.set_status(v1::RUN_STATUS_TRAINING);
  *response.mutable_run() = run;
  return absl::OkStatus();
}

absl::Status FakeHouse::ReadLocked(const v1::ReadHistoryRequest& request, v1::ReadHistoryResponse& response) {
  histories_.push_back(request);
  size_t at = 0;
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &at)) {
    return MakeError(v1::ERROR_REASON_HISTORY_RANGE_INVALID, "page_token", "the page token makes no sense.",
                     {{"value", request.page_token()}});
  }
  const FakeRun& run = Get(request.run_id());
  const std::vector<v1::Event>& events = run.events;
  const auto is_elsewhere = [&](const v1::Event& event) {
    const auto branch = run.branches.find(event.sequence());
    return branch != run.branches.end() && branch->second != request.branch();
  };
  const int size = request.page_size() > 0 ? request.page_size() : kUsualPage;
  for (; at < events.size() && response.events_size() < size; ++at) {
    if (IsWithin(request, events[at].batch()) && IsOneOf(request.kinds(), events[at]) && !is_elsewhere(events[at])) {
      *response.add_events() = events[at];
    }
  }
  if (at < events.size()) response.set_next_page_token(absl::StrCat(at));
  response.set_last_sequence(events.size());
  for (const v1::Gap& gap : damage_) *response.add_damaged() = gap;
  damage_.clear();
  return absl::OkStatus();
}

}  // namespace pilothouse::client
