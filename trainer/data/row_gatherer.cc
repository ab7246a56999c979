#include "trainer/data/row_gatherer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace pilothouse::trainer {
namespace {

// Elements that are converted at once: as many as the compiler needs to be told to use vector instructions for.
constexpr int64_t kBlock = 16;
// Rows ahead of the one being converted whose beginning is called for, since rows of a shuffled epoch lie anywhere.
constexpr size_t kRowsAhead = 8;
constexpr int64_t kCacheLineBytes = 64;
// Lines of a row that are called for; the processor finds out by itself that more are to follow.
constexpr int64_t kLinesAhead = 4;
// What ours are aligned to, whatever vector instructions there are.
constexpr uintptr_t kMatrixAlignment = 64;

// Writes change(i, element i as double) as T for each i. Blocks of a fixed size become vector instructions.
template <typename Element, typename T, typename Change>
void ConvertEach(const char* from, int64_t count, T* to, Change change) {
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    Element block[kBlock];
    std::memcpy(block, from + i * static_cast<int64_t>(sizeof(Element)), sizeof(block));
    for (int64_t k = 0; k < kBlock; ++k) to[i + k] = static_cast<T>(change(i + k, static_cast<double>(block[k])));
  }
  for (; i < count; ++i) {
    const auto element = LoadElement<Element>(from + i * static_cast<int64_t>(sizeof(Element)));
    to[i] = static_cast<T>(change(i, static_cast<double>(element)));
  }
}

template <typename Element, typename T>
void Convert(const char* from, int64_t count, const Standardization* /*unused*/, int64_t /*column*/, T* to) {
  if constexpr (std::is_same_v<Element, T>) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
  } else {
    ConvertEach<Element>(from, count, to, [](int64_t, double value) { return value; });
  }
}

template <typename Element, typename T>
void ConvertStandardized(const char* from, int64_t count, const Standardization* standardization, int64_t column,
                         T* to) {
  const double* const mean = standardization->mean.data() + column;
  const double* const deviation = standardization->deviation.data() + column;
  // Multiplying by 1 / deviation would be quicker, and would give other bits.
  ConvertEach<Element>(from, count, to,
                       [mean, deviation](int64_t i, double value) { return (value - mean[i]) / deviation[i]; });
}

}  // namespace

template <typename T>
RowGatherer<T>::RowGatherer(const NumberTable& table, std::shared_ptr<const Standardization> standardization)
    : elements_(ElementsOf(table)),
      columns_(table.columns),
      element_bytes_(BytesOf(elements_.type)),
      standardization_(std::move(standardization)),
      convert_(VisitElementType(elements_.type,
                                [this](auto tag) -> ConvertRun {
                                  using Element = typename decltype(tag)::Element;
                                  return standardization_ == nullptr ? &Convert<Element, T>
                                                                     : &ConvertStandardized<Element, T>;
                                })),
      first_in_place_(FirstInPlace()) {}

template <typename T>
void RowGatherer<T>::Gather(absl::Span<const int64_t> rows, T* to) const {
  const int64_t lines = std::min(kLinesAhead, elements_.row_bytes / kCacheLineBytes + 1);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i + kRowsAhead < rows.size()) {
      const char* const ahead = elements_.elements + rows[i + kRowsAhead] * elements_.row_bytes;
      for (int64_t line = 0; line < lines; ++line) __builtin_prefetch(ahead + line * kCacheLineBytes);
    }
    const char* const row = elements_.elements + rows[i] * elements_.row_bytes;
    int64_t column = 0;
    for (const ColumnRun& run : elements_.runs) {
      convert_(row + run.first * element_bytes_, run.count, standardization_.get(), column, to);
      column += run.count;
      to += run.count;
    }
  }
}

template <typename T>
const T* RowGatherer<T>::FirstInPlace() const {
  if (elements_.type != kElementTypeOf<T> || standardization_ != nullptr || elements_.runs.size() != 1) return nullptr;
  const char* const first = elements_.elements + elements_.runs[0].first * element_bytes_;
  if (elements_.row_bytes != columns_ * element_bytes_) return nullptr;
  if (reinterpret_cast<uintptr_t>(first) % kMatrixAlignment != 0) return nullptr;
  return reinterpret_cast<const T*>(first);
}

template <typename T>
bool RowGatherer<T>::AllFit() const {
  // Rounding adds less than a millionth to any of these.
  const double most = 0.999999 * static_cast<double>(std::numeric_limits<T>::max());
  if (standardization_ == nullptr) return elements_.largest <= most;
  for (size_t column = 0; column < standardization_->mean.size(); ++column) {
    const double sum = elements_.largest + std::abs(standardization_->mean[column]);
    if (!(sum / standardization_->deviation[column] <= most)) return false;
  }
  return true;
}

template class RowGatherer<float>;
template class RowGatherer<double>;

}  // namespace pilothouse::trainer
