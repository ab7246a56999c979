// What a network scored on the examples that are held out.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_VALIDATION_H_
#define PILOTHOUSE_TRAINER_PLUGIN_VALIDATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace pilothouse::trainer {

// More classes have no confusion counts.
inline constexpr int64_t kMaxConfusionClasses = 30;

// The scores beside the loss are unset where they make no sense: those of classes for a loss that is no cross-entropy,
// r2 and mae for one that is. Formulas: trainer/loop/scorer.h.
struct Validation {
  // The parameters after this batch.
  int64_t batch = 0;
  // Mean over all examples held out, by their weights, whatever they were computed in. May be NaN or infinite.
  double loss = 0;
  // 0 to 1: part of the examples, by weight, whose class was predicted; of binary_cross_entropy with several outputs,
  // all of them.
  std::optional<double> accuracy;
  // Without those of weight 0.
  int64_t examples = 0;
  // 0 to 1. Unset also where an example has several classes.
  std::optional<double> balanced_accuracy = std::nullopt;
  // 0 to 1, 0.5 for guesses. Unset also where there are not two classes, or examples of one of them only.
  std::optional<double> roc_auc = std::nullopt;
  // Up to 1, and 0 for a network that always answers with the mean. Unset also where an output's targets are all alike.
  std::optional<double> r2 = std::nullopt;
  // 0 or more, in the targets' unit.
  std::optional<double> mae = std::nullopt;
  // Shape [classes][classes]: of the examples of one class, how many were taken for another; with weights, the sum of
  // theirs. Empty where there are no classes, or more than kMaxConfusionClasses.
  std::vector<double> confusion = {};
};

// One of the scores beside the loss.
struct ScoreFacts {
  const char* name;
  std::optional<double> Validation::*value;
  bool more_is_better;
};

// accuracy, balanced_accuracy, roc_auc, r2, mae.
absl::Span<const ScoreFacts> ScoresOfValidations();

// "confusion.<class>.<predicted>" for each pair of classes.
std::vector<std::pair<std::string, double>> ConfusionValues(const Validation& validation);

// What is called so: "loss", a score, or one of ConfusionValues. nullopt: the validation has none.
std::optional<double> ValueOf(const Validation& validation, absl::string_view name);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_VALIDATION_H_
