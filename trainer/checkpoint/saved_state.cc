#include "trainer/checkpoint/saved_state.h"

#include <cstring>

#include "trainer/checkpoint/sha256.h"

namespace pilothouse::trainer {
namespace {

void AddNumber(Sha256& hash, uint64_t number) {
  char bytes[sizeof(number)];
  std::memcpy(bytes, &number, sizeof(number));
  hash.Add(absl::string_view(bytes, sizeof(bytes)));
}

}  // namespace

size_t ElementBytes(TensorType type) {
  switch (type) {
    case TensorType::kFloat32:
      return sizeof(float);
    case TensorType::kFloat64:
      return sizeof(double);
    case TensorType::kBytes:
      break;
  }
  return 1;
}

SavedState SavedStateOf(const Stateful& part) {
  SavedState state;
  part.Save(state);
  return state;
}

SavedTensor TensorOf(std::string bytes) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return {TensorType::kBytes, {static_cast<int64_t>(owner->size())}, absl::string_view(*owner), owner};
}

const SavedTensor* FindTensor(const SavedState& state, const std::string& name, TensorType type,
                              const std::vector<int64_t>& shape) {
  const auto found = state.tensors.find(name);
  if (found == state.tensors.end() || found->second.type != type || found->second.shape != shape) return nullptr;
  return &found->second;
}

std::string HashOfTensors(const SavedState& state) {
  Sha256 hash;
  for (const auto& [name, tensor] : state.tensors) {
    AddNumber(hash, name.size());
    hash.Add(name);
    AddNumber(hash, ElementBytes(tensor.type));
    AddNumber(hash, tensor.shape.size());
    for (const int64_t size : tensor.shape) AddNumber(hash, static_cast<uint64_t>(size));
    hash.Add(tensor.bytes);
  }
  return hash.Finish();
}

}  // namespace pilothouse::trainer
