// Sets of times in a form that is quick to ask.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_TIME_SET_H_
#define PILOTHOUSE_TRAINER_PLUGIN_TIME_SET_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// A set of times between 0 and kMaxTicks: single points, and pieces like "the multiples of 10 from 20 to 90, but not
// those of 30, and not 40". Closed under "or" and "and"; "not" exists for the sets that others are made of, which is
// enough, as the complement of a combination is the other combination of complements. Immutable; safe to use from any
// thread.
class TimeSet {
 public:
  // The set without times.
  TimeSet() = default;

  static TimeSet All() { return Range(0, kMaxTicks); }
  // Times from `first` to `last`, both included; empty if first > last. REQUIRES: first >= 0, last <= kMaxTicks.
  static TimeSet Range(Ticks first, Ticks last);
  // Multiples of `step`, with 0; and all other times. REQUIRES: step is in [1, kMaxTicks].
  static TimeSet Multiples(Ticks step);
  static TimeSet AllButMultiples(Ticks step);
  // These times, in any order; and all others. REQUIRES: all are in [0, kMaxTicks].
  static TimeSet Points(std::vector<Ticks> points);
  static TimeSet AllBut(std::vector<Ticks> points);

  // Times in either set, and times in both; nullopt if that would take, or might take, more than kMaxSchedulePieces
  // pieces.
  static std::optional<TimeSet> Either(const TimeSet& a, const TimeSet& b);
  static std::optional<TimeSet> Both(const TimeSet& a, const TimeSet& b);

  // The first time of the set after `time`; kNever if there is none.
  Ticks NextAfter(Ticks time) const;
  bool Contains(Ticks time) const { return NextAfter(time - 1) == time; }

 private:
  // The multiples k * step from first to last for which k is a multiple of none of `skipped` and which are not in
  // `left_out`. Not empty.
  struct Piece {
    Ticks step = 1;
    Ticks first = 0;
    Ticks last = kMaxTicks;
    std::vector<int64_t> skipped;  // sorted, each above 1, none a multiple of another
    std::vector<Ticks> left_out;   // sorted

    bool operator<(const Piece& other) const;
    Ticks NextAfter(Ticks time) const;
  };

  static std::optional<Piece> Both(const Piece& a, const Piece& b);
  // Adds the piece unless it is empty.
  void Add(Piece piece);
  void DropDoubles();

  std::vector<Ticks> points_;  // sorted
  std::vector<Piece> pieces_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_TIME_SET_H_
