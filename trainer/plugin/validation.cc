#include "trainer/plugin/validation.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace pilothouse::trainer {
namespace {

constexpr ScoreFacts kScores[] = {{"accuracy", &Validation::accuracy, true},
                                  {"balanced_accuracy", &Validation::balanced_accuracy, true},
                                  {"roc_auc", &Validation::roc_auc, true},
                                  {"r2", &Validation::r2, true},
                                  {"mae", &Validation::mae, false}};

}  // namespace

absl::Span<const ScoreFacts> ScoresOfValidations() { return kScores; }

std::vector<std::pair<std::string, double>> ConfusionValues(const Validation& validation) {
  std::vector<std::pair<std::string, double>> values;
  const auto classes = static_cast<size_t>(std::lround(std::sqrt(static_cast<double>(validation.confusion.size()))));
  for (size_t i = 0; i < validation.confusion.size(); ++i) {
    values.emplace_back(absl::StrCat("confusion.", i / classes, ".", i % classes),
                        static_cast<double>(validation.confusion[i]));
  }
  return values;
}

std::optional<double> ValueOf(const Validation& validation, absl::string_view name) {
  if (name == "loss") return validation.loss;
  for (const ScoreFacts& score : kScores) {
    if (name == score.name) return validation.*score.value;
  }
  for (const auto& [known, value] : ConfusionValues(validation)) {
    if (name == known) return value;
  }
  return std::nullopt;
}

}  // namespace pilothouse::trainer
