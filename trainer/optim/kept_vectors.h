// What a rule keeps of former updates, on its way into a checkpoint and out of it.
#ifndef PILOTHOUSE_TRAINER_OPTIM_KEPT_VECTORS_H_
#define PILOTHOUSE_TRAINER_OPTIM_KEPT_VECTORS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "trainer/checkpoint/buffer_pool.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/net/matrix.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {

// Vectors with a number for each parameter, all 0 before the first update, and how many updates were made, if that is
// to be kept. T is float or double. Not thread-safe.
template <typename T>
class KeptVectors {
 public:
  // `names` are those of the vectors, `parameters` is the size of each.
  KeptVectors(OptimizerKind kind, int64_t parameters, std::vector<std::string> names, bool counts_updates);

  Vector<T>& operator[](size_t index) { return vectors_[index]; }
  // REQUIRES: counts_updates. The number of the update that is about to be made, from 1.
  double NextUpdate() { return ++updates_; }

  void Reset();
  // As in UpdateRule: tensors "optimizer.<name>" of shape [parameters], and "optimizer.updates" of shape [1].
  void Save(SavedState& state) const;
  absl::Status Restore(const SavedState& state);

 private:
  const OptimizerKind kind_;
  const std::vector<std::string> names_;
  const bool counts_updates_;
  std::vector<Vector<T>> vectors_;
  // A whole number, as the tensor that it is saved in has it.
  double updates_ = 0;
  mutable BufferPool copies_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_KEPT_VECTORS_H_
