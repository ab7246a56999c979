// Quantiles of measurements.
#ifndef PILOTHOUSE_TESTS_BENCH_STATISTICS_H_
#define PILOTHOUSE_TESTS_BENCH_STATISTICS_H_

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <vector>

namespace pilothouse::bench {

// The q-quantile (0 to 1) by nearest rank; 0 for no values.
inline double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(q * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

inline double Median(std::vector<double> values) { return Quantile(std::move(values), 0.5); }

template <typename Work>
double SecondsOf(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace pilothouse::bench

#endif  // PILOTHOUSE_TESTS_BENCH_STATISTICS_H_
