// When a run's checkpoints are made, what is in them, and what is said about them.
#ifndef PILOTHOUSE_TRAINER_LOOP_CHECKPOINTER_H_
#define PILOTHOUSE_TRAINER_LOOP_CHECKPOINTER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/control.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/learner_view.h"
#include "trainer/loop/loop_options.h"
#include "trainer/loop/mailbox.h"
#include "trainer/loop/reporter.h"
#include "trainer/loop/run_state.h"
#include "trainer/loop/wish_names.h"
#include "trainer/plugin/plugin_host.h"

namespace pilothouse::trainer {

// All that a run has to remember.
struct RunParts {
  Learner& learner;
  RunState& state;
  LearnerView& view;
  PluginHost& plugins;
  WishNames& wishes;

  SavedState Save() const;
  // All but the learner's, added to it.
  void SaveRest(SavedState& saved) const;
  // On an error, what was restored before it stays: the run is not to be used.
  absl::Status Restore(const SavedState& saved);
};

// Used on the training thread, which is held up only while the state is copied.
class Checkpointer {
 public:
  // What is referred to outlives the checkpointer. Outcomes of writing come as letters.
  Checkpointer(const LoopOptions& options, RunParts parts, Reporter& reporter, Mailbox& mailbox, Clock& clock);

  // The next batch at which one is due whatever the time is; the moment from which on one is due whatever the batch is.
  int64_t NextBatch() const;
  TimePoint NextMoment() const;

  // A control asks for one at this boundary: it is applied, or refused, at the boundary's end. `applied`: it was in the
  // past, and only the checkpoint is missing.
  void Ask(Control control, bool applied);
  // Gives back those that still wait, or refuses them.
  std::vector<Control> TakeAsked();
  void RefuseAsked(const absl::Status& why);
  // At the end of a boundary, when the next batch is about to be trained: makes the one that is due or was asked for.
  void AtBoundary();
  // To be given what the store says. Reports it.
  void OnOutcome(CheckpointOutcome outcome);
  // Writes one now, while training waits, and leaves it to the caller when to report it. Those before it are written by
  // then, and reported.
  CheckpointOutcome WriteNow(bool pin);
  // Tells of an outcome.
  void Report(CheckpointOutcome outcome);

 private:
  bool Due() const;
  bool Changed() const { return parts_.state.batch != last_batch_ || reporter_.controls() != last_controls_; }
  // Another can be given to the store. Only the store knows whether its thread has begun with the last one.
  bool room() const { return under_way_ == 0 || store_.CanTake(); }
  void ApplyAsked();
  CheckpointRequest Request(bool pin);
  void Submit(CheckpointRequest request);

  const LoopOptions& options_;
  RunParts parts_;
  Reporter& reporter_;
  Mailbox& mailbox_;
  Clock& clock_;
  // By a former loop of this process.
  const int64_t recorded_before_;
  // Where the last one was made.
  int64_t last_batch_ = -1;
  int64_t last_controls_ = 0;
  TimePoint last_time_;
  // The run has come back: soon it is to have a checkpoint of where it is now, by the time as it passes now.
  bool due_now_ = false;
  // Submitted, and nothing heard of them yet.
  int under_way_ = 0;
  struct Asked {
    Control control;
    bool applied = false;
  };
  std::vector<Asked> asked_;
  // One checkpoint may answer several who asked at the same boundary: by the request_id it goes by, those of the
  // others.
  std::map<std::string, std::vector<std::string>> others_;
  // Last, so that it ends before anything its outcomes need.
  CheckpointStore store_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CHECKPOINTER_H_
