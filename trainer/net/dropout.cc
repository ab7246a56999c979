#include "trainer/net/dropout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace pilothouse::trainer {
namespace {

// Each layer has so many positions of the stream to itself that no batch needs them all.
constexpr int kLayerShift = 40;

}  // namespace

template <typename T>
void DrawDropout(const RandomStream& random, double rate, int64_t layer, MatrixView<T> factors) {
  // 32 bits for each element: half the work of 64, and a difference in probability that nobody can measure.
  const auto threshold = static_cast<uint64_t>(std::llround(rate * 0x1p32));
  // Looked up rather than chosen by a branch, which nothing could predict.
  const std::array<T, 2> choices = {static_cast<T>(1 / (1 - rate)), T{0}};
  uint64_t position = static_cast<uint64_t>(layer) << kLayerShift;
  // Row-major and without holes, as every MatrixView.
  T* element = factors.data();
  T* const end = element + factors.size();
  for (; element < end; ++position) {
    const std::array<uint32_t, 4> words = random.Words(position);
    const auto count = std::min<std::ptrdiff_t>(end - element, words.size());
    for (std::ptrdiff_t i = 0; i < count; ++i) *element++ = choices[words[static_cast<size_t>(i)] < threshold ? 1 : 0];
  }
}

template void DrawDropout(const RandomStream&, double, int64_t, MatrixView<float>);
template void DrawDropout(const RandomStream&, double, int64_t, MatrixView<double>);

}  // namespace pilothouse::trainer
