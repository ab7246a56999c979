// What a ReadHistory asks for, checked, and the tokens that lead from page to page. Pure and thread-safe.
#ifndef PILOTHOUSE_SERVICE_RPC_HISTORY_QUERY_H_
#define PILOTHOUSE_SERVICE_RPC_HISTORY_QUERY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/training_control.pb.h"
#include "proto/journal/journal_reader.h"

namespace pilothouse::service {

inline constexpr int kMinHistoryPoints = 2;
inline constexpr int kMaxHistoryPoints = 100'000;
inline constexpr int kMaxHistoryPageSize = 10'000;
inline constexpr int kDefaultHistoryPageSize = 1'000;

// Where the next page begins. All pages show the run as it was when the first was read.
struct HistoryPosition {
  // Events up to this one are in the pages before.
  uint64_t after = 0;
  // The run's newest event when the first page was read.
  uint64_t end = 0;
};

struct HistoryQuery {
  // Of every event; the line is not known yet.
  EventFilter filter;
  std::string branch;
  // 0: losses are not thinned.
  int max_points = 0;
  int page_size = kDefaultHistoryPageSize;
  // Unset: the first page.
  std::optional<HistoryPosition> position;
  // Of everything that must be the same for all pages.
  uint32_t fingerprint = 0;
};

// HISTORY_RANGE_INVALID, and SPEC_INVALID for kinds and page_size. Whether there is such a run or branch is not
// checked.
absl::StatusOr<HistoryQuery> ParseHistoryRequest(const v1::ReadHistoryRequest& request);

// The token that ParseHistoryRequest reads again.
std::string HistoryToken(const HistoryQuery& query, const HistoryPosition& position);

// HISTORY_RANGE_INVALID: the token leads nowhere in this run.
absl::Status UnknownHistoryToken();

// The line with the name (empty: the present one; "*": everything), of a run that was taken back so. BRANCH_NOT_FOUND.
absl::StatusOr<Line> FindLine(const std::string& branch, const std::vector<RewindMark>& rewinds);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_HISTORY_QUERY_H_
