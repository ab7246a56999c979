// What a trainer leaves behind when it ends, for a service that was not there to be told.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_END_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_END_H_

#include <cstdint>
#include <optional>
#include <string>

#include "pilothouse/v1/run.pb.h"

namespace pilothouse::service {

// Name of the file in a run's directory, written whole right before the trainer's last report:
//   {"status": "COMPLETED", "message": "early-stop: …", "batch": 500, "loss": 0.25}
inline constexpr char kRunEndFile[] = "end.json";
inline constexpr int64_t kMaxRunEndBytes = 64 << 10;

struct RunEnd {
  // STOPPED, COMPLETED or FAILED.
  v1::RunStatus status = v1::RUN_STATUS_FAILED;
  std::string message;
  int64_t batch = 0;
  // NaN where the file says null, which is how JSON puts it.
  double loss = 0;
};

// nullopt if there is no such file, or it cannot be understood. Blocks on the disk.
std::optional<RunEnd> ReadRunEnd(const std::string& directory);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_END_H_
