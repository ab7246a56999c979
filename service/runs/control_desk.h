// The controls of one run: each is answered once, from the journal, whoever asks for it how often.
#ifndef PILOTHOUSE_SERVICE_RUNS_CONTROL_DESK_H_
#define PILOTHOUSE_SERVICE_RUNS_CONTROL_DESK_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "service/runs/late_answers.h"
#include "service/runs/pending_controls.h"
#include "service/runs/run_place.h"
#include "service/runs/run_record.h"

namespace pilothouse::service {

// Used by one thread.
class ControlDesk {
 public:
  // What it is given must outlive it.
  ControlDesk(const RunPlace& place, RunRecord& record) : place_(place), record_(record) {}

  // Answers from the journal, joins the same control under way, or hands a new one to `send`, if the trainer is
  // `reachable`.
  void Ask(const v1::Control& control, const ControlCallback& callback, const absl::Status& reachable,
           const std::function<void(const v1::Control&)>& send);
  // Queries wait beside the controls, and fail with them.
  absl::StatusOr<uint64_t> AddQuery(QueryCallback callback) { return pending_.AddQuery(std::move(callback)); }
  void AnswerQuery(uint64_t query_id, absl::StatusOr<v1::Answer> answer) {
    pending_.ResolveQuery(query_id, std::move(answer));
  }

  void FailQueries(const absl::Status& error) { pending_.FailQueries(error); }

  // The event is journaled: whoever waits for it is answered.
  void OnEvent(const v1::Event& event);
  void OnRefused(const std::string& request_id, const absl::Status& error) { pending_.Resolve(request_id, error); }
  // The run has a new trainer, which does not know what the one before was doing.
  void OnNewTrainer();
  // Answers everybody who waits with `error`.
  void FailAll(const absl::Status& error) { pending_.FailAll(error); }

 private:
  void AnswerKnown(const RecordedControl& known, const v1::Control& control, const ControlCallback& callback,
                   const absl::Status& reachable);
  void AnswerKnownCheckpoint(const RecordedControl& known, const v1::Control& control, const ControlCallback& callback,
                             const absl::Status& reachable);
  void WaitFor(const RecordedControl& known, const v1::Control& control, const ControlCallback& callback);
  // The control with all that the service adds to it, if it can be made at all.
  absl::StatusOr<v1::Control> Complete(const v1::Control& control) const;
  absl::StatusOr<std::string> NewBranch(const std::string& asked) const;
  // Controls up to this id were applied by earlier trainers.
  uint64_t earlier_trainers_through() const;
  ControlOutcome OutcomeOf(const v1::Receipt& receipt) const;

  const RunPlace& place_;
  RunRecord& record_;
  PendingControls pending_;
  LateAnswers late_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_CONTROL_DESK_H_
