// Products that a team of threads computes together.
#ifndef PILOTHOUSE_TRAINER_KERNELS_PARALLEL_PRODUCT_H_
#define PILOTHOUSE_TRAINER_KERNELS_PARALLEL_PRODUCT_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "trainer/kernels/aligned_array.h"
#include "trainer/kernels/kernels.h"
#include "trainer/kernels/thread_team.h"

namespace pilothouse::trainer {

// A product that is smaller, in multiplications, is computed before another thread has woken up.
inline constexpr int64_t kLeastSharedProduct = 200'000;
// Parts are whole multiples of this, in rows or columns, so that each has whole vectors and tiles.
inline constexpr int64_t kPartUnit = 32;

// Part `part` of `parts` of a product: its columns or its rows, whichever are more, are divided. No sum is divided, so
// the parts give the bits of the whole. Parts may be empty.
template <typename T>
Product<T> PartOf(const Product<T>& product, int64_t part, int64_t parts) {
  const bool by_columns = product.columns >= product.rows;
  const int64_t size = by_columns ? product.columns : product.rows;
  const int64_t units = (size + kPartUnit - 1) / kPartUnit;
  const int64_t begin = std::min(size, units * part / parts * kPartUnit);
  const int64_t end = std::min(size, units * (part + 1) / parts * kPartUnit);
  Product<T> result = product;
  if (by_columns) {
    result.columns = end - begin;
    result.b.data += begin * product.b.column_stride;
    result.c += begin;
    if (product.start != nullptr) result.start += begin;
    if (product.descended != nullptr) result.descended += begin;
  } else {
    result.rows = end - begin;
    result.a.data += begin * product.a.row_stride;
    result.c += begin * product.c_stride;
    if (product.descended != nullptr) result.descended += begin * product.c_stride;
  }
  return result;
}

// Computes products, with `team` where that is not null and a product is large enough. The bits do not depend on it.
// T is float or double. Not thread-safe.
template <typename T>
class Multiplier {
 public:
  // `team` must outlive this object.
  explicit Multiplier(ThreadTeam* team) : team_(team) {
    const int threads = team == nullptr ? 1 : team->threads();
    for (int i = 0; i < threads; ++i) workspaces_.emplace_back(kWorkspaceElements);
  }

  void Multiply(const Product<T>& product) const {
    const auto parts = static_cast<int64_t>(workspaces_.size());
    if (parts == 1 || product.rows * product.columns * product.depth < kLeastSharedProduct) {
      kernels_->multiply(product, workspaces_[0].data());
      return;
    }
    team_->Run([&](int part) {
      const Product<T> mine = PartOf(product, part, parts);
      if (mine.rows > 0 && mine.columns > 0) kernels_->multiply(mine, workspaces_[static_cast<size_t>(part)].data());
    });
  }

  const Kernels<T>& kernels() const { return *kernels_; }

 private:
  const Kernels<T>* kernels_ = &BestKernels<T>();
  ThreadTeam* team_;
  std::vector<AlignedArray<T>> workspaces_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_PARALLEL_PRODUCT_H_
