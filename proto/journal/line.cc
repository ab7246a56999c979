#include "proto/journal/line.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/text.h"

namespace pilothouse {
namespace {

// Of more branches, the newest are named.
constexpr size_t kMaxNamedBranches = 50;
constexpr size_t kShownNameBytes = 100;

}  // namespace

absl::Status BranchNotFound(absl::string_view asked, std::vector<std::string> known) {
  if (known.size() > kMaxNamedBranches) known.erase(known.begin(), known.end() - kMaxNamedBranches);
  const std::string shown = Shortened(asked, kShownNameBytes);
  const std::string names = absl::StrJoin(known, ", ");
  return MakeError(v1::ERROR_REASON_BRANCH_NOT_FOUND, "branch",
                   absl::StrCat("The run has no branch \"", shown, "\"; ",
                                names.empty() ? "it was never taken back." : absl::StrCat("it has ", names, "."),
                                " Its present line has no name: leave the branch out."),
                   {{"branch", shown}, {"known", names}});
}

Line::Line(std::vector<RewindMark> rewinds, uint64_t end)
    : rewinds_(std::move(rewinds)), limits_(rewinds_.size()), end_(end) {
  int64_t limit = std::numeric_limits<int64_t>::max();
  for (size_t i = rewinds_.size(); i-- > 0;) {
    limit = std::min(limit, rewinds_[i].batch);
    limits_[i] = limit;
  }
}

std::optional<Line> Line::OfBranch(const std::vector<RewindMark>& rewinds, absl::string_view branch) {
  const auto left =
      std::find_if(rewinds.begin(), rewinds.end(), [&](const RewindMark& rewind) { return rewind.branch == branch; });
  if (left == rewinds.end()) return std::nullopt;
  return Line({rewinds.begin(), left}, left->sequence);
}

bool Line::ContainsAfter(size_t rewinds, int64_t batch) const {
  return rewinds >= limits_.size() || batch <= limits_[rewinds];
}

bool Line::Contains(uint64_t sequence, int64_t batch) const {
  if (sequence >= end_) return false;
  const auto next = std::upper_bound(rewinds_.begin(), rewinds_.end(), sequence,
                                     [](uint64_t value, const RewindMark& rewind) { return value < rewind.sequence; });
  return ContainsAfter(static_cast<size_t>(next - rewinds_.begin()), batch);
}

bool Line::Contains(const v1::Event& event) const {
  if (event.control().change().has_rewind()) {
    // It is told at the batch that it leaves, and belongs to the one that it leads to.
    return Contains(event.sequence(), static_cast<int64_t>(event.control().value()));
  }
  if (!event.has_checkpoint()) return Contains(event.sequence(), event.batch());
  // The event may come after the control that took the run back.
  const auto rewinds = static_cast<size_t>(std::max<int64_t>(event.checkpoint().line(), 0));
  if (end_ != kNoEnd && rewinds > rewinds_.size()) return false;
  return ContainsAfter(rewinds, event.checkpoint().batch());
}

int64_t BatchOf(const v1::Event& event) { return event.has_checkpoint() ? event.checkpoint().batch() : event.batch(); }

}  // namespace pilothouse
