// Which columns of a table are inputs, which are targets, which is the weight, and which are nothing.
#ifndef PILOTHOUSE_TRAINER_DATA_COLUMN_ROLES_H_
#define PILOTHOUSE_TRAINER_DATA_COLUMN_ROLES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"

namespace pilothouse::trainer {

// Most columns a table may have: the widest network's inputs and outputs.
inline constexpr int64_t kMaxTableColumns = 2 * 65536;
// Most bytes that the names of a run's inputs have together, to be kept: they go wherever the run's description goes.
inline constexpr int64_t kMaxInputNamesBytes = 8 << 10;

// Immutable and thread-safe.
class ColumnRoles {
 public:
  // `names` are those of the table's header; empty where it has none. Errors: COLUMN_NOT_FOUND, SPEC_INVALID (a column
  // named twice, no column left as target or as input), DATA_MALFORMED (fewer than two columns, or more than
  // kMaxTableColumns).
  static absl::StatusOr<ColumnRoles> Select(const std::vector<std::string>& names, int64_t columns,
                                            const ColumnChoice& choice);

  int64_t columns() const { return columns_; }

  // From 0, ascending.
  const std::vector<int64_t>& ignored() const { return ignored_; }

  // Cuts a table of `rows` rows into inputs and targets, which share its elements, weights, and names. REQUIRES: a row
  // of `elements` has columns() of them.
  Dataset Cut(int64_t rows, const StoredNumbers& elements) const;

 private:
  explicit ColumnRoles(int64_t columns) : columns_(columns) {}

  int64_t columns_;
  // In the order in which they were named.
  std::vector<int64_t> targets_;
  std::optional<int64_t> weight_;
  std::vector<int64_t> ignored_;
  std::vector<int64_t> inputs_;
  std::vector<std::string> input_names_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_COLUMN_ROLES_H_
