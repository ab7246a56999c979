// Controls that are in the journal and are not answered yet, because what they ask for takes longer than one boundary:
// a stop, until the run has stopped; a checkpoint, until it is written; taking the run back, until it is there. Used by
// one thread.
#ifndef PILOTHOUSE_SERVICE_RUNS_LATE_ANSWERS_H_
#define PILOTHOUSE_SERVICE_RUNS_LATE_ANSWERS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "service/runs/pending_controls.h"

namespace pilothouse::service {

// What this control asks for is done only when another event says so.
bool IsAnsweredLate(const v1::Change& change);

class LateAnswers {
 public:
  struct Answer {
    std::string request_id;
    absl::StatusOr<ControlOutcome> outcome;
  };

  // REQUIRES: IsAnsweredLate(change).
  void Add(const v1::Change& change, const v1::Receipt& receipt);
  bool Contains(const std::string& request_id) const { return waiting_.contains(request_id); }

  // The answers that `event`, which is journaled, brings. `run` is as it is after the event.
  std::vector<Answer> OnEvent(const v1::Event& event, const v1::Run& run);
  // A new trainer ends a run that was to be stopped, but knows nothing of checkpoints that were being written, and is
  // where the run was taken back to when it is back at all.
  void OnNewTrainer();

 private:
  struct Waiting {
    v1::Change::KindCase kind;
    v1::Receipt receipt;
  };

  std::map<std::string, Waiting> waiting_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_LATE_ANSWERS_H_
