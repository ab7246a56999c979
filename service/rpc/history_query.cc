#include "service/rpc/history_query.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/journal/checksum.h"
#include "proto/support/error.h"
#include "service/watch/watch_options.h"

namespace pilothouse::service {
namespace {

constexpr char kEveryLine[] = "*";

absl::Status RangeInvalid(absl::string_view field, int64_t value, absl::string_view sentence) {
  return MakeError(v1::ERROR_REASON_HISTORY_RANGE_INVALID, field, sentence, {{"value", absl::StrCat(value)}});
}

absl::Status CheckBatches(const v1::ReadHistoryRequest& request) {
  if (request.has_first_batch() && request.first_batch() < 0) {
    return RangeInvalid("first_batch", request.first_batch(),
                        absl::StrCat("first_batch must be 0 or more; got ", request.first_batch(), "."));
  }
  const int64_t first = request.first_batch();
  if (!request.has_last_batch() || request.last_batch() >= first) return absl::OkStatus();
  return RangeInvalid("last_batch", request.last_batch(),
                      absl::StrCat("last_batch must not lie before first_batch, which is ", first, "; got ",
                                   request.last_batch(), "."));
}

absl::Status CheckSizes(const v1::ReadHistoryRequest& request) {
  const int points = request.max_points();
  if (points != 0 && (points < kMinHistoryPoints || points > kMaxHistoryPoints)) {
    return RangeInvalid("max_points", points,
                        absl::StrCat("max_points must lie between ", kMinHistoryPoints, " and ", kMaxHistoryPoints,
                                     ", or be 0 for all; got ", points, "."));
  }
  if (request.page_size() >= 0 && request.page_size() <= kMaxHistoryPageSize) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_SPEC_INVALID, "page_size",
      absl::StrCat("page_size must lie between 0 and ", kMaxHistoryPageSize, "; got ", request.page_size(), "."));
}

absl::StatusOr<HistoryPosition> ParseToken(const std::string& token, uint32_t fingerprint) {
  const std::vector<std::string> parts = absl::StrSplit(token, '-');
  uint64_t print = 0;
  HistoryPosition position;
  const bool read = parts.size() == 3 && absl::SimpleHexAtoi(parts[0], &print) &&
                    absl::SimpleHexAtoi(parts[1], &position.end) && absl::SimpleHexAtoi(parts[2], &position.after);
  if (!read || print != fingerprint || position.after >= position.end) return UnknownHistoryToken();
  return position;
}

}  // namespace

absl::Status UnknownHistoryToken() {
  return MakeError(v1::ERROR_REASON_HISTORY_RANGE_INVALID, "page_token",
                   "This page_token is of another request, or of another run; begin again with the first page, and "
                   "change nothing but the page_token from page to page.",
                   {{"value", "page_token"}});
}

absl::StatusOr<HistoryQuery> ParseHistoryRequest(const v1::ReadHistoryRequest& request) {
  if (absl::Status batches = CheckBatches(request); !batches.ok()) return batches;
  if (absl::Status sizes = CheckSizes(request); !sizes.ok()) return sizes;
  const absl::StatusOr<EventKindSet> kinds = ParseEventKinds(request.kinds());
  if (!kinds.ok()) return kinds.status();
  HistoryQuery query;
  query.filter.kinds = *kinds;
  if (request.has_first_batch()) query.filter.first_batch = request.first_batch();
  if (request.has_last_batch()) query.filter.last_batch = request.last_batch();
  query.branch = request.branch();
  query.max_points = kinds->Contains(v1::EVENT_KIND_LOSS) ? request.max_points() : 0;
  if (request.page_size() != 0) query.page_size = request.page_size();
  v1::ReadHistoryRequest same = request;
  same.clear_page_token();
  query.fingerprint = static_cast<uint32_t>(Checksum({}, {same.SerializeAsString()}));
  if (request.page_token().empty()) return query;
  const absl::StatusOr<HistoryPosition> position = ParseToken(request.page_token(), query.fingerprint);
  if (!position.ok()) return position.status();
  query.position = *position;
  return query;
}

std::string HistoryToken(const HistoryQuery& query, const HistoryPosition& position) {
  return absl::StrCat(absl::Hex(query.fingerprint), "-", absl::Hex(position.end), "-", absl::Hex(position.after));
}

absl::StatusOr<Line> FindLine(const std::string& branch, const std::vector<RewindMark>& rewinds) {
  if (branch == kEveryLine) return Line::Everything();
  if (branch.empty()) return Line::Present(rewinds);
  if (std::optional<Line> line = Line::OfBranch(rewinds, branch); line.has_value()) return *std::move(line);
  std::vector<std::string> known;
  for (const RewindMark& rewind : rewinds) known.push_back(rewind.branch);
  return BranchNotFound(branch, std::move(known));
}

}  // namespace pilothouse::service
