#include "trainer/loop/prepared_data.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/part_size.h"
#include "trainer/data/split.h"
#include "trainer/data/targets.h"
#include "trainer/data/weights.h"

namespace pilothouse::trainer {
namespace {

constexpr char kValidationSize[] = "data.validation_size";
constexpr char kTestSize[] = "data.test_size";
constexpr char kSplitMethod[] = "data.split";

// Unset: 0.
absl::StatusOr<int64_t> CountOf(const std::optional<std::string>& size, absl::string_view field, int64_t examples) {
  if (!size.has_value()) return 0;
  const absl::StatusOr<PartSize> parsed = PartSize::Parse(*size, field);
  return parsed.ok() ? parsed->Of(examples) : parsed.status();
}

absl::StatusOr<int64_t> CountForValidation(const LearnerSpec& spec, int64_t examples) {
  if (!spec.validation_size.has_value()) {
    return CountHeldOut(spec.validation_fraction, spec.validation_examples, examples);
  }
  if (spec.validation_fraction.has_value() || spec.validation_examples.has_value()) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, kValidationSize,
                     "Give one of validation_size, validation_fraction and validation_examples, not several.");
  }
  return CountOf(spec.validation_size, kValidationSize, examples);
}

absl::StatusOr<PartCounts> CountParts(const LearnerSpec& spec, int64_t examples) {
  const absl::StatusOr<int64_t> validation = CountForValidation(spec, examples);
  if (!validation.ok()) return validation.status();
  const absl::StatusOr<int64_t> test = CountOf(spec.test_size, kTestSize, examples);
  if (!test.ok()) return test.status();
  // Each is less than `examples`.
  if (*validation < examples - *test) return PartCounts{*validation, *test};
  return MakeError(
      v1::ERROR_REASON_SPEC_INVALID, kTestSize,
      absl::StrCat("Of ", examples, " examples, ", *validation, " for validation and ", *test,
                   " for the test leave none to learn from; make one of these parts smaller."),
      {{"examples", absl::StrCat(examples)}, {"validation", absl::StrCat(*validation)}, {"test", absl::StrCat(*test)}});
}

SplitMethod MethodOf(const LearnerSpec& spec) {
  return spec.split_method.value_or(spec.keep_order ? SplitMethod::kTail : SplitMethod::kRandom);
}

absl::StatusOr<Split> SplitData(const LearnerSpec& spec, int64_t outputs, const Dataset& data) {
  const absl::StatusOr<PartCounts> counts = CountParts(spec, data.inputs.rows);
  if (!counts.ok()) return counts.status();
  const SplitMethod method = MethodOf(spec);
  std::vector<int32_t> classes;
  if (method == SplitMethod::kStratified) {
    classes = ClassesOf(spec.loss, outputs, data.targets);
    if (classes.empty()) {
      return MakeError(v1::ERROR_REASON_SPEC_INVALID, kSplitMethod,
                       absl::StrCat("With ", Name(spec.loss), " and ", outputs, outputs == 1 ? " output" : " outputs",
                                    " an example has no class, or several, so that nothing can be stratified; split "
                                    "at random, or take the tail."));
    }
  }
  Split split = SplitRows(data.inputs.rows, *counts, method, spec.split_seed, classes);
  const RunAge age = spec.is_new ? RunAge::kNew : RunAge::kOld;
  absl::Status status = LeaveOutWeightless(data, "training part", split.training, age);
  if (status.ok()) status = LeaveOutWeightless(data, "validation part", split.validation, age);
  if (status.ok()) status = LeaveOutWeightless(data, "test part", split.test, age);
  if (status.ok() && spec.is_new) status = CheckVariety(spec.loss, outputs, data.targets, split.training);
  if (!status.ok()) return status;
  return split;
}

// Losses that take any number do not look at targets before training, so that a large file of them stays where it is.
bool TakesAnyTarget(LossFunction loss) {
  return loss != LossFunction::kCrossEntropy && loss != LossFunction::kBinaryCrossEntropy;
}

}  // namespace

absl::StatusOr<PreparedData> PrepareData(const LearnerSpec& spec, const NetworkPlan& plan, Dataset&& data) {
  if (absl::Status status = CheckInputWidth(plan.inputs, data.inputs); !status.ok()) return status;
  if (!TakesAnyTarget(spec.loss)) TakeIntoValues(data.targets);
  if (absl::Status status = PrepareTargets(spec.loss, plan.outputs, data.targets); !status.ok()) return status;
  if (absl::Status status = CheckWeights(data); !status.ok()) return status;
  absl::StatusOr<Split> split = SplitData(spec, plan.outputs, data);
  if (!split.ok()) return split.status();
  PreparedData prepared{.data = std::make_shared<const Dataset>(std::move(data)),
                        .training = RowSelection(std::move(split->training)),
                        .validation = RowSelection(std::move(split->validation)),
                        .test = RowSelection(std::move(split->test))};
  if (!spec.standardize) return prepared;
  // What is held out is treated as what the network will meet later: it must not take part in measuring.
  absl::StatusOr<Standardization> standardization =
      MeasureStandardization(prepared.data->inputs, prepared.training, prepared.data->weights);
  if (!standardization.ok()) return standardization.status();
  prepared.standardization = *std::move(standardization);
  return prepared;
}

}  // namespace pilothouse::trainer
