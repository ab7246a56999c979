// Which columns of a table are inputs, which are targets, and which is the weight.
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

// Immutable and thread-safe.
class ColumnRoles {
 public:
  // `names` are those of the table's header; empty where it has none. `target_columns` and `weight_column` as in
  // ReadTable(). Errors: COLUMN_NOT_FOUND, SPEC_INVALID, DATA_MALFORMED (fewer than two columns, or more than
  // kMaxTableColumns).
  static absl::StatusOr<ColumnRoles> Select(const std::vector<std::string>& names, int64_t columns,
                                            const std::vector<std::string>& target_columns,
                                            const std::optional<std::string>& weight_column = std::nullopt);

  int64_t columns() const { return columns_; }

  // Cuts a table of `rows` rows into inputs and targets, which share its elements, and weights. REQUIRES: a row of
  // `elements` has columns() of them.
  Dataset Cut(int64_t rows, const StoredNumbers& elements) const;

 private:
  ColumnRoles(int64_t columns, std::vector<int64_t> targets, std::optional<int64_t> weight);

  int64_t columns_;
  // In the order in which they were named.
  std::vector<int64_t> targets_;
  std::optional<int64_t> weight_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_COLUMN_ROLES_H_
