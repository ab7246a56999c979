// A tile of a matrix product: some rows by one or two vectors of columns, whose sums stay in registers while the depth
// is gone through.
#ifndef PILOTHOUSE_TRAINER_KERNELS_TILE_H_
#define PILOTHOUSE_TRAINER_KERNELS_TILE_H_

#include <cstdint>

#include "trainer/kernels/kernels.h"

// Undefined at the end of tiled_product.h.
#define PILOTHOUSE_INLINE inline __attribute__((always_inline))

namespace pilothouse::trainer {
namespace {

// Vectors beside each other in a tile, at most.
constexpr int kTileVectors = 2;

template <typename T>
struct TileWork {
  // Rows of a, in steps of a.row_stride, the depth in steps of a.column_stride.
  Strided<T> a;
  // Vectors of b; from one step of the depth to the next.
  const T* b;
  int64_t b_stride;
  int64_t depth;
  T* c;
  int64_t c_stride;
  // What the sums begin with: c itself, or one value for each column, or, where null, 0.
  bool continues;
  const T* start;
  // Lanes of the last vector that are columns.
  int64_t last_lanes;
  T* descended;
  T step;
  // Whether c and descended are so large that they are not likely to be at hand: then they are asked for before the
  // sums.
  bool far;
  // Whether c is written past the caches, where it would be in the way of what is read again.
  bool streams;
};

template <typename V, bool kMasked>
PILOTHOUSE_INLINE V LoadVector(const typename V::Element* from, bool last, int64_t last_lanes) {
  return kMasked && last ? V::LoadFirst(from, last_lanes) : V::Load(from);
}

template <typename V, bool kMasked>
PILOTHOUSE_INLINE void StoreVector(V vector, typename V::Element* to, bool last, int64_t last_lanes) {
  if (kMasked && last) {
    vector.StoreFirst(to, last_lanes);
  } else {
    vector.Store(to);
  }
}

template <typename V, int kRows, int kVectors, bool kMasked>
PILOTHOUSE_INLINE void BeginSums(const TileWork<typename V::Element>& work, V (&sums)[kRows][kVectors]) {
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    const bool last = j == kVectors - 1;
    V start = V::All(0);
    if (!work.continues && work.start != nullptr) {
      start = LoadVector<V, kMasked>(work.start + j * V::kLanes, last, work.last_lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      sums[i][j] = work.continues
                       ? LoadVector<V, kMasked>(work.c + i * work.c_stride + j * V::kLanes, last, work.last_lanes)
                       : start;
    }
  }
}

template <typename V, int kRows, int kVectors>
PILOTHOUSE_INLINE void FetchAhead(const TileWork<typename V::Element>& work) {
  int64_t place = 0;
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) {
      if (!work.streams) __builtin_prefetch(work.c + place + j * V::kLanes, 1);
      __builtin_prefetch(work.descended + place + j * V::kLanes, 1);
    }
    place += work.c_stride;
  }
}

// Lanes that are no columns are not written.
template <typename V, int kRows, int kVectors, bool kMasked, bool kStreams>
PILOTHOUSE_INLINE void StoreSums(const V (&sums)[kRows][kVectors], typename V::Element* c, int64_t stride,
                                 int64_t last_lanes) {
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) {
      const bool last = j == kVectors - 1;
      if (kStreams && !(kMasked && last)) {
        sums[i][j].Stream(c + j * V::kLanes);
      } else {
        StoreVector<V, kMasked>(sums[i][j], c + j * V::kLanes, last, last_lanes);
      }
    }
    c += stride;
  }
}

// What is read of `work` is read first: for all that the compiler knows, it might be written to with the sums.
template <typename V, int kRows, int kVectors, bool kMasked>
PILOTHOUSE_INLINE void EndSums(const TileWork<typename V::Element>& work, const V (&sums)[kRows][kVectors]) {
  using T = typename V::Element;
  const int64_t stride = work.c_stride;
  const int64_t last_lanes = work.last_lanes;
  T* descended = work.descended;
  const V step = V::All(work.step);
  if (work.streams) {
    StoreSums<V, kRows, kVectors, kMasked, true>(sums, work.c, stride, last_lanes);
  } else {
    StoreSums<V, kRows, kVectors, kMasked, false>(sums, work.c, stride, last_lanes);
  }
  if (descended == nullptr) return;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) {
      T* const place = descended + j * V::kLanes;
      const V before = LoadVector<V, kMasked>(place, j == kVectors - 1, last_lanes);
      StoreVector<V, kMasked>(before - step * sums[i][j], place, j == kVectors - 1, last_lanes);
    }
    descended += stride;
  }
}

// Three rows share a pointer: so many pointers as a tile has rows would not fit into the registers.
template <typename V, int kRows, int kVectors, bool kMasked>
void Tile(const TileWork<typename V::Element>& work) {
  using T = typename V::Element;
  constexpr int kPointers = (kRows + 2) / 3;
  V sums[kRows][kVectors];
  BeginSums<V, kRows, kVectors, kMasked>(work, sums);
  if (work.far) FetchAhead<V, kRows, kVectors>(work);
  const int64_t row = work.a.row_stride;
  const int64_t two_rows = 2 * row;
  const T* a[kPointers];
#pragma GCC unroll 16
  for (int i = 0; i < kPointers; ++i) a[i] = work.a.data + 3 * i * row;
  const T* b = work.b;
  for (int64_t d = 0; d < work.depth; ++d) {
    V columns[kVectors];
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) {
      columns[j] = LoadVector<V, kMasked>(b + j * V::kLanes, j == kVectors - 1, work.last_lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const V factor = V::All(a[i / 3][i % 3 == 0 ? 0 : i % 3 == 1 ? row : two_rows]);
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) sums[i][j] = V::Fma(factor, columns[j], sums[i][j]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kPointers; ++i) a[i] += work.a.column_stride;
    b += work.b_stride;
  }
  EndSums<V, kRows, kVectors, kMasked>(work, sums);
}

template <typename V>
using TileFunction = void (*)(const TileWork<typename V::Element>&);

// The tiles of 1 to V::kTileRows rows.
template <typename V, int kVectors, bool kMasked, int kRows = V::kTileRows>
struct TilesByRows : TilesByRows<V, kVectors, kMasked, kRows - 1> {
  constexpr TilesByRows() { this->tiles[kRows - 1] = &Tile<V, kRows, kVectors, kMasked>; }
};
template <typename V, int kVectors, bool kMasked>
struct TilesByRows<V, kVectors, kMasked, 0> {
  TileFunction<V> tiles[V::kTileRows] = {};
};

template <typename V>
TileFunction<V> FindTile(int64_t rows, int64_t vectors, bool masked) {
  static constexpr TilesByRows<V, 1, false> kOne{};
  static constexpr TilesByRows<V, 1, true> kOneMasked{};
  static constexpr TilesByRows<V, 2, false> kTwo{};
  static constexpr TilesByRows<V, 2, true> kTwoMasked{};
  const int64_t index = rows - 1;
  if (vectors == 1) return masked ? kOneMasked.tiles[index] : kOne.tiles[index];
  return masked ? kTwoMasked.tiles[index] : kTwo.tiles[index];
}

}  // namespace
}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_TILE_H_
