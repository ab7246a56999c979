// What a part of a run remembers, on its way into a checkpoint and out of it.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_SAVED_STATE_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_SAVED_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

enum class TensorType { kFloat32, kFloat64, kBytes };

// An immutable array, row-major and little-endian. Copying it copies no elements.
struct SavedTensor {
  TensorType type = TensorType::kFloat32;
  std::vector<int64_t> shape;
  absl::string_view bytes;
  // Keeps `bytes` where they are.
  std::shared_ptr<const void> owner;
};

// The state of a run, or of a part of it. Names are unique in the whole run: "layers.0.weight", "optimizer.momentum",
// "loop". Safe to be handed from thread to thread.
struct SavedState {
  std::map<std::string, SavedTensor> tensors;
  // JSON documents.
  std::map<std::string, std::string> texts;
};

// Whatever a run needs to go on with, bit for bit, is one of these: there is no other way into a checkpoint, and none to
// leave something out of it by leaving a method out.
class Stateful {
 public:
  virtual ~Stateful() = default;

  // Copies all that it remembers into `state`, under names of its own. What it has saved does not change afterwards.
  virtual void Save(SavedState& state) const = 0;
  // Goes on from what Save of the same part, in this run or another of the same build, has put there. DATA_MALFORMED if
  // something is missing or does not fit; then nothing has changed.
  virtual absl::Status Restore(const SavedState& state) = 0;
};

// The SHA-256 of all tensors in the order of their names, with name, type and shape, as 64 hexadecimal digits. Texts do
// not count.
std::string HashOfTensors(const SavedState& state);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_SAVED_STATE_H_
