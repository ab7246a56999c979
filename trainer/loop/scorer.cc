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

}  // namespace

template <typename T>
Scorer<T>::Scorer(LossFunction loss, int64_t outputs)
    : loss_(loss),
      outputs_(outputs),
      classes_(ClassesOf(loss, outputs)),
      count_(static_cast<size_t>(classes_)),
      right_of_class_(count_.size()),
      confusion_(classes_ <= kMaxConfusionClasses ? count_.size() * count_.size() : 0),
      spreads_(static_cast<size_t>(outputs)) {}

template <typename T>
void Scorer<T>::Add(ConstMatrixView<T> outputs, ConstMatrixView<T> targets) {
  examples_ += outputs.rows();
  if (classes_ > 0) {
    AddClasses(outputs, targets);
  } else if (loss_ == LossFunction::kBinaryCrossEntropy) {
    AddSides(outputs, targets);
  } else {
    AddNumbers(outputs, targets);
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
void Scorer<T>::AddClasses(ConstMatrixView<T> outputs, ConstMatrixView<T> targets) {
  for (int64_t row = 0; row < outputs.rows(); ++row) {
    const int64_t label = ClassOf(targets, row);
    const int64_t predicted = PredictedClass(outputs, row);
    const int64_t is_right = label == predicted ? 1 : 0;
    right_ += is_right;
    ++count_[static_cast<size_t>(label)];
    right_of_class_[static_cast<size_t>(label)] += is_right;
    if (!confusion_.empty() && predicted >= 0) ++confusion_[static_cast<size_t>(label * classes_ + predicted)];
    if (classes_ != 2) continue;
    const double first = outputs_ == 2 ? static_cast<double>(outputs(row, 0)) : 0;
    ranked_.push_back({static_cast<double>(outputs(row, outputs_ - 1)) - first, label == 1});
  }
}

template <typename T>
void Scorer<T>::AddSides(ConstMatrixView<T> outputs, ConstMatrixView<T> targets) {
  for (int64_t row = 0; row < outputs.rows(); ++row) {
    bool is_right = true;
    for (int64_t i = 0; i < outputs_ && is_right; ++i) {
      // Outputs are logits: 0 stands for a probability of 0.5.
      is_right = targets(row, i) >= T{0.5} ? outputs(row, i) >= 0 : outputs(row, i) < 0;
    }
    right_ += is_right ? 1 : 0;
  }
}

template <typename T>
void Scorer<T>::AddNumbers(ConstMatrixView<T> outputs, ConstMatrixView<T> targets) {
  const int64_t before = examples_ - outputs.rows();
  for (int64_t row = 0; row < outputs.rows(); ++row) {
    for (int64_t i = 0; i < outputs_; ++i) {
      Spread& spread = spreads_[static_cast<size_t>(i)];
      const auto target = static_cast<double>(targets(row, i));
      const double error = target - static_cast<double>(outputs(row, i));
      const double distance = target - spread.mean;
      spread.mean += distance / static_cast<double>(before + row + 1);
      spread.squares += distance * (target - spread.mean);
      spread.errors += error * error;
      absolute_errors_ += std::abs(error);
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
    validation.accuracy = static_cast<double>(right_) / static_cast<double>(examples_);
  }
  examples_ = right_ = 0;
  absolute_errors_ = 0;
  std::fill(count_.begin(), count_.end(), 0);
  std::fill(right_of_class_.begin(), right_of_class_.end(), 0);
  std::fill(confusion_.begin(), confusion_.end(), 0);
  std::fill(spreads_.begin(), spreads_.end(), Spread());
  ranked_.clear();
}

template <typename T>
void Scorer<T>::FinishClasses(Validation& validation) {
  double recalls = 0;
  int64_t there = 0;
  for (size_t i = 0; i < count_.size(); ++i) {
    if (count_[i] == 0) continue;
    recalls += static_cast<double>(right_of_class_[i]) / static_cast<double>(count_[i]);
    ++there;
  }
  validation.balanced_accuracy = recalls / static_cast<double>(there);
  validation.confusion = confusion_;
  if (classes_ == 2) validation.roc_auc = RocAuc();
}

template <typename T>
std::optional<double> Scorer<T>::RocAuc() {
  const int64_t first = count_[0];
  const int64_t second = count_[1];
  if (first == 0 || second == 0) return std::nullopt;
  const auto is_nan = [](const Ranked& example) { return std::isnan(example.score); };
  if (std::any_of(ranked_.begin(), ranked_.end(), is_nan)) return std::numeric_limits<double>::quiet_NaN();
  std::sort(ranked_.begin(), ranked_.end(), [](const Ranked& a, const Ranked& b) { return a.score < b.score; });
  // Twice the sum of ranks, so that a mean rank of equals is a whole number, too.
  int64_t ranks = 0;
  for (size_t from = 0; from < ranked_.size();) {
    size_t to = from;
    int64_t of_second = 0;
    for (; to < ranked_.size() && ranked_[to].score == ranked_[from].score; ++to) of_second += ranked_[to].second;
    ranks += of_second * static_cast<int64_t>(from + 1 + to);
    from = to;
  }
  return static_cast<double>(ranks - second * (second + 1)) /
         (2 * static_cast<double>(first) * static_cast<double>(second));
}

template <typename T>
void Scorer<T>::FinishNumbers(Validation& validation) const {
  validation.mae = absolute_errors_ / (static_cast<double>(examples_) * static_cast<double>(outputs_));
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
