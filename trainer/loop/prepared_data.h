// The examples of a run, checked against its spec, and which of them are for what.
#ifndef PILOTHOUSE_TRAINER_LOOP_PREPARED_DATA_H_
#define PILOTHOUSE_TRAINER_LOOP_PREPARED_DATA_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/row_selection.h"
#include "trainer/data/standardization.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/net/network_plan.h"

namespace pilothouse::trainer {

// Targets are as the loss takes them; weights, where there are any, are above 0 in every part.
struct PreparedData {
  std::shared_ptr<const Dataset> data;
  // Which rows of `data` they are. Without rows where no examples are held out, or kept for the end.
  RowSelection training = {0, 0};
  RowSelection validation = {0, 0};
  RowSelection test = {0, 0};
  // Measured on the training part; unset: inputs are taken as they are.
  std::optional<Standardization> standardization = std::nullopt;
};

// Errors: those of MakeLearner() that are about data.
absl::StatusOr<PreparedData> PrepareData(const LearnerSpec& spec, const NetworkPlan& plan, Dataset&& data);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_PREPARED_DATA_H_
