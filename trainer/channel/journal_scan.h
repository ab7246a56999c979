// What a run's journal tells about where the run was, read in one go.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_JOURNAL_SCAN_H_
#define PILOTHOUSE_TRAINER_CHANNEL_JOURNAL_SCAN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "pilothouse/v1/event.pb.h"
#include "proto/journal/event_kind.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/line.h"
#include "trainer/loop/clock.h"

namespace pilothouse::trainer {

// Events, and bytes of them, that are read from a journal at a time.
inline constexpr int kScanPageEvents = 4096;
inline constexpr int64_t kScanPageBytes = int64_t{8} << 20;

// Hands over the events of these kinds up to a sequence, in order, until one is refused; adds what is damaged to
// `damaged`. JOURNAL_FAILED, and what `take` returned.
absl::Status ScanJournal(const JournalReader& reader, EventKindSet kinds, uint64_t last_sequence,
                         std::vector<SequenceRange>& damaged,
                         const std::function<absl::Status(const v1::Event& event)>& take);

WallTime ToWallTime(const google::protobuf::Timestamp& timestamp);

// The run was at `batch` at `time`, as the event of this sequence says.
struct SequenceMark {
  uint64_t sequence = 0;
  int64_t batch = 0;
  WallTime time;
};

// How far a run has come on its present line, what was reported of the batch it came to, and when it was where.
class PositionScan {
 public:
  // `rewinds` are all of the run, oldest first; `first_batch` is the run's.
  PositionScan(const std::vector<RewindMark>& rewinds, int64_t first_batch);

  // In order of sequence.
  void Take(const v1::Event& event);

  // The last batch of the present line that anything was reported of, or where it was last taken back to.
  int64_t last_batch() const { return last_batch_; }
  // Nothing was reported since the run was taken back last.
  bool just_rewound() const { return last_rewind_ > 0 && !moved_; }
  // Of last_batch().
  bool loss_reported() const { return loss_reported_; }
  bool state_reported() const { return state_reported_; }
  const std::map<std::string, int>& plugin_reports() const { return plugin_reports_; }
  // The target of the first status of all.
  int64_t first_target() const { return first_target_.value_or(0); }
  // In order of sequence, at most kMaxTimeMarks.
  const std::vector<SequenceMark>& marks() const { return marks_; }

 private:
  // Whether it is of a checkpoint of a line that had been left when it was told of.
  bool IsOfEarlierLine(const v1::Event& event) const;
  void Mark(const v1::Event& event);
  void Count(const v1::Event& event);

  const std::vector<RewindMark> rewinds_;
  const Line present_;
  // Its sequence; 0: there was none.
  const uint64_t last_rewind_;
  int64_t last_batch_;
  std::optional<int64_t> first_target_;
  bool moved_ = false;
  bool loss_reported_ = false;
  bool state_reported_ = false;
  std::map<std::string, int> plugin_reports_;
  std::vector<SequenceMark> marks_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_JOURNAL_SCAN_H_
