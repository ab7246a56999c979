#include "trainer/channel/run_lines.h"

#include <algorithm>
#include <limits>

namespace pilothouse::trainer {

RunLine::RunLine(const std::vector<KnownRewind>& rewinds, int64_t line)
    : line_(line), last_batches_(static_cast<size_t>(line) + 1, std::numeric_limits<int64_t>::max()) {
  for (size_t stretch = static_cast<size_t>(line); stretch > 0; --stretch) {
    last_batches_[stretch - 1] = std::min(last_batches_[stretch], rewinds[stretch - 1].to_batch);
  }
}

int64_t StretchOf(const std::vector<KnownRewind>& rewinds, uint64_t sequence) {
  const auto first_not_before =
      std::lower_bound(rewinds.begin(), rewinds.end(), sequence,
                       [](const KnownRewind& rewind, uint64_t wanted) { return rewind.sequence < wanted; });
  return first_not_before - rewinds.begin();
}

}  // namespace pilothouse::trainer
