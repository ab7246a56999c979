// Conditions on what a run shows: "validation_accuracy >= 0.98 and loss < 0.1".
//
//   condition  = comparison { "and" comparison }
//   comparison = view ( "<" | "<=" | ">" | ">=" | "==" ) number
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_CONDITION_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_CONDITION_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

inline constexpr size_t kMaxComparisons = 16;

// A view, how it is compared, and with what.
struct Comparison {
  std::string view;
  std::string operation;
  double number = 0;

  bool Holds(double value) const;
};

// Immutable.
class Condition {
 public:
  // Errors: those of CheckViewName, and PLUGIN_SETTING_INVALID for whatever cannot be read; all blame `setting`.
  static absl::StatusOr<Condition> Parse(absl::string_view text, absl::string_view setting,
                                         const PluginSurroundings& surroundings);

  // Whether all comparisons hold. None does of a view that has no value yet, or one that is not a number.
  absl::StatusOr<bool> Holds(const RunView& run) const;

  const std::vector<Comparison>& comparisons() const { return comparisons_; }

 private:
  explicit Condition(std::vector<Comparison> comparisons) : comparisons_(std::move(comparisons)) {}

  std::vector<Comparison> comparisons_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_CONDITION_H_
