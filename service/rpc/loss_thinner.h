// Thins a curve of losses to a number of points that keeps its extremes. Pure.
#ifndef PILOTHOUSE_SERVICE_RPC_LOSS_THINNER_H_
#define PILOTHOUSE_SERVICE_RPC_LOSS_THINNER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pilothouse::service {

// Sees every loss once and keeps memory for `max_points` of them. What is chosen depends on nothing but the losses.
//
// Kept are the first and the last, and of each of a number of stretches of equal length the least and the greatest (of
// equals, the first and the last); then, where there is room, losses that are NaN or infinite, evenly over all of them,
// for a quarter of the points at least. Of no more losses than points, all are kept. Not thread-safe.
class LossThinner {
 public:
  // 2 or more.
  explicit LossThinner(size_t max_points) : max_points_(max_points) {}

  // REQUIRES: `sequence` is higher than that of the loss before.
  void Add(uint64_t sequence, double value);

  // Sequences, ascending; at most max_points.
  std::vector<uint64_t> Chosen() const;

 private:
  struct Extreme {
    uint64_t sequence;
    double value;
  };
  struct Stretch {
    Extreme least;
    Extreme greatest;
    uint64_t losses;
  };

  void AddFinite(Extreme loss);
  void AddOdd(uint64_t sequence);
  static void Widen(Stretch& stretch, const Stretch& next);
  // Makes one stretch of every two.
  static void Halve(std::vector<Stretch>& stretches);

  const size_t max_points_;
  uint64_t losses_ = 0;
  // The first max_points.
  std::vector<uint64_t> all_;
  uint64_t last_ = 0;
  std::vector<Stretch> stretches_;
  uint64_t stretch_length_ = 2;
  // Every odd_stride_-th of those that are NaN or infinite.
  std::vector<uint64_t> odd_;
  uint64_t odd_stride_ = 1;
  uint64_t odd_seen_ = 0;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_LOSS_THINNER_H_
