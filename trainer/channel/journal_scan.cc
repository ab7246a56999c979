#include "trainer/channel/journal_scan.h"

#include <chrono>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
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
                         const std::function<absl::Status(const v1::Event& event)>& take) {
  uint64_t through = 0;
  while (through < last_sequence) {
    const absl::StatusOr<JournalPage> page = reader.Read(through, kinds, kScanPageEvents, kScanPageBytes);
    if (!page.ok()) return page.status();
    for (const std::shared_ptr<const v1::Event>& event : page->events) {
      if (event->sequence() > last_sequence) return absl::OkStatus();
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

PositionScan::PositionScan(const std::vector<KnownRewind>& rewinds, int64_t first_batch)
    : rewinds_(rewinds),
      present_(rewinds, static_cast<int64_t>(rewinds.size())),
      last_batch_(rewinds.empty() ? first_batch : rewinds.back().to_batch) {}

void PositionScan::Take(const v1::Event& event) {
  if (!IsOfTheTrainer(event)) return;
  const int64_t stretch = StretchOf(rewinds_, event.sequence());
  const int64_t batch = event.batch();
  Mark(stretch, event);
  if (!present_.Holds(stretch, batch)) return;
  if (stretch == present_.line()) {
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

void PositionScan::Mark(int64_t stretch, const v1::Event& event) {
  if (marks_.size() == kMaxTimeMarks) {
    size_t kept = 0;
    const size_t half = marks_.size() / 2;
    for (size_t i = 0; i < marks_.size(); ++i) {
      if (i >= half || i % 2 == 0) marks_[kept++] = marks_[i];
    }
    marks_.resize(kept);
  }
  marks_.push_back({stretch, event.batch(), ToWallTime(event.time())});
}

void PositionScan::Count(const v1::Event& event) {
  if (event.has_loss()) loss_reported_ = true;
  if (event.has_state()) state_reported_ = true;
  if (event.has_plugin()) ++plugin_reports_[event.plugin().plugin()];
}

}  // namespace pilothouse::trainer
