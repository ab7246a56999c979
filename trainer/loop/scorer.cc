#include "trainer/loop/scorer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

namespace pilothouse::trainer {
namespace {

int64_t ClassesOf(LossFunction loss, int64_t outputs) {
  if (loss == LossFunction::kCrossEntropy) return outputs;
  return loss == LossFunction::kBinaryCrossEntropy && outputs == 1 ? 2 : 0;
}

double WeightOf(absl::Span<const double> weights, int64_t row) {
  return weights.empty() ? 1 : weights[static_cast<size_t>(row)];
}

}  // namespace

std::vector<std::string> ScoreNames(LossFunction loss, int64_t outputs) {
  const int64_t classes = ClassesOf(loss, outputs);
  if (classes == 2) return {"accuracy", "balanced_accuracy", "roc_auc"};
  if (classes > 0) return {"accuracy", "balanced_accuracy"};
  if (loss == LossFunction::kBinaryCrossEntropy) return {"accuracy"};
  return {"r2", "mae"};
}

template <typename T>
Scorer<T>::Scorer(LossFunction loss, int64_t outputs)
    : loss_(loss),
      outputs_(outputs),
      classes_(ClassesOf(loss, outputs)),
      weight_of_class_(static_cast<size_t>(classes_)),
      right_of_class_(weight_of_class_.size()),
      confusion_(classes_ <= kMaxConfusionClasses ? weight_of_class_.size() * weight_of_class_.size() : 0),
      spreads_(static_cast<size_t>(outputs)) {}

template <typename T>
void Scorer<T>::Add(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights) {
  if (classes_ > 0) {
    AddClasses(outputs, targets, weights);
  } else if (loss_ == LossFunction::kBinaryCrossEntropy) {
    AddSides(outputs, targets, weights);
  } else {
    AddNumbers(outputs, targets, weights);
  }
}

template <typename T>
int64_t Scorer<T>::ClassOf(ConstMatrixView<T> targets, int64_t row) const {
  if (loss_ == LossFunction::kCrossEntropy) return static_cast<int64_t>(targets(row, 0));
  return targets(row, 0) >= T{0.5} ? 1 : 0;
}

template <typename T>
int64_t Scorer<T>::PredictedClass(ConstMatrixView<T> outputs, int64_t row) const {
  if (loss_ == LossFunction::kBinaryCrossEntropy) {
    return std::isnan(outputs(row, 0)) ? -1 : outputs(row, 0) >= 0 ? 1 : 0;
  }
  int64_t best = 0;
  for (int64_t i = 0; i < outputs_; ++i) {
    if (std::isnan(outputs(row, i))) return -1;
    if (outputs(row, i) > outputs(row, best)) best = i;
  }
  return best;
}

template <typename T>
void Scorer<T>::AddClasses(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights) {
  for (int64_t row = 0; row < outputs.rows(); ++row) {
    const int64_t label = ClassOf(targets, row);
    const int64_t predicted = PredictedClass(outputs, row);
    const double weight = WeightOf(weights, row);
    const double right = label == predicted ? weight : 0;
    weight_ += weight;
    right_ += right;
    weight_of_class_[static_cast<size_t>(label)] += weight;
    right_of_class_[static_cast<size_t>(label)] += right;
    if (!confusion_.empty() && predicted >= 0) confusion_[static_cast<size_t>(label * classes_ + predicted)] += weight;
    if (classes_ != 2) continue;
    const double first = outputs_ == 2 ? static_cast<double>(outputs(row, 0)) : 0;
    ranked_.push_back({static_cast<double>(outputs(row, outputs_ - 1)) - first, weight, label == 1});
  }
}

template <typename T>
void Scorer<T>::AddSides(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights) {
  for (int64_t row = 0; row < outputs.rows(); ++row) {
    bool is_right = true;
    for (int64_t i = 0; i < outputs_ && is_right; ++i) {
      // Outputs are logits: 0 stands for a probability of 0.5.
      is_right = targets(row, i) >= T{0.5} ? outputs(row, i) >= 0 : outputs(row, i) < 0;
    }
    weight_ += WeightOf(weights, row);
    right_ += is_right ? WeightOf(weights, row) : 0;
  }
}

template <typename T>
void Scorer<T>::AddNumbers(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights) {
  for (int64_t row = 0; row < outputs.rows(); ++row) {
    const double weight = WeightOf(weights, row);
    weight_ += weight;
    for (int64_t i = 0; i < outputs_; ++i) {
      Spread& spread = spreads_[static_cast<size_t>(i)];
      const auto target = static_cast<double>(targets(row, i));
      const double error = target - static_cast<double>(outputs(row, i));
      const double distance = target - spread.mean;
      // The first is the mean to the last digit, so that targets that are all alike have no spread.
      spread.mean += weight == weight_ ? distance : weight * distance / weight_;
      spread.squares += weight * distance * (target - spread.mean);
      spread.errors += weight * error * error;
      absolute_errors_ += weight * std::abs(error);
    }
  }
}

template <typename T>
void Scorer<T>::Finish(Validation& validation) {
  if (classes_ > 0) {
    FinishClasses(validation);
  } else if (loss_ != LossFunction::kBinaryCrossEntropy) {
    FinishNumbers(validation);
  }
  if (classes_ > 0 || loss_ == LossFunction::kBinaryCrossEntropy) {
    validation.accuracy = right_ / weight_;
  }
  weight_ = right_ = absolute_errors_ = 0;
  std::fill(weight_of_class_.begin(), weight_of_class_.end(), 0);
  std::fill(right_of_class_.begin(), right_of_class_.end(), 0);
  std::fill(confusion_.begin(), confusion_.end(), 0);
  std::fill(spreads_.begin(), spreads_.end(), Spread());
  ranked_.clear();
}

template <typename T>
void Scorer<T>::FinishClasses(Validation& validation) {
  double recalls = 0;
  int64_t there = 0;
  for (size_t i = 0; i < weight_of_class_.size(); ++i) {
    if (weight_of_class_[i] == 0) continue;
    recalls += right_of_class_[i] / weight_of_class_[i];
    ++there;
  }
  validation.balanced_accuracy = recalls / static_cast<double>(there);
  validation.confusion = confusion_;
  if (classes_ == 2) validation.roc_auc = RocAuc();
}

template <typename T>
std::optional<double> Scorer<T>::RocAuc() {
  const double first = weight_of_class_[0];
  const double second = weight_of_class_[1];
  if (first == 0 || second == 0) return std::nullopt;
  const auto is_nan = [](const Ranked& example) { return std::isnan(example.score); };
  if (std::any_of(ranked_.begin(), ranked_.end(), is_nan)) return std::numeric_limits<double>::quiet_NaN();
  // Equals stay in the order in which they came: their weights are added up in it.
  std::stable_sort(ranked_.begin(), ranked_.end(), [](const Ranked& a, const Ranked& b) { return a.score < b.score; });
  // Twice the weight of the pairs in order: without weights all sums are whole numbers, and exact.
  double pairs = 0;
  double first_below = 0;
  for (size_t from = 0; from < ranked_.size();) {
    double first_here = 0;
    double second_here = 0;
    size_t to = from;
    for (; to < ranked_.size() && ranked_[to].score == ranked_[from].score; ++to) {
      (ranked_[to].second ? second_here : first_here) += ranked_[to].weight;
    }
    pairs += second_here * (2 * first_below + first_here);
    first_below += first_here;
    from = to;
  }
  return pairs / (2 * first * second);
}

template <typename T>
void Scorer<T>::FinishNumbers(Validation& validation) const {
  validation.mae = absolute_errors_ / (weight_ * static_cast<double>(outputs_));
  double sum = 0;
  for (const Spread& spread : spreads_) {
    // Of targets that are all alike nothing can be explained.
    if (!(spread.squares > 0)) return;
    sum += 1 - spread.errors / spread.squares;
  }
  validation.r2 = sum / static_cast<double>(outputs_);
}

template class Scorer<float>;
template class Scorer<double>;

}  // namespace pilothouse::trainer
