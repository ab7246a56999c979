// Learning steps of networks so small that they are computed in one piece (trainer/kernels/small_network.h), with the
// bits that Network's ordinary way through its stages gives.
#ifndef PILOTHOUSE_TRAINER_NET_SMALL_PATH_H_
#define PILOTHOUSE_TRAINER_NET_SMALL_PATH_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "trainer/kernels/aligned_array.h"
#include "trainer/kernels/kernels.h"
#include "trainer/net/matrix.h"
#include "trainer/net/network_plan.h"

namespace pilothouse::trainer {

// T is float or double. Not thread-safe.
template <typename T>
class SmallPath {
 public:
  // Nothing where the network, or a batch of `max_rows` examples, is too large, or has stages other than affine ones,
  // tanh, relu and sigmoid.
  static std::optional<SmallPath> Find(const NetworkPlan& plan, int64_t max_rows);

  // Sets `outputs`, [n, outputs of the network]. REQUIRES: n <= max_rows.
  void Forward(const Vector<T>& parameters, ConstMatrixView<T> inputs, T* outputs);

  // As Network::Backward, for the batch of the last Forward(); as BackwardAndDescend where `descended` is not null, and
  // then it is `parameters`. `delta`: [n, outputs of the network].
  void Backward(const Vector<T>& parameters, const T* delta, T* gradient, T* descended, T step);

  // Copies what `stage` of the plan gave in the last Forward(), [n, outputs of the stage].
  void CopyResult(size_t stage, T* to) const;

 private:
  explicit SmallPath(const SmallNetwork<T>& network);

  SmallPass<T> pass(const T* inputs) const { return {&network_, rows_, inputs, memory_.data()}; }

  SmallNetwork<T> network_;
  AlignedArray<T> memory_;
  int64_t rows_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_SMALL_PATH_H_
