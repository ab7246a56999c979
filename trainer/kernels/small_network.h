// Whole passes through networks that are so small that calls and memory would take longer than the arithmetic: widths
// and batches of at most kSmallWidth and kSmallRows. Numbers lie unit by unit, an example in each lane of a vector, so
// that a sum over units needs no crossing of lanes. Every sum has the order it has in Kernels::multiply and
// Kernels::sum_rows, and so the same bits.
#ifndef PILOTHOUSE_TRAINER_KERNELS_SMALL_NETWORK_H_
#define PILOTHOUSE_TRAINER_KERNELS_SMALL_NETWORK_H_

#include <cstdint>

namespace pilothouse::trainer {

inline constexpr int64_t kSmallRows = 8;
inline constexpr int64_t kSmallWidth = 8;
inline constexpr int64_t kSmallStages = 8;
// What a pass keeps: the inputs and each stage's results, and two gradients.
inline constexpr int64_t kSmallElements = (kSmallStages + 3) * kSmallWidth * kSmallRows;

struct SmallStage {
  enum class Kind { kAffine, kTanh, kRelu, kSigmoid };
  Kind kind = Kind::kAffine;
  int64_t inputs = 0;
  int64_t outputs = 0;
  // Of an affine stage: where W, row-major, and b begin in the parameters.
  int64_t weights = 0;
  int64_t biases = 0;
};

template <typename T>
struct SmallNetwork {
  SmallStage stages[kSmallStages];
  int64_t stage_count = 0;
};

// One learning step's passes. T is float or double.
template <typename T>
struct SmallPass {
  const SmallNetwork<T>* network = nullptr;
  int64_t rows = 0;
  const T* inputs = nullptr;  // [rows, inputs of the first stage], row-major
  // kSmallElements, aligned to kWorkspaceAlignment; zeros before the first pass. What comes first are the inputs, then
  // the results of the stages, each [units][kSmallRows].
  T* memory = nullptr;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_SMALL_NETWORK_H_
