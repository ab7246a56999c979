// The process of a run's trainer: this service's child, or a former service's, known only by the lock it holds.
#ifndef PILOTHOUSE_SERVICE_RUNS_TRAINER_PROCESS_H_
#define PILOTHOUSE_SERVICE_RUNS_TRAINER_PROCESS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "service/runs/process.h"
#include "service/runs/run_place.h"

namespace pilothouse::service {

// Used by one thread. Destroying the object leaves the process running.
class TrainerProcess {
 public:
  struct End {
    // "exit code 1". Empty: it was not this service's child and was killed, so that nobody saw how it ended.
    std::string how;
  };

  explicit TrainerProcess(RunPlace place) : place_(std::move(place)) {}

  // Starts it as a child. Fails with TRAINER_FAILED.
  absl::Status Start();
  // As its Hello said.
  void SetId(int64_t process_id) { process_id_ = process_id; }

  // A child that was not seen to end yet.
  bool is_child() const { return child_.has_value(); }
  // For a child: whether it has ended, and how. Otherwise, and for a child that found another process at work: whether
  // the trainer's lock was free at this call and at the one before it. ForgetProbes begins anew.
  std::optional<End> Ended();
  // Its lock was free at the last call: the next one is worth making soon.
  bool seems_gone() const { return unlocked_probes_ > 0; }
  void ForgetProbes() { unlocked_probes_ = 0; }
  // Forgets a child that has ended.
  void Reap();
  void Kill();

 private:
  const RunPlace place_;
  std::optional<ChildProcess> child_;
  // 0: unknown.
  int64_t process_id_ = 0;
  int unlocked_probes_ = 0;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_TRAINER_PROCESS_H_
