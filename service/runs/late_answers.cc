#include "service/runs/late_answers.h"

#include <utility>

#include "proto/support/error.h"
#include "service/runs/checkpoint_events.h"
#include "service/runs/run_summary.h"

namespace pilothouse::service {
namespace {

bool IsAnsweredBy(v1::Change::KindCase kind, const v1::Event& event) {
  const v1::RunStatus status = event.status().status();
  switch (kind) {
    case v1::Change::kStop:
      return event.has_status() && IsTerminal(status);
    case v1::Change::kRewind:
      // That the trainer is away is the service's own word: it says nothing of where the run is.
      return event.has_status() && status != v1::RUN_STATUS_LOST;
    default:
      return event.has_checkpoint();
  }
}

}  // namespace

bool IsAnsweredLate(const v1::Change& change) {
  return change.has_stop() || change.has_checkpoint() || change.has_rewind();
}

void LateAnswers::Add(const v1::Change& change, const v1::Receipt& receipt) {
  waiting_[receipt.request_id()] = {change.kind_case(), receipt};
}

std::vector<LateAnswers::Answer> LateAnswers::OnEvent(const v1::Event& event, const v1::Run& run) {
  std::vector<Answer> answers;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto& [request_id, waiting] = *it;
    const bool others = event.has_checkpoint() && event.checkpoint().request_id() != request_id;
    if (others || !IsAnsweredBy(waiting.kind, event)) {
      ++it;
      continue;
    }
    absl::StatusOr<ControlOutcome> outcome =
        ControlOutcome{.receipt = waiting.receipt, .final_batch = run.batch(), .final_loss = run.loss()};
    if (event.has_checkpoint()) outcome = OutcomeOfCheckpoint(waiting.receipt, event);
    if (waiting.kind == v1::Change::kStop && run.status() == v1::RUN_STATUS_FAILED) {
      outcome = MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", run.status_message());
    }
    answers.push_back({request_id, std::move(outcome)});
    it = waiting_.erase(it);
  }
  return answers;
}

void LateAnswers::OnNewTrainer() {
  std::erase_if(waiting_, [](const auto& entry) { return entry.second.kind != v1::Change::kStop; });
}

}  // namespace pilothouse::service
