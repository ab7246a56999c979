// A curve drawn with characters. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_CURVE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_CURVE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pilothouse::client {

struct CurvePoint {
  int64_t batch;
  double loss;
};

// The losses of a run in bounded memory: when it is full, every other point is dropped, and later ones are taken at the
// same, wider spacing. The newest point is always there.
class LossHistory {
 public:
  static constexpr size_t kMaxPoints = 4096;

  // A lower batch than the last means that the run was taken back: later points go.
  void Add(int64_t batch, double loss);
  // Drops the points of later batches.
  void GoBackTo(int64_t batch);
  const std::vector<CurvePoint>& points() const { return points_; }

 private:
  std::vector<CurvePoint> points_;
  // Only every stride_-th point stays.
  int64_t stride_ = 1;
  int64_t added_ = 0;
};

struct Curve {
  // Top to bottom, each `width` columns.
  std::vector<std::string> rows;
  // What the upper and the lower edge stand for. 0 without any finite point.
  double maximum = 0;
  double minimum = 0;
  // The vertical scale is logarithmic, since the losses spread over more than a decade.
  bool logarithmic = false;
};

// Draws the finite points, spread evenly over the batches, `width` columns by `height` rows. A column shows the mean of
// its points, or the one before where it has none. `unicode`: with block characters; otherwise in ASCII.
Curve DrawCurve(const std::vector<CurvePoint>& points, int width, int height, bool unicode);

// A bar of `width` columns, filled to `fraction` (0 to 1).
std::string DrawBar(double fraction, int width, bool unicode);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_CURVE_H_
