// Keeps in the run's directory what the trainer has to report while no service is there, so that it outlives the
// trainer, too.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_UNRECORDED_REPORTS_H_
#define PILOTHOUSE_TRAINER_CHANNEL_UNRECORDED_REPORTS_H_

#include <chrono>
#include <string>

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"
#include "trainer/channel/outbox.h"

namespace pilothouse::trainer {

// After writing the file, so many times as long pass before it is written again; if it cannot be written, this long.
inline constexpr int kKeepingPauses = 10;
inline constexpr std::chrono::seconds kKeepAgainAfter{10};

// The file is whole or not there, and holds all reports that were not taken when it was written. It is written anew
// after each checkpoint, since that is what a run goes on from, and removed before a service is sent anything: from
// then on reports may be numbered otherwise. Thread-safe; blocks on the disk. A failure is logged, and tried again.
class UnrecordedReports {
 public:
  // `outbox` outlives it.
  explicit UnrecordedReports(Outbox& outbox) : outbox_(outbox) {}

  // Writes the file if the outbox has something to keep; if that takes long or fails, not again too soon, unless
  // `ending`.
  void Keep(const std::string& directory, bool ending) ABSL_LOCKS_EXCLUDED(mutex_);
  // A service is attached, and the outbox knows it.
  void Forget(const std::string& directory) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Outbox& outbox_;
  Mutex mutex_;
  std::chrono::steady_clock::time_point not_before_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_UNRECORDED_REPORTS_H_
