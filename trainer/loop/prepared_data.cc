#include "trainer/loop/prepared_data.h"

#include <utility>

#include "trainer/data/split.h"
#include "trainer/data/targets.h"

namespace pilothouse::trainer {
namespace {

absl::StatusOr<PreparedData> SplitData(const LearnerSpec& spec, Dataset&& data) {
  const absl::StatusOr<int64_t> held_out =
      CountHeldOut(spec.validation_fraction, spec.validation_examples, data.inputs.rows);
  if (!held_out.ok()) return held_out.status();
  if (*held_out == 0) return PreparedData{std::move(data), {}, std::nullopt};
  const SplitMethod method = spec.keep_order ? SplitMethod::kTail : SplitMethod::kRandom;
  const Split split = SplitRows(data.inputs.rows, {*held_out, 0}, method, /*seed=*/0);
  return PreparedData{TakeRows(data, split.training), TakeRows(data, split.validation), std::nullopt};
}

// What is held out is treated as what the network will meet later: it must not take part in measuring.
absl::Status StandardizeInputs(PreparedData& data) {
  absl::StatusOr<Standardization> standardization = MeasureStandardization(data.training.inputs);
  if (!standardization.ok()) return standardization.status();
  for (Dataset* part : {&data.training, &data.validation}) {
    Standardize(*standardization, absl::MakeSpan(part->inputs.values));
  }
  data.standardization = *std::move(standardization);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PreparedData> PrepareData(const LearnerSpec& spec, const NetworkPlan& plan, Dataset&& data) {
  if (absl::Status status = CheckInputWidth(plan.inputs, data.inputs); !status.ok()) return status;
  if (absl::Status status = PrepareTargets(spec.loss, plan.outputs, data.targets); !status.ok()) return status;
  absl::StatusOr<PreparedData> parts = SplitData(spec, std::move(data));
  if (!parts.ok() || !spec.standardize) return parts;
  if (absl::Status status = StandardizeInputs(*parts); !status.ok()) return status;
  return parts;
}

}  // namespace pilothouse::trainer
