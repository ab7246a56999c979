// ReadHistory: pages of what a run has reported, out of its journal.
#ifndef PILOTHOUSE_SERVICE_RPC_READ_HISTORY_H_
#define PILOTHOUSE_SERVICE_RPC_READ_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/training_control.pb.h"
#include "proto/journal/journal_reader.h"
#include "proto/support/mutex.h"
#include "service/rpc/history_query.h"
#include "service/rpc/loss_thinner.h"

namespace pilothouse::service {

// An answer holds no more events once it has so many bytes of them.
inline constexpr int64_t kMaxHistoryBytes = 4 << 20;
// Choices of losses that are kept for the pages that follow.
inline constexpr size_t kMaxThinnedKept = 8;

// The losses that were chosen out of all, and what was damaged on the way.
struct ThinnedLosses {
  std::vector<uint64_t> sequences;
  std::vector<SequenceRange> damaged;
};

// The last few choices, so that not every page reads the whole run again. Thread-safe.
class ThinnedLossesCache {
 public:
  // Null: it is not there (any more).
  std::shared_ptr<const ThinnedLosses> Find(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  void Keep(const std::string& key, std::shared_ptr<const ThinnedLosses> losses) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const ThinnedLosses> losses;
  };

  Mutex mutex_;
  // The one used last first.
  std::list<Kept> kept_ ABSL_GUARDED_BY(mutex_);
};

// Reads one page, in steps that are short transactions each. Not thread-safe, but each step may be another thread's.
class HistoryRead {
 public:
  // `cache` must outlive it.
  HistoryRead(std::string journal_path, HistoryQuery query, ThinnedLossesCache& cache);

  // Does the next step. True: the response is complete; it is not called again then, nor after an error.
  // BRANCH_NOT_FOUND, HISTORY_RANGE_INVALID (a token of another run), JOURNAL_FAILED.
  absl::StatusOr<bool> Advance();

  v1::ReadHistoryResponse TakeResponse() { return std::move(response_); }

  // The most that reading for `query` keeps in memory.
  static int64_t BytesFor(const HistoryQuery& query);

 private:
  absl::Status Begin();
  absl::Status Thin();
  absl::StatusOr<bool> ReadOn();
  // Losses out of those chosen, everything else as it comes.
  absl::StatusOr<JournalPage> ReadThinned(int max_events, int64_t max_bytes) const;
  void Finish();

  const std::string journal_path_;
  HistoryQuery query_;
  const std::string key_;
  ThinnedLossesCache& cache_;
  std::unique_ptr<JournalReader> reader_;
  // Up to `after`, events are in the response or in the pages before.
  HistoryPosition position_;
  // While losses are being chosen.
  std::unique_ptr<LossThinner> thinner_;
  std::shared_ptr<ThinnedLosses> choosing_;
  uint64_t thinned_through_ = 0;
  // Null: losses are not thinned.
  std::shared_ptr<const ThinnedLosses> chosen_;
  std::vector<SequenceRange> damaged_;
  int64_t bytes_ = 0;
  v1::ReadHistoryResponse response_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_READ_HISTORY_H_
