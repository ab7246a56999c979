// How many numbers are distributed, in a few numbers. Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_DISTRIBUTION_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_DISTRIBUTION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "trainer/net/number_array.h"
#include "trainer/plugin/plugin.h"

namespace pilothouse::trainer {

// Of values that all are finite.
struct Distribution {
  double norm = 0;  // √Σ x²
  double mean = 0;
  double deviation = 0;  // √(Σ (x − mean)² / count)
  double minimum = 0;
  double maximum = 0;
};

// Of the `size` values of `array` from `offset` on, summed in double and in order. nullopt if one of them, or of the
// results, is not finite. REQUIRES: size > 0 and the values exist.
std::optional<Distribution> Measure(const NumberArray& array, int64_t offset, int64_t size);

// Of the same values, which `distribution` was measured of, in `bins` bins from the least to the largest; where all are
// the same, from a little below to a little above. REQUIRES: bins > 0.
Histogram MakeHistogram(std::string name, const NumberArray& array, int64_t offset, int64_t size,
                        const Distribution& distribution, int64_t bins);

// The part of the columns of `array`, of shape [rows, columns], that hold nothing but zeros. REQUIRES: it is not empty.
double PartOfZeroColumns(const NumberArray& array);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_DISTRIBUTION_H_
