#include "clients/cpp/pilot/curve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace pilothouse::client {
namespace {

constexpr const char* kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr const char* kAsciiBlocks[] = {" ", ".", ":", "#"};
constexpr const char* kPartialBlocks[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
// From this ratio of largest to smallest loss on, a linear curve hides what happens at the bottom.
constexpr double kLogarithmicFrom = 10.0;

// The mean of each column's finite points; columns without any continue the one before.
std::vector<std::optional<double>> ToColumns(const std::vector<CurvePoint>& points, int width) {
  std::vector<double> sums(width, 0.0);
  std::vector<int> counts(width, 0);
  const int64_t first = points.front().batch;
  const double span = std::max<double>(1.0, static_cast<double>(points.back().batch - first));
  for (const CurvePoint& point : points) {
    if (!std::isfinite(point.loss)) continue;
    const double at = static_cast<double>(point.batch - first) / span * (width - 1);
    const int column = std::clamp(static_cast<int>(std::lround(at)), 0, width - 1);
    sums[column] += point.loss;
    ++counts[column];
  }
  std::vector<std::optional<double>> columns(width);
  for (int i = 0; i < width; ++i) {
    if (counts[i] > 0) {
      columns[i] = sums[i] / counts[i];
    } else if (i > 0) {
      columns[i] = columns[i - 1];
    }
  }
  return columns;
}

// How high a value stands, from 0 at the minimum to 1 at the maximum.
double Height(double value, const Curve& curve) {
  const auto scale = [&curve](double x) { return curve.logarithmic ? std::log(x) : x; };
  const double range = scale(curve.maximum) - scale(curve.minimum);
  return range > 0 ? (scale(value) - scale(curve.minimum)) / range : 0.5;
}

}  // namespace

void LossHistory::GoBackTo(int64_t batch) {
  while (!points_.empty() && points_.back().batch > batch) points_.pop_back();
  // The newest that is left stays, and later ones are taken at the same spacing.
  added_ = points_.empty() ? 0 : 1;
}

void LossHistory::Add(int64_t batch, double loss) {
  if (!points_.empty() && batch < points_.back().batch) GoBackTo(batch);
  // The newest point stands last whether or not it is to stay.
  if (!points_.empty() && (added_ - 1) % stride_ != 0) points_.pop_back();
  points_.push_back({batch, loss});
  ++added_;
  if (points_.size() < kMaxPoints) return;
  for (size_t i = 0; i < kMaxPoints / 2; ++i) points_[i] = points_[2 * i];
  const CurvePoint newest = points_.back();
  points_.resize(kMaxPoints / 2);
  points_.push_back(newest);
  stride_ *= 2;
}

Curve DrawCurve(const std::vector<CurvePoint>& points, int width, int height, bool unicode) {
  Curve curve;
  if (points.empty() || width < 1 || height < 1) return curve;
  const std::vector<std::optional<double>> columns = ToColumns(points, width);
  double minimum = std::numeric_limits<double>::infinity();
  double maximum = -minimum;
  for (const std::optional<double>& value : columns) {
    if (!value.has_value()) continue;
    minimum = std::min(minimum, *value);
    maximum = std::max(maximum, *value);
  }
  if (minimum > maximum) return curve;
  curve.minimum = minimum;
  curve.maximum = maximum;
  curve.logarithmic = minimum > 0 && maximum / minimum >= kLogarithmicFrom;
  const int steps = unicode ? 8 : 3;
  for (int row = 0; row < height; ++row) {
    std::string line;
    for (const std::optional<double>& value : columns) {
      // Every value shows at least one step, so that a minimum is told from nothing.
      const int filled =
          value.has_value() ? 1 + static_cast<int>(std::lround(Height(*value, curve) * (height * steps - 1))) : 0;
      const int here = std::clamp(filled - (height - 1 - row) * steps, 0, steps);
      line += unicode ? kBlocks[here] : kAsciiBlocks[here];
    }
    curve.rows.push_back(line);
  }
  return curve;
}

std::string DrawBar(double fraction, int width, bool unicode) {
  if (width < 1) return "";
  const double filled = std::clamp(std::isfinite(fraction) ? fraction : 0.0, 0.0, 1.0) * width;
  const int whole = static_cast<int>(filled);
  std::string bar;
  for (int i = 0; i < whole; ++i) bar += unicode ? "█" : "#";
  int used = whole;
  if (unicode && whole < width) {
    const int eighths = static_cast<int>((filled - whole) * 8);
    bar += kPartialBlocks[eighths];
    used += eighths > 0 ? 1 : 0;
  }
  for (; used < width; ++used) bar += unicode ? "░" : ".";
  return bar;
}

}  // namespace pilothouse::client
