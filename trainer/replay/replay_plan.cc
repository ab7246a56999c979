#include "trainer/replay/replay_plan.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "pilothouse/v1/run.pb.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {

bool ChangesLearning(const v1::Change& change) {
  return change.has_parameters() || (change.has_knob() && IsUpdateSetting(change.knob().name()));
}

ReplayPlan::ReplayPlan(const RunHistory& history) {
  // By how many controls there were, how many of them change learning: whether a checkpoint counts one that does not is
  // the same to learning.
  std::vector<int64_t> changes = {0};
  for (const RunHistory::KnownControl& control : history.controls()) {
    changes.push_back(changes.back() + (ChangesLearning(control.report.change()) ? 1 : 0));
  }
  for (const RunHistory::KnownCheckpoint& known : history.checkpoints()) {
    const auto controls = std::min(static_cast<size_t>(known.report.controls()), changes.size() - 1);
    const ReplayPlace place(known.report.line(), known.report.batch());
    checkpoints_.emplace(place, Made{changes[controls], &known});
    stops_.insert(place);
  }
  const std::vector<v1::Branch>& branches = history.branches();
  for (size_t rewind = 0; rewind < branches.size(); ++rewind) {
    const int64_t batch = branches[rewind].from_batch();
    size_t stretch = rewind;
    while (stretch > 0 && batch < branches[stretch - 1].from_batch()) --stretch;
    returns_.emplace_back(static_cast<int64_t>(stretch), batch);
    stops_.insert(returns_.back());
  }
}

int64_t ReplayPlan::NextStop(int64_t stretch, int64_t batch) const {
  const auto stop = stops_.lower_bound({stretch, batch});
  return stop == stops_.end() || stop->first != stretch ? std::numeric_limits<int64_t>::max() : stop->second;
}

std::vector<const RunHistory::KnownCheckpoint*> ReplayPlan::CheckpointsAt(ReplayPlace place, int64_t changes) const {
  std::vector<const RunHistory::KnownCheckpoint*> found;
  const auto [first, last] = checkpoints_.equal_range(place);
  for (auto made = first; made != last; ++made) {
    if (made->second.changes == changes) found.push_back(made->second.checkpoint);
  }
  return found;
}

int ReplayPlan::ReturnsTo(ReplayPlace place) const {
  return static_cast<int>(std::count(returns_.begin(), returns_.end(), place));
}

}  // namespace pilothouse::trainer
