#include "trainer/plugin/time_set.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>

#include "trainer/plugin/schedule.h"

namespace pilothouse::trainer {
namespace {

std::vector<Ticks> Sorted(std::vector<Ticks> times) {
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  return times;
}

std::vector<Ticks> Merged(const std::vector<Ticks>& a, const std::vector<Ticks>& b) {
  std::vector<Ticks> merged;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(merged));
  return merged;
}

// Least common multiple; kNever above kMaxTicks.
Ticks CommonMultiple(Ticks a, Ticks b) {
  const Ticks factor = b / std::gcd(a, b);
  return a > kMaxTicks / factor ? kNever : a * factor;
}

// Adds to `reduced` what the multipliers `skipped`, told in multiples of a step, are in multiples of `growth` steps.
void AppendReduced(const std::vector<int64_t>& skipped, int64_t growth, std::vector<int64_t>& reduced) {
  for (const int64_t multiplier : skipped) reduced.push_back(multiplier / std::gcd(multiplier, growth));
}

// Drops what another one includes, so that each number tells something.
std::vector<int64_t> WithoutMultiples(std::vector<int64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::vector<int64_t> kept;
  for (const int64_t number : numbers) {
    const auto divides = [&](int64_t other) { return number % other == 0; };
    if (std::none_of(kept.begin(), kept.end(), divides)) kept.push_back(number);
  }
  return kept;
}

}  // namespace

TimeSet TimeSet::Range(Ticks first, Ticks last) {
  TimeSet set;
  Piece piece;
  piece.first = first;
  piece.last = last;
  set.Add(std::move(piece));
  return set;
}

TimeSet TimeSet::Multiples(Ticks step) {
  TimeSet set;
  Piece piece;
  piece.step = step;
  set.Add(std::move(piece));
  return set;
}

TimeSet TimeSet::AllButMultiples(Ticks step) {
  TimeSet set;
  Piece piece;
  piece.skipped = {step};
  set.Add(std::move(piece));
  return set;
}

TimeSet TimeSet::Points(std::vector<Ticks> points) {
  TimeSet set;
  set.points_ = Sorted(std::move(points));
  return set;
}

TimeSet TimeSet::AllBut(std::vector<Ticks> points) {
  TimeSet set;
  Piece piece;
  piece.left_out = Sorted(std::move(points));
  set.Add(std::move(piece));
  return set;
}

std::optional<TimeSet> TimeSet::Either(const TimeSet& a, const TimeSet& b) {
  if (a.pieces_.size() + b.pieces_.size() > size_t{kMaxSchedulePieces}) return std::nullopt;
  TimeSet set = a;
  set.points_ = Merged(a.points_, b.points_);
  set.pieces_.insert(set.pieces_.end(), b.pieces_.begin(), b.pieces_.end());
  set.DropDoubles();
  return set;
}

std::optional<TimeSet> TimeSet::Both(const TimeSet& a, const TimeSet& b) {
  // Most pairs may turn out to be empty, but somebody has to find out.
  if (a.pieces_.size() * b.pieces_.size() > size_t{kMaxSchedulePieces}) return std::nullopt;
  TimeSet set;
  const auto keep = [&set](const std::vector<Ticks>& points, const TimeSet& other) {
    std::copy_if(points.begin(), points.end(), std::back_inserter(set.points_),
                 [&other](Ticks time) { return other.Contains(time); });
  };
  keep(a.points_, b);
  keep(b.points_, a);
  for (const Piece& piece : a.pieces_) {
    for (const Piece& other : b.pieces_) {
      if (std::optional<Piece> both = Both(piece, other)) {
        set.Add(*std::move(both));
      } else if (piece.NextAfter(-1) == 0 && other.NextAfter(-1) == 0) {
        // Of multiples of more than kMaxTicks, only 0 is a time.
        set.points_.push_back(0);
      }
    }
  }
  set.points_ = Sorted(std::move(set.points_));
  set.DropDoubles();
  return set;
}

Ticks TimeSet::NextAfter(Ticks time) const {
  const auto point = std::upper_bound(points_.begin(), points_.end(), time);
  Ticks next = point == points_.end() ? kNever : *point;
  for (const Piece& piece : pieces_) next = std::min(next, piece.NextAfter(time));
  return next;
}

bool TimeSet::Piece::operator<(const Piece& other) const {
  return std::tie(step, first, last, skipped, left_out) <
         std::tie(other.step, other.first, other.last, other.skipped, other.left_out);
}

Ticks TimeSet::Piece::NextAfter(Ticks time) const {
  if (time >= last) return kNever;
  const Ticks from = std::max(time + 1, first);
  // This ends soon. A run of multipliers that are all skipped is a run of numbers each of which is divisible by one of
  // n primes (one out of each of `skipped`); its length is below Jacobsthal's function, which is finite, grows like
  // (n log n)² (Iwaniec 1978), and is 46 for 10 primes, 742 for 49. A schedule's text has room for about a hundred. On
  // top of these come the times left out, of which the text has room for some hundreds.
  for (int64_t k = from / step + (from % step != 0 ? 1 : 0); k <= last / step; ++k) {
    const auto divides = [k](int64_t multiplier) { return k % multiplier == 0; };
    if (std::any_of(skipped.begin(), skipped.end(), divides)) continue;
    if (!std::binary_search(left_out.begin(), left_out.end(), k * step)) return k * step;
  }
  return kNever;
}

// nullopt: the step is above kMaxTicks.
std::optional<TimeSet::Piece> TimeSet::Both(const Piece& a, const Piece& b) {
  Piece both;
  both.step = CommonMultiple(a.step, b.step);
  if (both.step == kNever) return std::nullopt;
  both.first = std::max(a.first, b.first);
  both.last = std::min(a.last, b.last);
  AppendReduced(a.skipped, both.step / a.step, both.skipped);
  AppendReduced(b.skipped, both.step / b.step, both.skipped);
  both.skipped = WithoutMultiples(std::move(both.skipped));
  both.left_out = Merged(a.left_out, b.left_out);
  return both;
}

void TimeSet::Add(Piece piece) {
  // Every multiple is one of 1: without this, asking an empty set would mean counting to kMaxTicks.
  const bool skips_all = !piece.skipped.empty() && piece.skipped.front() == 1;
  if (!skips_all && piece.NextAfter(-1) != kNever) pieces_.push_back(std::move(piece));
}

void TimeSet::DropDoubles() {
  const auto same = [](const Piece& a, const Piece& b) { return !(a < b) && !(b < a); };
  std::sort(pieces_.begin(), pieces_.end());
  pieces_.erase(std::unique(pieces_.begin(), pieces_.end(), same), pieces_.end());
}

}  // namespace pilothouse::trainer
