// A dense array of float32 or float64 numbers, for handing values across the precision the network computes in.
#ifndef PILOTHOUSE_TRAINER_NET_NUMBER_ARRAY_H_
#define PILOTHOUSE_TRAINER_NET_NUMBER_ARRAY_H_

#include <cstdint>
#include <variant>
#include <vector>

namespace pilothouse::trainer {

// Invariant: the number of values is the product of `shape`. Row-major.
struct NumberArray {
  std::vector<int64_t> shape;
  std::variant<std::vector<float>, std::vector<double>> values;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_NUMBER_ARRAY_H_
