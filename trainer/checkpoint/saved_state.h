// What a part of a run remembers, on its way into a checkpoint and out of it.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_SAVED_STATE_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_SAVED_STATE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

enum class TensorType { kFloat32, kFloat64, kBytes };

// The type of tensors whose elements are T.
template <typename T>
inline constexpr TensorType kTensorTypeOf = std::is_same_v<T, float>    ? TensorType::kFloat32
                                            : std::is_same_v<T, double> ? TensorType::kFloat64
                                                                        : TensorType::kBytes;

// Bytes that one element takes.
size_t ElementBytes(TensorType type);

// An immutable array, row-major and little-endian. Copying it copies no elements. Invariant: `bytes` are as many as the
// shape says; they need not be aligned.
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

// Whatever a run needs to go on with, bit for bit, is one of these: there is no other way into a checkpoint, and none
// to leave something out of it by leaving a method out.
class Stateful {
 public:
  virtual ~Stateful() = default;

  // Copies all that it remembers into `state`, under names of its own. What it has saved does not change afterwards.
  virtual void Save(SavedState& state) const = 0;
  // Goes on from what Save of the same part, in this run or another of the same build, has put there. DATA_MALFORMED if
  // something is missing or does not fit; then nothing has changed.
  virtual absl::Status Restore(const SavedState& state) = 0;
};

// What Save of the part gives.
SavedState SavedStateOf(const Stateful& part);

// A tensor of elements that `owner` keeps where they are. T is float or double.
template <typename T>
SavedTensor TensorOf(const T* elements, std::vector<int64_t> shape, std::shared_ptr<const void> owner) {
  size_t bytes = sizeof(T);
  for (const int64_t size : shape) bytes *= static_cast<size_t>(size);
  return {kTensorTypeOf<T>, std::move(shape), absl::string_view(reinterpret_cast<const char*>(elements), bytes),
          std::move(owner)};
}
// A tensor of bytes, of shape [bytes.size()].
SavedTensor TensorOf(std::string bytes);

// nullptr: there is no tensor of this name, type and shape.
const SavedTensor* FindTensor(const SavedState& state, const std::string& name, TensorType type,
                              const std::vector<int64_t>& shape);

// The SHA-256 of all tensors in the order of their names, as 64 lower-case hexadecimal digits. Texts do not count. Of
// each tensor these are hashed, numbers as 8 bytes, the lowest first: the length of its name, its name, the bytes that
// one element takes, how many dimensions it has, each of them, its elements.
std::string HashOfTensors(const SavedState& state);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_SAVED_STATE_H_
