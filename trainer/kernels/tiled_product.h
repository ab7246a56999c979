// A matrix product in tiles: some rows by one or two vectors of columns, whose sums stay in registers while the depth
// is gone through. A product that is large is first divided into blocks, which are copied so that each tile reads
// memory from front to back.
//
//   for each block of columns, for each block of depth:
//     for each block of rows:                            copy of a  [rows block, depth block], in strips
//       for each panel (two vectors of columns):         copy of b  [depth block, panel], for the first rows block only
//         for each strip (the rows of a tile):           one tile
//
// Where there is one block of rows only, one panel's memory serves all of them. What lies close together is not copied.
// Sums that continue in the next block of depth wait in c meanwhile, where they are what they were: no bit depends on
// the division.
#ifndef PILOTHOUSE_TRAINER_KERNELS_TILED_PRODUCT_H_
#define PILOTHOUSE_TRAINER_KERNELS_TILED_PRODUCT_H_

#include <cstdint>

#include "trainer/kernels/kernels.h"
#include "trainer/kernels/tile.h"

namespace pilothouse::trainer {
namespace {

// From this size on, c is not expected to be at hand.
constexpr int64_t kFarBytes = 1 << 20;
// Up to this depth, sums take no longer than asking for c would.
constexpr int64_t kShallowDepth = 32;
constexpr int64_t kCacheLineBytes = 64;

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

// to[j · to_stride + i] = from[i · from_stride + j] for i below `rows` and j below `columns`. Goes through each row a
// cache line at a time, since lines of rows that are far apart push each other out; and asks for those below them.
template <typename V, typename T = typename V::Element>
void CopyTransposed(const T* from, int64_t from_stride, int64_t rows, int64_t columns, T* to, int64_t to_stride) {
  constexpr int64_t kLine = kCacheLineBytes / sizeof(T);
  const int64_t whole_rows = rows - rows % 4;
  const int64_t whole_columns = columns - columns % 4;
  for (int64_t line = 0; line < whole_columns; line += kLine) {
    const int64_t end = whole_columns - line < kLine ? whole_columns : line + kLine;
    for (int64_t i = 0; i < whole_rows; i += 4) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) __builtin_prefetch(from + (i + k + rows) * from_stride + line);
      for (int64_t j = line; j < end; j += 4) {
        V::TransposeFour(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
      }
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

// As CopyRowByRow, of a whole panel. Rows that are far apart are not fetched ahead by the processor itself: of each,
// what comes after is asked for, which the next panel will need.
template <typename V, typename T>
void CopyPanel(const T* from, int64_t from_stride, int64_t depth, T* to) {
  for (int64_t d = 0; d < depth; ++d) {
    const T* const row = from + d * from_stride;
#pragma GCC unroll 4
    for (int j = 0; j < kTileVectors; ++j) {
      V::Load(row + j * V::kLanes).Store(to + j * V::kLanes);
      __builtin_prefetch(row + (kTileVectors + j) * V::kLanes);
    }
    to += PanelColumns<V>();
  }
}

// A panel of b, its first `columns` columns: [depth][columns of a panel], filled up with zeros. REQUIRES: one of b's
// strides is 1.
template <typename V, typename T>
void CopyColumns(const Strided<T>& b, int64_t depth, int64_t columns, T* to) {
  constexpr int64_t kColumns = PanelColumns<V>();
  if (b.column_stride == 1 && columns == kColumns) return CopyPanel<V>(b.data, b.row_stride, depth, to);
  if (b.column_stride == 1) {
    CopyRowByRow(b.data, b.row_stride, depth, columns, to, kColumns);
  } else {
    CopyTransposed<V>(b.data, b.column_stride, columns, depth, to, kColumns);
  }
  for (int64_t d = 0; d < depth; ++d) {
    for (int64_t j = columns; j < kColumns; ++j) to[d * kColumns + j] = 0;
  }
}

// to_i = from_i for i below `count`.
template <typename V, typename T>
PILOTHOUSE_INLINE void CopyFew(const T* from, int64_t count, T* to) {
  for (; count > V::kLanes; count -= V::kLanes, from += V::kLanes, to += V::kLanes) V::Load(from).Store(to);
  V::LoadFirst(from, count).StoreFirst(to, count);
}

// The part of a, strip by strip: [strip][depth][rows of the strip]. REQUIRES: one of a's strides is 1.
template <typename V, typename T>
void CopyRows(const Strided<T>& a, int64_t rows, int64_t depth, T* to) {
  if (a.row_stride == 1) {
    for (int64_t d = 0; d < depth; ++d) {
      const T* const from = a.data + d * a.column_stride;
      ForEachStrip<V>(
          rows, [&](int64_t begin, int64_t count) __attribute__((always_inline)) {
            CopyFew<V>(from + begin, count, to + begin * depth + d * count);
          });
    }
    return;
  }
  ForEachStrip<V>(rows, [&](int64_t begin, int64_t count) {
    CopyTransposed<V>(a.data + begin * a.row_stride, a.row_stride, count, depth, to + begin * depth, count);
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

// Whether what one tile reads lies on a page for each step. Where there is more to a page, reading it as it lies is
// faster than copying it first, by a twentieth to a fifth for products of 32 to 512 rows.
template <typename T>
bool IsSparse(const Strided<T>& matrix) {
  constexpr int64_t kPageElements = 4096 / static_cast<int64_t>(sizeof(T));
  return matrix.row_stride >= kPageElements || matrix.column_stride >= kPageElements;
}

// Whether copying pays. Rows of b that are no vectors must be copied.
template <typename V, typename T>
Copies ChooseCopies(const Product<T>& product) {
  // What fits into the nearest cache beside everything else.
  constexpr int64_t kSmall = 16384 / static_cast<int64_t>(sizeof(T));
  const bool large_b = product.depth * product.columns > kSmall && product.rows > 2 * V::kTileRows;
  const bool large_a = product.rows * product.depth > kSmall && product.columns > 2 * PanelColumns<V>();
  return {large_a && IsSparse(product.a), (large_b && IsSparse(product.b)) || product.b.column_stride != 1};
}

// All rows, one block of columns and of depth.
template <typename V, typename T>
void MultiplyBlock(const Product<T>& product, const Copies& copies, TileWork<T> work, int64_t columns, T* workspace) {
  T* const b_copy = workspace;
  T* const a_copy = workspace + kDepthBlock * kColumnBlock;
  const Strided<T> b{work.b, product.b.row_stride, product.b.column_stride};
  const Strided<T> a = work.a;
  const int64_t row_block = copies.a ? kRowBlock : product.rows;
  // A panel of which nothing is needed again makes room for the next one, in the nearest cache.
  const int64_t copy_step = row_block < product.rows ? work.depth : 0;
  for (int64_t row = 0; row < product.rows; row += row_block) {
    const int64_t rows = product.rows - row < row_block ? product.rows - row : row_block;
    if (copies.a) CopyRows<V>({At(a, row, 0), a.row_stride, a.column_stride}, rows, work.depth, a_copy);
    for (int64_t column = 0; column < columns; column += PanelColumns<V>()) {
      const int64_t left = columns - column;
      const int64_t width = left < PanelColumns<V>() ? left : PanelColumns<V>();
      T* const copy = b_copy + column * copy_step;
      if (copies.b && row == 0)
        CopyColumns<V>({At(b, 0, column), b.row_stride, b.column_stride}, work.depth, width, copy);
      TileWork<T> panel = work;
      panel.a.data = copies.a ? a_copy : At(a, row, 0);
      panel.b = copies.b ? copy : work.b + column;
      panel.b_stride = copies.b ? PanelColumns<V>() : b.row_stride;
      panel.c += row * work.c_stride + column;
      if (work.start != nullptr) panel.start += column;
      if (work.descended != nullptr) panel.descended += row * work.c_stride + column;
      MultiplyPanel<V>(panel, rows, width, copies.a);
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
                                                                  .step = product.step,
                                                                  .far = false,
                                                                  .streams = false});
}

// Whether all vectors of such rows begin at a multiple of their size.
template <typename V, typename T = typename V::Element>
bool IsAligned(const T* rows, int64_t stride) {
  return reinterpret_cast<uintptr_t>(rows) % sizeof(V) == 0 && stride % V::kLanes == 0;
}

// Whether c is large, and moves something as large down. Without that, it is soon read: it is a result.
template <typename T>
bool IsFar(const Product<T>& product) {
  return product.descended != nullptr && product.depth > kShallowDepth &&
         product.rows * product.columns >= kFarBytes / static_cast<int64_t>(sizeof(T));
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
  // As equal as can be: of a short one, copying would be most of the work.
  const int64_t blocks = copies.a || copies.b ? (product.depth + kDepthBlock - 1) / kDepthBlock : 1;
  const int64_t depth_block = blocks > 1 ? (product.depth + blocks - 1) / blocks : product.depth;
  const bool far = IsFar(product);
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
          // Before the last block, c is only put aside.
          .far = far && is_last,
          .streams = far && is_last && IsAligned<V>(product.c, product.c_stride),
      };
      MultiplyBlock<V>(product, copies, work, columns_left < column_block ? columns_left : column_block, workspace);
      begin += depth;
    } while (begin < product.depth);
  }
  // Other threads see what was streamed when they see what comes after.
  if (far) V::EndStreams();
}

}  // namespace
}  // namespace pilothouse::trainer

#undef PILOTHOUSE_INLINE

#endif  // PILOTHOUSE_TRAINER_KERNELS_TILED_PRODUCT_H_
