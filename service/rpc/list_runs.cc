#include "service/rpc/list_runs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::service {

absl::StatusOr<v1::ListRunsResponse> PageOfRuns(const std::vector<std::shared_ptr<const v1::Run>>& runs,
                                                const v1::ListRunsRequest& request) {
  if (request.page_size() < 0 || request.page_size() > kMaxPageSize) {
    return MakeError(
        v1::ERROR_REASON_SPEC_INVALID, "page_size",
        absl::StrCat("page_size must lie between 0 and ", kMaxPageSize, "; got ", request.page_size(), "."));
  }
  auto next = runs.begin();
  if (!request.page_token().empty()) {
    next =
        std::find_if(runs.begin(), runs.end(), [&](const auto& run) { return run->run_id() == request.page_token(); });
    if (next == runs.end()) {
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, "page_token",
                       "This page_token is unknown; begin again with the first page.");
    }
    ++next;
  }
  const int page_size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  v1::ListRunsResponse response;
  for (; next != runs.end() && response.runs_size() < page_size; ++next) {
    v1::Run& run = *response.add_runs();
    run = **next;
    run.clear_spec();
    run.clear_facts();
    run.clear_plugins();
  }
  if (next != runs.end()) response.set_next_page_token(response.runs(response.runs_size() - 1).run_id());
  return response;
}

}  // namespace pilothouse::service
