#include "trainer/channel/run_past.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/support/log.h"
#include "trainer/channel/run_history.h"

namespace pilothouse::trainer {
std::string BeginningOf(const ResumePlan& plan) {
  if (plan.checkpoint == nullptr) return "the run's beginning";
  return absl::StrCat("the checkpoint of batch ", plan.checkpoint->texts.at("batch"));
}

void LogDamaged(const std::vector<std::string>& damaged) {
  for (const std::string& one : damaged) Log(one);
}

absl::Status AddPast(int64_t seen_batch, LoopOptions& options) {
  const absl::StatusOr<RunHistory> history = RunHistory::Read(options.directory);
  if (!history.ok()) return history.status();
  std::vector<std::string> damaged;
  absl::StatusOr<ResumePlan> plan = history->PlanResume(seen_batch, damaged);
  LogDamaged(damaged);
  if (!plan.ok()) return plan.status();
  const std::string how = absl::StrCat("goes on at batch ", plan->through_batch, " from ", BeginningOf(*plan));
  Log(how);
  plan->message = plan->pause ? absl::StrCat("The run was taken back to batch ", plan->through_batch, ".")
                              : absl::StrCat("The trainer was started again; the run ", how, ".");
  for (const std::string& one : damaged) absl::StrAppend(&plan->message, " ", one);
  options.resume = std::make_shared<const ResumePlan>(*std::move(plan));
  return absl::OkStatus();
}

}  // namespace pilothouse::trainer
