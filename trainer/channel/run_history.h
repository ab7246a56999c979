// A run's journal as the engine needs it: what to begin from, and what was done when. A journal is only read here.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "trainer/loop/resume.h"

namespace pilothouse::trainer {

// Marks that a plan holds at most; of more, every second goes.
inline constexpr size_t kMaxTimeMarks = 100'000;

// A run's past is a line of batches; taking it back makes the line fork. The present line is what leads to where the run
// is; what it was taken back from are branches.
//
// Reads the whole journal once, keeping controls, checkpoints and positions, but no losses. Immutable; thread-safe.
class RunHistory {
 public:
  // `directory` is the run's. JOURNAL_FAILED if its journal cannot be read, or a control or a checkpoint in it is
  // damaged; a damaged loss does no harm.
  static absl::StatusOr<RunHistory> Read(const std::string& directory);

  const v1::RunSpec& spec() const;
  const std::string& run_id() const;
  // The first batch of the run: 0, or where it was forked.
  int64_t first_batch() const;
  // The last batch of a line that anything was reported of. BRANCH_NOT_FOUND.
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
    int64_t batch = 0;
    uint64_t sequence = 0;
  };
  const std::vector<KnownControl>& controls() const;

  // How to come to the end of the present line, `seen_batch` at least, as after a crash. Reads checkpoints, the newest
  // first, until one is as it was written; those that are not are named in `damaged`. Where none is left, the run
  // begins anew; CHECKPOINT_DAMAGED for a fork, which cannot.
  absl::StatusOr<ResumePlan> PlanResume(int64_t seen_batch, std::vector<std::string>& damaged) const;
  // How to come to `batch` on a line (empty: the present one): as the run was when the batch after it was about to be
  // trained. A stop is left out. BATCH_OUT_OF_RANGE, BRANCH_NOT_FOUND, and as above.
  absl::StatusOr<ResumePlan> PlanVisit(int64_t batch, const std::string& branch,
                                       std::vector<std::string>& damaged) const;

 private:
  struct Content;
  explicit RunHistory(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

  std::shared_ptr<const Content> content_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_H_
