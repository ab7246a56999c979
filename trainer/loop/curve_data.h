// Test support: examples that a small network can learn, and not at once.
#ifndef PILOTHOUSE_TRAINER_LOOP_CURVE_DATA_H_
#define PILOTHOUSE_TRAINER_LOOP_CURVE_DATA_H_

#include <cmath>
#include <cstdint>

#include "trainer/data/dataset.h"

namespace pilothouse::trainer {

// Two inputs, and two classes that a curve tells apart.
inline Dataset Curve(int64_t rows) {
  Dataset data{{rows, 2, {}}, {rows, 1, {}}};
  for (int64_t row = 0; row < rows; ++row) {
    const double x = std::sin(static_cast<double>(row) * 1.7);
    const double y = std::cos(static_cast<double>(row) * 2.9);
    data.inputs.values.insert(data.inputs.values.end(), {x, y});
    data.targets.values.push_back(x * y > 0.1 ? 1 : 0);
  }
  return data;
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CURVE_DATA_H_
