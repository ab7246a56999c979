#include "trainer/optim/shaped_gradient.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pilothouse::trainer {
namespace {

// So many sums are kept at once: an addition takes several cycles, and need not wait for the one before.
constexpr Eigen::Index kSums = 8;

}  // namespace

template <typename T>
double NormOf(const Vector<T>& gradient) {
  std::array<double, kSums> sums{};
  const Eigen::Index whole = gradient.size() - gradient.size() % kSums;
  for (Eigen::Index begin = 0; begin < whole; begin += kSums) {
    for (Eigen::Index i = 0; i < kSums; ++i) {
      const auto value = static_cast<double>(gradient[begin + i]);
      sums[static_cast<size_t>(i)] += value * value;
    }
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  for (Eigen::Index i = whole; i < gradient.size(); ++i) {
    const auto value = static_cast<double>(gradient[i]);
    total += value * value;
  }
  return std::sqrt(total);
}

template <typename T>
const Vector<T>& ShapedGradient<T>::Of(const UpdateSettings& settings, const Vector<T>& gradient,
                                       const Vector<T>& parameters) {
  if (LeavesGradient(settings)) return gradient;
  shaped_ = gradient;
  if (settings.clip_norm > 0) {
    const double norm = NormOf(gradient);
    if (norm > settings.clip_norm) shaped_ *= static_cast<T>(settings.clip_norm / norm);
  }
  if (settings.clip_value > 0) {
    const T most = static_cast<T>(settings.clip_value);
    for (T& value : shaped_) value = std::clamp(value, -most, most);
  }
  if (settings.weight_decay > 0) shaped_ += static_cast<T>(settings.weight_decay) * parameters;
  return shaped_;
}

template class ShapedGradient<float>;
template class ShapedGradient<double>;
template double NormOf(const Vector<float>&);
template double NormOf(const Vector<double>&);

}  // namespace pilothouse::trainer
