// Names of runs: [a-z0-9][a-z0-9-]{0,62}. They are folder names and are typed by people. Pure and thread-safe.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_ID_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_ID_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace pilothouse::service {

// Whether it is such a name. Those of plugins are made alike.
bool IsName(absl::string_view name);

// OK, or RUN_ID_INVALID blaming the field "run_id".
absl::Status CheckRunId(absl::string_view run_id);

// A pronounceable name such as "calm-harbor-417", the same for the same `random`.
std::string MakeRunId(uint64_t random);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_ID_H_
