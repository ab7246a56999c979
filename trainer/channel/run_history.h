// A run's journal as the engine needs it: what to begin from, and what was done when. A journal is only read here.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/journal/event_kind.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/line.h"
#include "trainer/loop/resume.h"

namespace pilothouse::trainer {

// Marks that are kept at most; of more, every second of the older half goes, so that the newest stay complete.
inline constexpr size_t kMaxTimeMarks = 100'000;

// A run's past is a line of batches; taking it back makes the line fork. The present line is what leads to where the
// run is; what it was taken back from are branches. A branch is the line as it was just before the run was taken back.
//
// On a line, a control is kept as long as no later rewind on the way went to a batch before it. A rewind itself is fed
// back as a pause at the batch it went to, with its own request id: what it did besides is what the line is.
//
// Reads the journal as it is, keeping controls, checkpoints and a bounded number of times, but no losses. Immutable;
// thread-safe.
class RunHistory {
 public:
  // `directory` is the run's. JOURNAL_FAILED if its journal cannot be read, or a rewind in it is damaged. What else is
  // damaged is passed over: the run is known to have come as far as the rest tells, and a control that cannot be read
  // is done without where a checkpoint contains it, or only batches before it are asked for.
  static absl::StatusOr<RunHistory> Read(const std::string& directory);

  const v1::RunSpec& spec() const;
  const std::string& run_id() const;
  // Of the data that the run was started with. Empty: not known.
  const std::string& data_sha256() const;
  // The first batch of the run: 0, or where it was forked.
  int64_t first_batch() const;
  // The last batch of a line (empty: the present one) that anything was reported of. BRANCH_NOT_FOUND.
  absl::StatusOr<int64_t> LastBatch(const std::string& branch) const;
  // Oldest first.
  const std::vector<v1::Branch>& branches() const;
  // Every checkpoint that was written well, oldest first, with the sequence of its event.
  struct KnownCheckpoint {
    v1::CheckpointReport report;
    uint64_t sequence = 0;
  };
  const std::vector<KnownCheckpoint>& checkpoints() const;
  // Every control, in order, also those of branches.
  struct KnownControl {
    v1::ControlReport report;
    // Where the journal is damaged and nothing else is known of it: a batch that it was not made before.
    int64_t batch = 0;
    uint64_t sequence = 0;
    bool readable = true;
  };
  const std::vector<KnownControl>& controls() const;
  // JOURNAL_FAILED if one of them cannot be read that may have been made up to this batch.
  absl::Status CheckComplete(int64_t through) const;

  // Hands over all events of these kinds that the history is about, in order, until one is refused; adds what is
  // damaged to `damaged`. JOURNAL_FAILED, and what `take` returned.
  absl::Status Scan(EventKindSet kinds, std::vector<SequenceRange>& damaged,
                    const std::function<absl::Status(const v1::Event& event)>& take) const;

  // How to come to the end of the present line, `seen_batch` at least, as after a crash. Right after a rewind that is
  // the batch it went to, wherever the run was seen before. Reads checkpoints, the newest first, until one is as it was
  // written; of each that is not, a sentence is added to `damaged`. Where none is left, the run begins anew;
  // CHECKPOINT_DAMAGED for a fork, which cannot. JOURNAL_FAILED if a control since then cannot be read.
  absl::StatusOr<ResumePlan> PlanResume(int64_t seen_batch, std::vector<std::string>& damaged) const;
  // How to come to `batch` on a line (empty: the present one): as the run was when the batch after it was about to be
  // trained, with all that was changed between the two. A stop is left out, and nothing is said of what was reported.
  // Reports can be rarer than batches: on the present line a batch after the last one told is taken for one the run has
  // come to. BATCH_OUT_OF_RANGE, BRANCH_NOT_FOUND, and as above.
  absl::StatusOr<ResumePlan> PlanVisit(int64_t batch, const std::string& branch,
                                       std::vector<std::string>& damaged) const;

 private:
  struct Content;
  explicit RunHistory(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

  // `rewinds` led to the line.
  absl::StatusOr<ResumePlan> PlanLine(const Line& line, int64_t rewinds, int64_t batch,
                                      std::vector<std::string>& damaged) const;

  std::shared_ptr<const Content> content_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_H_
