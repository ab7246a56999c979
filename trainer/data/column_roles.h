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

  int64_t columns() const { return static_cast<int64_t>(places_.size()); }

  // A dataset of `rows` rows of zeros.
  Dataset MakeDataset(int64_t rows) const;

  // Where the value of `column` (from 0) in `row` belongs. REQUIRES: `data` came from MakeDataset(), and has this row.
  double& At(Dataset& data, int64_t row, int64_t column) const {
    const Place& place = places_[static_cast<size_t>(column)];
    if (place.role == Role::kWeight) return data.weights[static_cast<size_t>(row)];
    NumberTable& table = place.role == Role::kTarget ? data.targets : data.inputs;
    return table.values[static_cast<size_t>(row * table.columns + place.index)];
  }

 private:
  enum class Role { kInput, kTarget, kWeight };

  struct Place {
    Role role = Role::kInput;
    // Column within inputs or targets.
    int64_t index = 0;
  };

  ColumnRoles(int64_t columns, const std::vector<int64_t>& targets, std::optional<int64_t> weight);

  std::vector<Place> places_;
  int64_t inputs_ = 0;
  int64_t targets_;
  bool has_weight_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_COLUMN_ROLES_H_
