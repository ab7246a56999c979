#include "trainer/plugin/validation.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace pilothouse::trainer {
namespace {

constexpr ScoreFacts kScores[] = {{"accuracy", &Validation::accuracy, true},
                                  {"balanced_accuracy", &Validation::balanced_accuracy, true},
                                  {"roc_auc", &Validation::roc_auc, true},
                                  {"r2", &Validation::r2, true},
                                  {"mae", &Validation::mae, false}};

size_t ClassesOf(const Validation& validation) {
  return static_cast<size_t>(std::lround(std::sqrt(static_cast<double>(validation.confusion.size()))));
}

std::string NameOfCount(size_t of, size_t taken_for) { return absl::StrCat("confusion.", of, ".", taken_for); }

// Without making the names of all others: there may be many, and all may be asked for.
std::optional<double> CountOf(const Validation& validation, absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '.');
  const size_t classes = ClassesOf(validation);
  size_t of = 0;
  size_t taken_for = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &of) || !absl::SimpleAtoi(parts[2], &taken_for))
    return std::nullopt;
  if (of >= classes || taken_for >= classes || name != NameOfCount(of, taken_for)) return std::nullopt;
  return validation.confusion[of * classes + taken_for];
}

}  // namespace

absl::Span<const ScoreFacts> ScoresOfValidations() { return kScores; }

std::vector<std::pair<std::string, double>> ConfusionValues(const Validation& validation) {
  std::vector<std::pair<std::string, double>> values;
  const size_t classes = ClassesOf(validation);
  for (size_t i = 0; i < validation.confusion.size(); ++i) {
    values.emplace_back(NameOfCount(i / classes, i % classes), validation.confusion[i]);
  }
  return values;
}

std::optional<double> ValueOf(const Validation& validation, absl::string_view name) {
  if (name == "loss") return validation.loss;
  for (const ScoreFacts& score : kScores) {
    if (name == score.name) return validation.*score.value;
  }
  return CountOf(validation, name);
}

}  // namespace pilothouse::trainer
