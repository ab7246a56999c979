#include "trainer/loop/validation.h"

#include <algorithm>
#include <utility>

#include "trainer/data/batcher.h"
#include "trainer/net/loss.h"
#include "trainer/net/model.h"

namespace pilothouse::trainer {
namespace {

// The first of the largest outputs is what is predicted. Not right if an output is NaN.
template <typename T>
bool PredictsLabel(ConstMatrixView<T> outputs, int64_t row, int64_t label) {
  const T chosen = outputs(row, label);
  for (int64_t i = 0; i < outputs.cols(); ++i) {
    if (i != label && !(i < label ? chosen > outputs(row, i) : chosen >= outputs(row, i))) return false;
  }
  return true;
}

// Outputs are logits: 0 stands for a probability of 0.5.
template <typename T>
bool PredictsSides(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, int64_t row) {
  for (int64_t i = 0; i < outputs.cols(); ++i) {
    const T output = outputs(row, i);
    if (!(targets(row, i) >= T{0.5} ? output >= 0 : output < 0)) return false;
  }
  return true;
}

template <typename T>
int64_t CountRight(LossFunction loss, ConstMatrixView<T> outputs, ConstMatrixView<T> targets) {
  int64_t right = 0;
  for (int64_t row = 0; row < outputs.rows(); ++row) {
    const bool is_right = loss == LossFunction::kCrossEntropy
                              ? PredictsLabel<T>(outputs, row, static_cast<int64_t>(targets(row, 0)))
                              : PredictsSides<T>(outputs, targets, row);
    right += is_right ? 1 : 0;
  }
  return right;
}

}  // namespace

template <typename T>
Validator<T>::Validator(const NetworkPlan& plan, LossFunction loss, BatchSource<T> blocks, int64_t examples,
                        int64_t block_rows)
    : loss_(loss), blocks_(std::move(blocks)), examples_(examples), network_(plan, block_rows) {}

template <typename T>
absl::StatusOr<Validator<T>> Validator<T>::Create(const NetworkPlan& plan, LossFunction loss, Dataset examples) {
  const int64_t rows = examples.inputs.rows;
  const int64_t block_rows = std::min(rows, kPredictBlockRows);
  absl::StatusOr<BatchSource<T>> blocks =
      BatchSource<T>::Create(std::move(examples), Batcher(rows, block_rows, ExampleOrder::kKept, /*seed=*/0));
  if (!blocks.ok()) return blocks.status();
  return Validator(plan, loss, *std::move(blocks), rows, block_rows);
}

template <typename T>
Validation Validator<T>::Score(const Learnt<T>& learnt, int64_t batch) {
  const bool has_accuracy = loss_ == LossFunction::kCrossEntropy || loss_ == LossFunction::kBinaryCrossEntropy;
  double total = 0;
  int64_t right = 0;
  for (int64_t block = 1; block <= blocks_.batches_per_epoch(); ++block) {
    const ExampleViews<T> examples = blocks_.Batch(block);
    const ConstMatrixView<T> outputs = network_.Evaluate(learnt, examples.inputs);
    // The last block is smaller: the mean of the blocks' means would count its examples more than the others.
    total += LossAndGradient<T>(loss_, outputs, examples.targets, network_.OutputGradient()) *
             static_cast<double>(outputs.rows());
    if (has_accuracy) right += CountRight<T>(loss_, outputs, examples.targets);
  }
  Validation validation;
  validation.batch = batch;
  validation.examples = examples_;
  validation.loss = total / static_cast<double>(examples_);
  if (has_accuracy) validation.accuracy = static_cast<double>(right) / static_cast<double>(examples_);
  return validation;
}

template class Validator<float>;
template class Validator<double>;

}  // namespace pilothouse::trainer
