// Which events of a run belong together. A run that is taken back goes on from an earlier batch, in the same journal:
// what came after that batch is a branch from then on, and what leads to where the run is now is its present line.
// Values; pure and thread-safe.
#ifndef PILOTHOUSE_PROTO_JOURNAL_LINE_H_
#define PILOTHOUSE_PROTO_JOURNAL_LINE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/event.pb.h"

namespace pilothouse {

// The run was taken back by the control of this sequence.
struct RewindMark {
  uint64_t sequence = 0;
  // To the state after this batch.
  int64_t batch = 0;
  // What was left is called so.
  std::string branch;
};

// BRANCH_NOT_FOUND: a run has no branch of the name `asked`. `known` are those that it has, the oldest first.
absl::Status BranchNotFound(absl::string_view asked, std::vector<std::string> known);

class Line {
 public:
  // Every event, whatever it belongs to.
  static Line Everything() { return Line({}, kNoEnd); }
  // `rewinds` are all of the run, oldest first.
  static Line Present(std::vector<RewindMark> rewinds) { return Line(std::move(rewinds), kNoEnd); }
  // The line as it was when the run was taken back from the branch, without the control that did so. nullopt: there is
  // no such branch.
  static std::optional<Line> OfBranch(const std::vector<RewindMark>& rewinds, absl::string_view branch);

  // An event of any kind but CHECKPOINT, of this sequence and batch.
  bool Contains(uint64_t sequence, int64_t batch) const;
  // A checkpoint belongs to the line it is the state of, although it may have been written later.
  bool Contains(const v1::Event& event) const;

 private:
  static constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

  Line(std::vector<RewindMark> rewinds, uint64_t end);

  // `rewinds` rewinds had been made before it.
  bool ContainsAfter(size_t rewinds, int64_t batch) const;

  std::vector<RewindMark> rewinds_;
  // limits_[i]: the last batch of the line that was reported before rewinds_[i].
  std::vector<int64_t> limits_;
  // Events from this sequence on came after the line.
  uint64_t end_;
};

// The batch that an event is about: of a checkpoint, that whose state it holds; else the event's.
int64_t BatchOf(const v1::Event& event);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_LINE_H_
