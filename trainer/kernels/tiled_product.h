// A matrix product in tiles: some rows by one or two vectors of columns, whose sums stay in registers while the depth
// is gone through. A product that is large is first divided into blocks, which are copied so that each tile reads
// memory from front to back.
//
//   for each block of columns, for each block of depth:  copy of b  [depth block, columns block], in panels
//     for each block of rows:                            copy of a  [rows block, depth block], in strips
//       for each panel (two vectors of columns), for each strip (the rows of a tile):  one tile
//
// Sums that continue in the next block of depth wait in c meanwhile, where they are what they were: no bit depends on
// the division.
#ifndef PILOTHOUSE_TRAINER_KERNELS_TILED_PRODUCT_H_
#define PILOTHOUSE_TRAINER_KERNELS_TILED_PRODUCT_H_

#include <cstdint>

#include "trainer/kernels/kernels.h"

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

template <typename V, int kRows, int kVectors, bool kMasked>
PILOTHOUSE_INLINE void EndSums(const TileWork<typename V::Element>& work, const V (&sums)[kRows][kVectors]) {
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) {
      const bool last = j == kVectors - 1;
      const int64_t place = i * work.c_stride + j * V::kLanes;
      StoreVector<V, kMasked>(sums[i][j], work.c + place, last, work.last_lanes);
      if (work.descended != nullptr) {
        const V before = LoadVector<V, kMasked>(work.descended + place, last, work.last_lanes);
        StoreVector<V, kMasked>(before - V::All(work.step) * sums[i][j], work.descended + place, last, work.last_lanes);
      }
    }
  }
}

// Three rows share a pointer: so many pointers as a tile has rows would not fit into the registers.
template <typename V, int kRows, int kVectors, bool kMasked>
void Tile(const TileWork<typename V::Element>& work) {
  using T = typename V::Element;
  constexpr int kPointers = (kRows + 2) / 3;
  V sums[kRows][kVectors];
  BeginSums<V, kRows, kVectors, kMasked>(work, sums);
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

// Calls `take(begin, rows)` for parts of `rows` rows that are as equal as can be: one short tile at the end would take
// as long as a whole one.
template <typename V, typename Take>
PILOTHOUSE_INLINE void ForEachStrip(int64_t rows, Take take) {
  int64_t strips = (rows + V::kTileRows - 1) / V::kTileRows;
  for (int64_t begin = 0; begin < rows; --strips) {
    const int64_t count = (rows - begin + strips - 1) / strips;
    take(begin, count);
    begin += count;
  }
}

// One panel of columns (at most two vectors), all rows. `work` is that of its first row; strips of a lie one after
// another where they were copied, and otherwise as the rows do.
template <typename V>
void MultiplyPanel(TileWork<typename V::Element> work, int64_t rows, int64_t columns, bool a_is_copy) {
  const int64_t vectors = (columns + V::kLanes - 1) / V::kLanes;
  work.last_lanes = columns - (vectors - 1) * V::kLanes;
  const bool masked = work.last_lanes < V::kLanes;
  ForEachStrip<V>(
      rows, [&](int64_t /*begin*/, int64_t count) __attribute__((always_inline)) {
        if (a_is_copy) {
          work.a.row_stride = 1;
          work.a.column_stride = count;
        }
        FindTile<V>(count, vectors, masked)(work);
        work.a.data += count * (a_is_copy ? work.depth : work.a.row_stride);
        work.c += count * work.c_stride;
        if (work.descended != nullptr) work.descended += count * work.c_stride;
      });
}

template <typename V>
constexpr int64_t PanelColumns() {
  return kTileVectors * V::kLanes;
}

// to[j · to_stride + i] = from[i · from_stride + j] for i below `rows` and j below `columns`.
template <typename V, typename T = typename V::Element>
void CopyTransposed(const T* from, int64_t from_stride, int64_t rows, int64_t columns, T* to, int64_t to_stride) {
  const int64_t whole_rows = rows - rows % 4;
  const int64_t whole_columns = columns - columns % 4;
  for (int64_t j = 0; j < whole_columns; j += 4) {
    for (int64_t i = 0; i < whole_rows; i += 4) {
      V::TransposeFour(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    }
  }
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = j < whole_columns ? whole_rows : 0; i < rows; ++i)
      to[j * to_stride + i] = from[i * from_stride + j];
  }
}

// to[i · to_stride + j] = from[i · from_stride + j].
template <typename T>
void CopyRowByRow(const T* from, int64_t from_stride, int64_t rows, int64_t columns, T* to, int64_t to_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) to[i * to_stride + j] = from[i * from_stride + j];
  }
}

// The part of b from `depth_begin` and `column_begin` on, panel by panel: [panel][depth][columns of a panel], the last
// panel filled up with zeros. REQUIRES: one of b's strides is 1.
template <typename V, typename T>
void CopyColumns(const Strided<T>& b, int64_t depth, int64_t columns, T* to) {
  constexpr int64_t kColumns = PanelColumns<V>();
  for (int64_t panel = 0; panel < columns; panel += kColumns) {
    const int64_t count = columns - panel < kColumns ? columns - panel : kColumns;
    const T* const from = b.data + panel * b.column_stride;
    if (b.column_stride == 1) {
      CopyRowByRow(from, b.row_stride, depth, count, to, kColumns);
    } else {
      CopyTransposed<V>(from, b.column_stride, count, depth, to, kColumns);
    }
    for (int64_t d = 0; d < depth; ++d) {
      for (int64_t j = count; j < kColumns; ++j) to[d * kColumns + j] = 0;
    }
    to += depth * kColumns;
  }
}

// The part of a, strip by strip: [strip][depth][rows of the strip]. REQUIRES: one of a's strides is 1.
template <typename V, typename T>
void CopyRows(const Strided<T>& a, int64_t rows, int64_t depth, T* to) {
  ForEachStrip<V>(rows, [&](int64_t begin, int64_t count) {
    const T* const from = a.data + begin * a.row_stride;
    if (a.row_stride == 1) {
      CopyRowByRow(from, a.column_stride, depth, count, to, count);
    } else {
      CopyTransposed<V>(from, a.row_stride, count, depth, to, count);
    }
    to += count * depth;
  });
}

template <typename T>
const T* At(const Strided<T>& matrix, int64_t row, int64_t column) {
  return matrix.data + row * matrix.row_stride + column * matrix.column_stride;
}

// What is not copied: as it lies there.
struct Copies {
  bool a;
  bool b;
};

// Whether copying pays. Rows of b that are no vectors must be copied.
template <typename V, typename T>
Copies ChooseCopies(const Product<T>& product) {
  // What fits into the nearest cache beside everything else.
  constexpr int64_t kSmall = 16384 / static_cast<int64_t>(sizeof(T));
  const bool large_b = product.depth * product.columns > kSmall && product.rows > 2 * V::kTileRows;
  const bool large_a = product.rows * product.depth > kSmall && product.columns > 2 * PanelColumns<V>();
  return {large_a, large_b || product.b.column_stride != 1};
}

// All rows, one block of columns and of depth.
template <typename V, typename T>
void MultiplyBlock(const Product<T>& product, const Copies& copies, TileWork<T> work, int64_t columns, T* workspace) {
  T* const b_copy = workspace;
  T* const a_copy = workspace + kDepthBlock * kColumnBlock;
  const Strided<T> b{work.b, product.b.row_stride, product.b.column_stride};
  if (copies.b) CopyColumns<V>(b, work.depth, columns, b_copy);
  const Strided<T> a = work.a;
  const int64_t row_block = copies.a ? kRowBlock : product.rows;
  for (int64_t row = 0; row < product.rows; row += row_block) {
    const int64_t rows = product.rows - row < row_block ? product.rows - row : row_block;
    if (copies.a) CopyRows<V>({At(a, row, 0), a.row_stride, a.column_stride}, rows, work.depth, a_copy);
    for (int64_t column = 0; column < columns; column += PanelColumns<V>()) {
      TileWork<T> panel = work;
      panel.a.data = copies.a ? a_copy : At(a, row, 0);
      panel.b = copies.b ? b_copy + column * work.depth : work.b + column;
      panel.b_stride = copies.b ? PanelColumns<V>() : b.row_stride;
      panel.c += row * work.c_stride + column;
      if (work.start != nullptr) panel.start += column;
      if (work.descended != nullptr) panel.descended += row * work.c_stride + column;
      const int64_t left = columns - column;
      MultiplyPanel<V>(panel, rows, left < PanelColumns<V>() ? left : PanelColumns<V>(), copies.a);
    }
  }
}

// A product that is one tile, whose b is as it is to be read.
template <typename V, typename T>
PILOTHOUSE_INLINE void MultiplyTile(const Product<T>& product, const T* b, int64_t b_stride) {
  const bool two = product.columns > V::kLanes;
  const int64_t last_lanes = two ? product.columns - V::kLanes : product.columns;
  FindTile<V>(product.rows, two ? 2 : 1, last_lanes < V::kLanes)({.a = product.a,
                                                                  .b = b,
                                                                  .b_stride = b_stride,
                                                                  .depth = product.depth,
                                                                  .c = product.c,
                                                                  .c_stride = product.c_stride,
                                                                  .continues = false,
                                                                  .start = product.start,
                                                                  .last_lanes = last_lanes,
                                                                  .descended = product.descended,
                                                                  .step = product.step});
}

template <typename V>
void Multiply(const Product<typename V::Element>& product, typename V::Element* workspace) {
  using T = typename V::Element;
  if (product.rows <= V::kTileRows && product.columns <= PanelColumns<V>() && product.depth <= kDepthBlock) {
    if (product.b.column_stride == 1) return MultiplyTile<V>(product, product.b.data, product.b.row_stride);
    CopyTransposed<V>(product.b.data, product.b.column_stride, product.columns, product.depth, workspace,
                      product.columns);
    return MultiplyTile<V>(product, workspace, product.columns);
  }
  const Copies copies = ChooseCopies<V>(product);
  const int64_t column_block = copies.b ? kColumnBlock : product.columns;
  const int64_t depth_block = copies.a || copies.b ? kDepthBlock : product.depth;
  for (int64_t column = 0; column < product.columns; column += column_block) {
    const int64_t columns_left = product.columns - column;
    int64_t begin = 0;
    // At least once: a sum over nothing is its start.
    do {
      const int64_t left = product.depth - begin;
      const int64_t depth = left < depth_block ? left : depth_block;
      const bool is_last = begin + depth == product.depth;
      const TileWork<T> work{
          .a = {At(product.a, 0, begin), product.a.row_stride, product.a.column_stride},
          .b = At(product.b, begin, column),
          .b_stride = 0,
          .depth = depth,
          .c = product.c + column,
          .c_stride = product.c_stride,
          .continues = begin > 0,
          .start = product.start == nullptr ? nullptr : product.start + column,
          .last_lanes = 0,
          .descended = product.descended == nullptr || !is_last ? nullptr : product.descended + column,
          .step = product.step,
      };
      MultiplyBlock<V>(product, copies, work, columns_left < column_block ? columns_left : column_block, workspace);
      begin += depth;
    } while (begin < product.depth);
  }
}

}  // namespace
}  // namespace pilothouse::trainer

#undef PILOTHOUSE_INLINE

#endif  // PILOTHOUSE_TRAINER_KERNELS_TILED_PRODUCT_H_
