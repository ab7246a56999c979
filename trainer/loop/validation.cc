#include "trainer/loop/validation.h"

#include <algorithm>
#include <utility>

#include "trainer/data/batcher.h"
#include "trainer/net/loss.h"
#include "trainer/net/model.h"

namespace pilothouse::trainer {
template <typename T>
Validator<T>::Validator(const NetworkPlan& plan, LossFunction loss, BatchSource<T> blocks, int64_t examples,
                        int64_t block_rows)
    : loss_(loss),
      blocks_(std::move(blocks)),
      examples_(examples),
      network_(plan, block_rows),
      scorer_(loss, plan.outputs) {}

template <typename T>
absl::StatusOr<Validator<T>> Validator<T>::Create(const NetworkPlan& plan, LossFunction loss,
                                                  const ExampleSet& examples) {
  const int64_t rows = examples.rows.size();
  const int64_t block_rows = std::min(rows, kPredictBlockRows);
  absl::StatusOr<BatchSource<T>> blocks =
      BatchSource<T>::Create(examples, Batcher(rows, block_rows, ExampleOrder::kKept, /*seed=*/0));
  if (!blocks.ok()) return blocks.status();
  return Validator(plan, loss, *std::move(blocks), rows, block_rows);
}

template <typename T>
Validation Validator<T>::Score(const Learnt<T>& learnt, int64_t batch) {
  double total = 0;
  for (int64_t block = 1; block <= blocks_.batches_per_epoch(); ++block) {
    const ExampleViews<T> examples = blocks_.Batch(block);
    const ConstMatrixView<T> outputs = network_.Evaluate(learnt, examples.inputs);
    const double loss = LossAndGradient<T>(loss_, outputs, examples.targets, network_.OutputGradient(),
                                           examples.weights, examples.mean_weight);
    // Blocks do not count alike, the last one being smaller.
    total += loss * static_cast<double>(outputs.rows());
    scorer_.Add(outputs, examples.targets, examples.weights);
  }
  Validation validation;
  validation.batch = batch;
  validation.examples = examples_;
  validation.loss = total / static_cast<double>(examples_);
  scorer_.Finish(validation);
  return validation;
}

template class Validator<float>;
template class Validator<double>;

}  // namespace pilothouse::trainer
