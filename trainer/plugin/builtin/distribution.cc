#include "trainer/plugin/builtin/distribution.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace pilothouse::trainer {
namespace {

// Calls visit(x) with each of the values, as double.
template <typename Visit>
void ForEach(const NumberArray& array, int64_t offset, int64_t size, Visit visit) {
  std::visit(
      [&](const auto& values) {
        const auto* begin = values.data() + offset;
        std::for_each(begin, begin + size, [&](auto value) { visit(static_cast<double>(value)); });
      },
      array.values);
}

}  // namespace

std::optional<Distribution> Measure(const NumberArray& array, int64_t offset, int64_t size) {
  double sum = 0;
  double squares = 0;
  std::optional<std::pair<double, double>> range;
  ForEach(array, offset, size, [&](double x) {
    sum += x;
    squares += x * x;
    range = range.has_value() ? std::pair(std::min(range->first, x), std::max(range->second, x)) : std::pair(x, x);
  });
  Distribution result;
  result.norm = std::sqrt(squares);
  result.mean = sum / static_cast<double>(size);
  double differences = 0;
  ForEach(array, offset, size, [&](double x) { differences += (x - result.mean) * (x - result.mean); });
  result.deviation = std::sqrt(differences / static_cast<double>(size));
  std::tie(result.minimum, result.maximum) = *range;
  // A value that is not finite makes each of these so.
  if (!std::isfinite(result.norm) || !std::isfinite(result.mean) || !std::isfinite(result.deviation)) {
    return std::nullopt;
  }
  return result;
}

Histogram MakeHistogram(std::string name, const NumberArray& array, int64_t offset, int64_t size,
                        const Distribution& distribution, int64_t bins) {
  Histogram histogram{std::move(name), distribution.minimum, distribution.maximum,
                      std::vector<int64_t>(static_cast<size_t>(bins), 0)};
  if (histogram.minimum == histogram.maximum) {
    // Bins need a width; for large numbers one that their digits can show.
    const double margin = std::max(0.5, std::abs(distribution.mean) * 1e-6);
    histogram.minimum -= margin;
    histogram.maximum += margin;
  }
  const double per_unit = static_cast<double>(bins) / (histogram.maximum - histogram.minimum);
  ForEach(array, offset, size, [&](double x) {
    // The largest value belongs to the last bin, at whose end it lies.
    const double bin = std::clamp((x - histogram.minimum) * per_unit, 0.0, static_cast<double>(bins - 1));
    ++histogram.counts[static_cast<size_t>(bin)];
  });
  return histogram;
}

double PartOfZeroColumns(const NumberArray& array) {
  const auto columns = static_cast<size_t>(array.shape[1]);
  std::vector<bool> moved(columns, false);
  std::visit(
      [&](const auto& values) {
        for (size_t i = 0; i < values.size(); ++i) {
          if (values[i] != 0) moved[i % columns] = true;
        }
      },
      array.values);
  return static_cast<double>(std::count(moved.begin(), moved.end(), false)) / static_cast<double>(columns);
}

}  // namespace pilothouse::trainer
