// How a run ended, for a service that was not there to see it.
#ifndef PILOTHOUSE_TRAINER_LOOP_RUN_END_H_
#define PILOTHOUSE_TRAINER_LOOP_RUN_END_H_

#include <cstdint>
#include <string>

#include "trainer/loop/control.h"

namespace pilothouse::trainer {

inline constexpr char kRunEndFile[] = "end.json";

struct RunEnd {
  RunStatus status = RunStatus::kStopped;
  std::string message;
  int64_t batch = 0;
  double loss = -1;
};

// Writes {"status": "STOPPED", "message": "…", "batch": 50, "loss": 0.5} to end.json in the run's directory, whole or
// not at all; "loss" is null if it is not finite. A failure is logged: the run has ended all the same.
void WriteRunEnd(const std::string& directory, const RunEnd& end);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_RUN_END_H_
