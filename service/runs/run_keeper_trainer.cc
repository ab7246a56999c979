// How a keeper looks after a trainer that is not attached: it comes back, or it is gone and another one is started.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/checkpoint_events.h"
#include "service/runs/death_notice.h"
#include "service/runs/left_reports.h"
#include "service/runs/run_end.h"
#include "service/runs/run_keeper.h"

namespace pilothouse::service {

void RunKeeper::WatchOverLostTrainer(Time now) {
  if (restart_at_.has_value()) {
    if (now >= *restart_at_) StartAgain(now);
    return;
  }
  if (const std::optional<TrainerProcess::End> end = process_.Ended()) {
    return OnTrainerGone(*end, now);
  }
  // What refused to go on is gone, and another one lives.
  if (!process_.is_child()) resume_refusal_ = absl::OkStatus();
  if (run().status() == v1::RUN_STATUS_STARTING || resuming_) {
    if (now - waiting_since_ > kTrainerPatience) Kill();
  } else if (run().status() != v1::RUN_STATUS_LOST && now - waiting_since_ > kLostAfter) {
    Declare(v1::RUN_STATUS_LOST, "The connection to the trainer broke; its process lives and is expected to return.");
  }
}

bool RunKeeper::TakeLeftReports() {
  if (record_.waiting()) return false;
  const absl::StatusOr<v1::Reports> left = ReadLeftReports(place_.directory, record_.last_report());
  if (left.ok()) {
    record_.Add(*left);
    CommitReports();
    if (record_.waiting()) return false;
    RemoveLeftReports(place_.directory);
    return true;
  }
  const std::string why(left.status().message());
  // It may be readable again in a moment.
  if (ReasonOf(left.status()) != v1::ERROR_REASON_DATA_MALFORMED) {
    if (declared_ != why) Declare(v1::RUN_STATUS_LOST, why);
    return false;
  }
  NoteLoss(why);
  if (declared_ != why || !record_.status().ok()) Declare(v1::RUN_STATUS_LOST, why);
  return record_.status().ok() && SetLeftReportsAside(place_.directory).ok();
}

void RunKeeper::OnTrainerGone(const TrainerProcess::End& end, Time now) {
  // Nobody is started before there is room for what has to be journaled.
  if (!TakeLeftReports()) {
    if (started_ == nullptr && run().status() != v1::RUN_STATUS_LOST) {
      Declare(v1::RUN_STATUS_LOST, "Its trainer is gone; there is no room to record what it had to report.");
    }
    return;
  }
  process_.Reap();
  if (ended()) return;
  const std::optional<RunEnd> told = ReadRunEnd(place_.directory);
  if (!told.has_value() || started_ != nullptr) return OnDeath(end.how, now);
  v1::Run& run = record_.mutable_run();
  run.set_batch(std::max(run.batch(), told->batch));
  run.set_loss(told->loss);
  Declare(told->status, told->message);
}

void RunKeeper::OnDeath(const std::string& how, Time now) {
  if (!resume_refusal_.ok()) return Declare(v1::RUN_STATUS_FAILED, std::string(resume_refusal_.message()));
  if (data_.waiting() && !ending_) return WaitForData(now);
  Death death = {.how = how,
                 .restarts = restarts_.restarts(),
                 .most = restarts_.most(),
                 .log = LastLines(place_.log_path(), kQuotedLogLines),
                 .batch = run().batch(),
                 .checkpoint = std::nullopt};
  const bool for_good = started_ != nullptr || ending_;
  std::optional<std::chrono::milliseconds> delay;
  if (!for_good) delay = death.told_to_end() ? kFirstRestartDelay : restarts_.OnDeath(run().batch(), now);
  if (!delay.has_value()) return Fail(death);
  restart_at_ = now + *delay;
  prepared_ = false;
  death.restarts = restarts_.restarts();
  death.checkpoint = NewestGoodCheckpoint(place_, run());
  record_.mutable_run().set_restarts(death.restarts);
  if (std::exchange(quoted_log_, death.log) == death.log) death.log.clear();
  Declare(v1::RUN_STATUS_LOST, StartedAgainNotice(death));
}

void RunKeeper::Fail(const Death& death) {
  const std::string notice = FailedNotice(death);
  if (started_ == nullptr) return Declare(v1::RUN_STATUS_FAILED, notice);
  FinishStart(MakeError(v1::ERROR_REASON_TRAINER_FAILED, "", notice, {{"exit", death.how}, {"log", death.log}}));
}

void RunKeeper::WaitForData(Time now) {
  prepared_ = false;
  restart_at_ = now + kDataInterval;
  const std::string why =
      absl::StrCat(data_.why().message(), " The run goes on when its data are there again; a stop ends it.");
  if (declared_ != why) Declare(v1::RUN_STATUS_LOST, why);
}

bool RunKeeper::waits_for_data() const { return restart_at_.has_value() && data_.waiting(); }

void RunKeeper::StopWithoutTrainer(const v1::Control& control) {
  const RunRecord::Events events = record_.Stop(control);
  if (events.empty()) return desk_.OnRefused(control.request_id(), record_.status());
  restart_at_.reset();
  AfterCommit(events);
}

void RunKeeper::StartAgain(Time now) {
  restart_at_.reset();
  absl::StatusOr<DataPaths> data = data_.Look();
  if (!data.ok()) return WaitForData(now);
  place_.data = *std::move(data);
  resuming_ = true;
  waiting_since_ = now;
  process_.ForgetProbes();
  desk_.OnNewTrainer();
  if (absl::Status child = process_.Start(); !child.ok()) OnDeath(std::string(child.message()), now);
}

}  // namespace pilothouse::service
