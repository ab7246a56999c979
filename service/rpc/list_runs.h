// Paging of ListRuns. Pure.
#ifndef PILOTHOUSE_SERVICE_RPC_LIST_RUNS_H_
#define PILOTHOUSE_SERVICE_RPC_LIST_RUNS_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::service {

inline constexpr int kDefaultPageSize = 100;
inline constexpr int kMaxPageSize = 1000;

// The page of `runs` (newest first) that `request` asks for. A page token names the last run of the page before, so
// runs started or ended between two pages neither repeat nor hide others. SPEC_INVALID for a page size outside 0 …
// 1,000 or a token that names no run.
absl::StatusOr<v1::ListRunsResponse> PageOfRuns(const std::vector<std::shared_ptr<const v1::Run>>& runs,
                                                const v1::ListRunsRequest& request);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_LIST_RUNS_H_
