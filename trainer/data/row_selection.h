// Which rows of a table are meant, and in which order.
#ifndef PILOTHOUSE_TRAINER_DATA_ROW_SELECTION_H_
#define PILOTHOUSE_TRAINER_DATA_ROW_SELECTION_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pilothouse::trainer {

// Rows count from 0. Rows that follow each other take no memory. Immutable and thread-safe.
class RowSelection {
 public:
  // `count` rows from `first` on.
  RowSelection(int64_t first, int64_t count) : first_(first), count_(count) {}

  // These, in this order.
  explicit RowSelection(std::vector<int64_t> rows)
      : first_(rows.empty() ? 0 : rows.front()), count_(static_cast<int64_t>(rows.size())) {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] == first_ + static_cast<int64_t>(i)) continue;
      rows_ = std::move(rows);
      return;
    }
  }

  int64_t size() const { return count_; }

  // Whether each is the one after that before it.
  bool together() const { return rows_.empty(); }

  // The row at place `i`, from 0.
  int64_t operator[](int64_t i) const { return rows_.empty() ? first_ + i : rows_[static_cast<size_t>(i)]; }

 private:
  int64_t first_;
  int64_t count_;
  // Empty: they follow each other.
  std::vector<int64_t> rows_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ROW_SELECTION_H_
