// Where a replay has to look up from training: known beforehand, since the journal is.
#ifndef PILOTHOUSE_TRAINER_REPLAY_REPLAY_PLAN_H_
#define PILOTHOUSE_TRAINER_REPLAY_REPLAY_PLAN_H_

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "pilothouse/v1/control.pb.h"
#include "trainer/channel/run_history.h"

namespace pilothouse::trainer {

// Whether a control is about what learning computes.
bool ChangesLearning(const v1::Change& change);

// After a batch of a stretch: stretch n begins where the run was taken back for the n-th time, stretch 0 with the run.
using ReplayPlace = std::pair<int64_t, int64_t>;

// Immutable.
class ReplayPlan {
 public:
  // The history must outlive the plan.
  explicit ReplayPlan(const RunHistory& history);

  // The first batch from `batch` on at which something is to be done before the stretch goes on; the largest number if
  // there is none.
  int64_t NextStop(int64_t stretch, int64_t batch) const;
  // The checkpoints made at this place after so many changes of learning.
  std::vector<const RunHistory::KnownCheckpoint*> CheckpointsAt(ReplayPlace place, int64_t changes) const;
  // How often the run is taken back to how this place was left.
  int ReturnsTo(ReplayPlace place) const;
  // Where the n-th rewind (from 0) leads.
  ReplayPlace ReturnOf(int64_t rewind) const { return returns_[static_cast<size_t>(rewind)]; }

 private:
  struct Made {
    int64_t changes = 0;
    const RunHistory::KnownCheckpoint* checkpoint = nullptr;
  };

  std::multimap<ReplayPlace, Made> checkpoints_;
  std::vector<ReplayPlace> returns_;
  std::set<ReplayPlace> stops_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_REPLAY_REPLAY_PLAN_H_
