// The lines of a run's past. Taking a run back makes a new line: line n is where the run was after it had been taken
// back n times. Pure.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_LINES_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_LINES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pilothouse::trainer {

// The run was taken back.
struct KnownRewind {
  // Of its event.
  uint64_t sequence = 0;
  // Where the run was, and where it went.
  int64_t from_batch = 0;
  int64_t to_batch = 0;
};

// Which part of the past leads to a place. Everything that happened between two rewinds is a stretch: stretch n begins
// with the n-th rewind, stretch 0 with the run. Immutable.
class RunLine {
 public:
  // `rewinds` are all of the run, oldest first. REQUIRES: 0 <= line <= their number.
  RunLine(const std::vector<KnownRewind>& rewinds, int64_t line);

  int64_t line() const { return line_; }
  // Whether what happened at this batch of that stretch is part of the line.
  bool Holds(int64_t stretch, int64_t batch) const {
    return stretch <= line_ && batch <= last_batches_[static_cast<size_t>(stretch)];
  }

 private:
  const int64_t line_;
  // By stretch: how much of it was not taken back later.
  std::vector<int64_t> last_batches_;
};

// In which stretch an event lies. A rewind is the last event of the stretch it ends.
int64_t StretchOf(const std::vector<KnownRewind>& rewinds, uint64_t sequence);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_LINES_H_
