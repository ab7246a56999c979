// Goes through a run again, from its journal alone, and says whether it is the same: every loss, every state vector and
// every checkpoint's state, bit for bit.
#ifndef PILOTHOUSE_TRAINER_REPLAY_REPLAY_H_
#define PILOTHOUSE_TRAINER_REPLAY_REPLAY_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/replay/replay_result.h"

namespace pilothouse::trainer {

struct ReplayOptions {
  // The run's.
  std::string directory;
  // Files with the run's data: a table, or inputs and targets. Empty: those that a service has which keeps its data in
  // data_directory.
  std::vector<std::string> data;
  // Empty: the folder that the run's directory would be in as <data>/runs/<run_id>.
  std::string data_directory;
  // What came after this batch is left out.
  int64_t through = std::numeric_limits<int64_t>::max();
};

// Needs the spec, the journal's controls and the data, and for a fork the checkpoint that it begins with; no service,
// no plugin and no clock. Writes nothing. Branches are gone through as well, where the run went through them. Stops at
// the first difference.
//
// Errors: JOURNAL_FAILED, DATA_CHANGED, those of ReadCheckpoint (of a fork's first), and those of BuildLearner.
absl::StatusOr<ReplayResult> Replay(const ReplayOptions& options);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_REPLAY_REPLAY_H_
