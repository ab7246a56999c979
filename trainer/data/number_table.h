// Numbers in rows and columns, wherever they lie.
#ifndef PILOTHOUSE_TRAINER_DATA_NUMBER_TABLE_H_
#define PILOTHOUSE_TRAINER_DATA_NUMBER_TABLE_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "trainer/data/element_type.h"

namespace pilothouse::trainer {

// Columns that lie side by side.
struct ColumnRun {
  // From 0.
  int64_t first = 0;
  int64_t count = 0;
};

// Elements that never change, as they stand in a file: mapped from it, or read. Tables that are cut from one file's
// columns share them.
struct StoredNumbers {
  ElementType type = ElementType::kFloat64;
  // Where the first row's column 0 is, at any alignment. Elements of a row follow each other without gaps.
  const char* elements = nullptr;
  // From one row to the next.
  int64_t row_bytes = 0;
  // The columns that belong to the table, in its order.
  std::vector<ColumnRun> runs = {};
  // No element's magnitude is above it.
  double largest = std::numeric_limits<double>::infinity();
  // Whether the elements are a file's pages, which all who map it share and the system may take back at any time,
  // rather than memory of this process.
  bool mapped = false;
  // Keeps them where they are.
  std::shared_ptr<const void> owner = {};
};

// Finite numbers. Invariant: either `stored` is set and `values` is empty, or values.size() == rows · columns, row by
// row. Reading is thread-safe.
struct NumberTable {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<double> values = {};
  std::optional<StoredNumbers> stored = {};

  // Counting from 0. REQUIRES: both are there.
  double At(int64_t row, int64_t column) const;
};

// The table's elements as stored ones. Valid as long as `table` stays as it is.
StoredNumbers ElementsOf(const NumberTable& table);

// Moves the numbers of a stored table into `values`, to be changed or taken one by one, in one pass over them.
void TakeIntoValues(NumberTable& table);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_NUMBER_TABLE_H_
