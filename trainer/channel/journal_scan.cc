#include "trainer/channel/journal_scan.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "proto/journal/event_scan.h"
#include "trainer/channel/run_history.h"

namespace pilothouse::trainer {
namespace {

// What the service says of a run that has no trainer tells nothing about where the run is.
bool IsOfTheTrainer(const v1::Event& event) {
  if (!event.has_status()) return true;
  const v1::RunStatus status = event.status().status();
  return status != v1::RUN_STATUS_STARTING && status != v1::RUN_STATUS_LOST;
}

}  // namespace

absl::Status ScanJournal(const JournalReader& reader, EventKindSet kinds, uint64_t last_sequence,
                         std::vector<SequenceRange>& damaged,
                         const std::function<absl::Status(const v1::Event& event)>& take) {
  uint64_t through = 0;
  while (through < last_sequence) {
    EventFilter filter;
    filter.kinds = kinds;
    filter.last_sequence = last_sequence;
    const absl::StatusOr<JournalPage> page = reader.Read(through, filter, kScanPageEvents, kScanPageBytes);
    if (!page.ok()) return page.status();
    for (const SequenceRange& range : page->damaged) AddDamage(damaged, range);
    for (const std::shared_ptr<const v1::Event>& event : page->events) {
      if (absl::Status taken = take(*event); !taken.ok()) return taken;
    }
    // A journal whose position is behind its events would keep this from ending.
    if (page->through <= through) break;
    through = page->through;
  }
  return absl::OkStatus();
}

WallTime ToWallTime(const google::protobuf::Timestamp& timestamp) {
  const auto since_epoch = std::chrono::seconds(timestamp.seconds()) + std::chrono::nanoseconds(timestamp.nanos());
  return WallTime(std::chrono::duration_cast<WallTime::duration>(since_epoch));
}

PositionScan::PositionScan(const std::vector<RewindMark>& rewinds, int64_t first_batch)
    : rewinds_(rewinds),
      present_(Line::Present(rewinds)),
      last_rewind_(rewinds.empty() ? 0 : rewinds.back().sequence),
      last_batch_(rewinds.empty() ? first_batch : rewinds.back().batch) {}

void PositionScan::Take(const v1::Event& event) {
  // A rewind is told at the batch that it leaves, and so is a checkpoint that was made before it and is told of after
  // it.
  if (!IsOfTheTrainer(event) || event.control().change().has_rewind() || IsOfEarlierLine(event)) return;
  if (event.has_status() && !first_target_.has_value()) first_target_ = event.status().target();
  const int64_t batch = event.batch();
  Mark(event);
  if (!present_.Contains(event.sequence(), batch)) return;
  if (event.sequence() > last_rewind_) {
    moved_ = true;
    if (batch > last_batch_) {
      last_batch_ = batch;
      loss_reported_ = false;
      state_reported_ = false;
      plugin_reports_.clear();
    }
  }
  if (batch == last_batch_) Count(event);
}

bool PositionScan::IsOfEarlierLine(const v1::Event& event) const {
  if (!event.has_checkpoint()) return false;
  const auto line = static_cast<size_t>(std::max<int64_t>(event.checkpoint().line(), 0));
  return line < rewinds_.size() && rewinds_[line].sequence < event.sequence();
}

void PositionScan::Mark(const v1::Event& event) {
  if (marks_.size() == kMaxTimeMarks) {
    size_t kept = 0;
    const size_t half = marks_.size() / 2;
    for (size_t i = 0; i < marks_.size(); ++i) {
      if (i >= half || i % 2 == 0) marks_[kept++] = marks_[i];
    }
    marks_.resize(kept);
  }
  marks_.push_back({event.sequence(), event.batch(), ToWallTime(event.time())});
}

void PositionScan::Count(const v1::Event& event) {
  if (event.has_loss()) loss_reported_ = true;
  if (event.has_state()) state_reported_ = true;
  if (event.has_plugin()) ++plugin_reports_[event.plugin().plugin()];
}

}  // namespace pilothouse::trainer
