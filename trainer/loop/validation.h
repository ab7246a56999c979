// Scoring parameters on examples that a run does not learn from.
#ifndef PILOTHOUSE_TRAINER_LOOP_VALIDATION_H_
#define PILOTHOUSE_TRAINER_LOOP_VALIDATION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "trainer/data/batch_source.h"
#include "trainer/loop/scorer.h"
#include "trainer/net/learnt.h"
#include "trainer/net/network.h"
#include "trainer/net/network_plan.h"
#include "trainer/net/network_spec.h"
#include "trainer/plugin/validation.h"

namespace pilothouse::trainer {

// T is float or double. Has a network of its own, so that scoring leaves no trace in training; not thread-safe.
template <typename T>
class Validator {
 public:
  // The examples' weights are above 0. Error: DATA_MALFORMED for a number that T cannot hold.
  static absl::StatusOr<Validator> Create(const NetworkPlan& plan, LossFunction loss, const ExampleSet& examples);

  // The loss is the mean over all examples, Σ w·l / Σ w with weights, block by block in their order.
  Validation Score(const Learnt<T>& learnt, int64_t batch);

 private:
  Validator(const NetworkPlan& plan, LossFunction loss, BatchSource<T> blocks, int64_t examples, int64_t block_rows);

  LossFunction loss_;
  // Goes through the examples in their order, a block being a batch.
  BatchSource<T> blocks_;
  int64_t examples_;
  Network<T> network_;
  Scorer<T> scorer_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_VALIDATION_H_
