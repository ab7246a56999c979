// The examples of a run, checked against its spec, split into parts and standardised.
#ifndef PILOTHOUSE_TRAINER_LOOP_PREPARED_DATA_H_
#define PILOTHOUSE_TRAINER_LOOP_PREPARED_DATA_H_

#include <optional>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/standardization.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/net/network_plan.h"

namespace pilothouse::trainer {

// Inputs and targets are as network and loss take them; weights, where there are any, are above 0.
struct PreparedData {
  Dataset training;
  // Without rows where no examples are held out, or kept for the end.
  Dataset validation = {};
  Dataset test = {};
  // Measured on the training part; unset: inputs are as they were.
  std::optional<Standardization> standardization = std::nullopt;
};

// Errors: those of MakeLearner() that are about data.
absl::StatusOr<PreparedData> PrepareData(const LearnerSpec& spec, const NetworkPlan& plan, Dataset&& data);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_PREPARED_DATA_H_
