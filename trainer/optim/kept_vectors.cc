#include "trainer/optim/kept_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

constexpr char kOptimizer[] = "optimizer";
constexpr char kPrefix[] = "optimizer.";
constexpr char kUpdates[] = "optimizer.updates";

absl::Status Refuse(OptimizerKind kind, const std::string& what) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("What was saved is not of this run, whose optimizer is ", Name(kind), ": ", what, "."));
}

// Checkpoints made when there was one kind of optimizer only do not name it.
std::string KindIn(const SavedState& state) {
  const auto found = state.texts.find(kOptimizer);
  return found == state.texts.end() ? Name(OptimizerKind::kGradientDescent) : found->second;
}

int64_t TensorsIn(const SavedState& state) {
  return std::count_if(state.tensors.begin(), state.tensors.end(),
                       [](const auto& tensor) { return absl::StartsWith(tensor.first, kPrefix); });
}

// −1: there is none.
double UpdatesIn(const SavedState& state) {
  const SavedTensor* tensor = FindTensor(state, kUpdates, TensorType::kFloat64, {1});
  double updates = -1;
  if (tensor != nullptr) std::memcpy(&updates, tensor->bytes.data(), sizeof(updates));
  return std::isfinite(updates) && updates == std::trunc(updates) ? updates : -1;
}

}  // namespace

template <typename T>
KeptVectors<T>::KeptVectors(OptimizerKind kind, int64_t parameters, std::vector<std::string> names, bool counts_updates)
    : kind_(kind),
      names_(std::move(names)),
      counts_updates_(counts_updates),
      vectors_(names_.size(), Vector<T>::Zero(parameters)),
      copies_(names_.size() * static_cast<size_t>(parameters) * sizeof(T)) {}

template <typename T>
void KeptVectors<T>::Reset() {
  for (Vector<T>& vector : vectors_) vector.setZero();
  updates_ = 0;
}

template <typename T>
void KeptVectors<T>::Save(SavedState& state) const {
  state.texts[kOptimizer] = Name(kind_);
  if (counts_updates_) {
    const auto updates = std::make_shared<const double>(updates_);
    state.tensors[kUpdates] = TensorOf(updates.get(), {1}, updates);
  }
  if (vectors_.empty()) return;
  // The training thread waits for this copy.
  const std::shared_ptr<char> copy = copies_.Take();
  char* place = copy.get();
  for (size_t i = 0; i < vectors_.size(); ++i) {
    const auto bytes = static_cast<size_t>(vectors_[i].size()) * sizeof(T);
    std::memcpy(place, vectors_[i].data(), bytes);
    state.tensors[kPrefix + names_[i]] = TensorOf(reinterpret_cast<const T*>(place), {vectors_[i].size()}, copy);
    place += bytes;
  }
}

template <typename T>
absl::Status KeptVectors<T>::Restore(const SavedState& state) {
  if (KindIn(state) != Name(kind_)) return Refuse(kind_, "it is of another kind of optimizer");
  for (size_t i = 0; i < names_.size(); ++i) {
    const std::string name = kPrefix + names_[i];
    if (FindTensor(state, name, kTensorTypeOf<T>, {vectors_[i].size()}) == nullptr) {
      return Refuse(kind_, absl::StrCat("it has no tensor ", name, " that fits"));
    }
  }
  const double updates = counts_updates_ ? UpdatesIn(state) : 0;
  if (updates < 0) return Refuse(kind_, "it does not say how many updates were made");
  const auto expected = static_cast<int64_t>(names_.size()) + (counts_updates_ ? 1 : 0);
  if (TensorsIn(state) != expected) return Refuse(kind_, "it has further tensors of an optimizer");
  for (size_t i = 0; i < names_.size(); ++i) {
    const absl::string_view bytes = state.tensors.at(kPrefix + names_[i]).bytes;
    std::memcpy(vectors_[i].data(), bytes.data(), bytes.size());
  }
  updates_ = updates;
  return absl::OkStatus();
}

template class KeptVectors<float>;
template class KeptVectors<double>;

}  // namespace pilothouse::trainer
