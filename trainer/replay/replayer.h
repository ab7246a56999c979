// Goes through a run's events with a learner, as the run did, and compares.
#ifndef PILOTHOUSE_TRAINER_REPLAY_REPLAYER_H_
#define PILOTHOUSE_TRAINER_REPLAY_REPLAYER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "pilothouse/v1/event.pb.h"
#include "trainer/channel/run_history.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/scheduled_eta.h"
#include "trainer/replay/replay_plan.h"
#include "trainer/replay/replay_result.h"

namespace pilothouse::trainer {

// Where a learner is: which batch it has done, and what its next steps are made with.
struct LearningPosition {
  int64_t batch = 0;
  Knobs knobs;
  ScheduledEta scheduled_eta;
  // Of `batch`. Unset: not known.
  std::optional<double> loss;
};

// Not thread-safe.
class Replayer {
 public:
  // What is referred to outlives the replayer. `learner` is where `begin` says. Nothing after batch `through` is done.
  Replayer(std::string directory, const RunHistory& history, Learner& learner, const LearningPosition& begin,
           int64_t through);

  // The next event of the journal. After a difference was found, nothing is done. An error is the learner's: it could
  // not be taken back.
  absl::Status Take(const v1::Event& event);

  ReplayResult TakeResult() { return std::move(result_); }
  bool differs() const { return result_.difference.has_value(); }

 private:
  struct Snapshot {
    SavedState learner;
    LearningPosition position;
    // So many rewinds will still go back to it.
    int uses = 0;
  };

  // Trains up to a batch, and looks at checkpoints on the way.
  void Advance(int64_t batch);
  // What is to be done where the run was about to change or to go on.
  void BeforeLeaving();
  void CompareCheckpoint(const RunHistory::KnownCheckpoint& known);

  absl::Status TakeControl(const v1::Event& event);
  void SetKnob(const v1::KnobChange& change, double value);
  void ApplyParameters(const v1::Event& event);
  absl::Status TakeBack();
  void Compare(const v1::Event& event, const v1::LossReport& loss);
  void Compare(const v1::Event& event, const v1::StateReport& state);
  void Compare(const v1::Event& event, const v1::PluginReport& report);

  void Found(const v1::Event& event, std::string kind, std::string part, ReplayedValue journal, ReplayedValue replay);
  void Same(int64_t& count, int64_t batch);

  const std::string directory_;
  Learner& learner_;
  const int64_t through_;
  const ReplayPlan plan_;
  LearningPosition now_;
  // How often the run was taken back, and how often learning was changed.
  int64_t stretch_ = 0;
  int64_t changes_ = 0;
  std::map<ReplayPlace, Snapshot> snapshots_;
  // Sequences of the checkpoints that were compared.
  std::set<uint64_t> compared_;
  ReplayResult result_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_REPLAY_REPLAYER_H_
