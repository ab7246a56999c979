#include "trainer/loop/supervised_learner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/data/batch_source.h"
#include "trainer/data/standardization.h"
#include "trainer/data/targets.h"
#include "trainer/loop/supervised_model.h"
#include "trainer/net/initial_state.h"
#include "trainer/net/loss.h"
#include "trainer/net/network.h"
#include "trainer/optim/gradient_descent.h"

namespace pilothouse::trainer {
namespace {

template <typename T>
class SupervisedLearner final : public Learner {
 public:
  SupervisedLearner(LearnerFacts facts, LossFunction loss, std::shared_ptr<const ModelFrame> frame,
                    BatchSource<T> batches, int64_t batch_size, Vector<T> parameters)
      : facts_(std::move(facts)),
        loss_(loss),
        frame_(std::move(frame)),
        batches_(std::move(batches)),
        network_(frame_->plan, batch_size),
        parameters_(std::move(parameters)),
        gradient_(parameters_.size()) {}

  double Step(int64_t batch, double eta) override {
    const ExampleViews<T> examples = batches_.Batch(batch);
    const ConstMatrixView<T> outputs = network_.Forward(parameters_, examples.inputs);
    const double loss = LossAndGradient<T>(loss_, outputs, examples.targets, network_.OutputGradient());
    if (!std::isfinite(loss)) return loss;
    network_.Backward(parameters_, examples.inputs, gradient_);
    rule_.Update(eta, gradient_, parameters_);
    return loss;
  }

  std::shared_ptr<const Model> Snapshot() const override {
    return std::make_shared<SupervisedModel<T>>(frame_, parameters_);
  }

  const LearnerFacts& facts() const override { return facts_; }

 private:
  const LearnerFacts facts_;
  const LossFunction loss_;
  const std::shared_ptr<const ModelFrame> frame_;
  BatchSource<T> batches_;
  Network<T> network_;
  Vector<T> parameters_;
  Vector<T> gradient_;
  GradientDescent<T> rule_;
};

absl::Status CheckNetwork(const LearnerSpec& spec) {
  if (absl::Status status = ValidateNetwork(spec.network); !status.ok()) return status;
  return CheckLossFits(spec.network, spec.loss);
}

absl::StatusOr<int64_t> ResolveBatchSize(const LearnerSpec& spec, int64_t examples) {
  if (!spec.batch_size.has_value()) return spec.full_batch ? examples : std::min(kDefaultBatchSize, examples);
  if (spec.full_batch) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "batch_size",
                     "Give either batch_size or full_batch: a full batch is always the whole data.");
  }
  if (*spec.batch_size >= 1 && *spec.batch_size <= examples) return *spec.batch_size;
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "batch_size",
                   absl::StrCat("batch_size must lie between 1 and ", examples, ", the number of examples; got ",
                                *spec.batch_size, "."),
                   {{"value", absl::StrCat(*spec.batch_size)}, {"examples", absl::StrCat(examples)}});
}

absl::Status CheckMemory(const NetworkPlan& plan, int64_t batch_size) {
  int64_t per_example = 0;
  for (const Stage& stage : plan.stages) per_example += stage.outputs;
  const int64_t most = kMaxBatchActivations / per_example;
  if (batch_size <= most) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "batch_size",
                   absl::StrCat("A batch of ", batch_size, " examples is too large for this network; at most ", most,
                                " are possible."),
                   {{"value", absl::StrCat(batch_size)}, {"limit", absl::StrCat(most)}});
}

LearnerFacts MakeFacts(const LearnerSpec& spec, int64_t examples, int64_t batches_per_epoch) {
  LearnerFacts facts;
  facts.examples = examples;
  facts.inputs = InputCount(spec.network);
  facts.outputs = OutputCount(spec.network);
  facts.parameters = ParameterCount(spec.network);
  facts.batches_per_epoch = batches_per_epoch;
  int64_t width = facts.inputs;
  for (const Layer& layer : spec.network.layers) {
    if (const auto* affine = std::get_if<AffineLayer>(&layer)) width = affine->outputs;
    facts.layers.push_back({Describe(layer), width, ParameterCount(layer)});
  }
  return facts;
}

// What is left to do once everything but the numbers' size is known to be in order.
template <typename T>
absl::StatusOr<std::unique_ptr<Learner>> Build(const LearnerSpec& spec, std::shared_ptr<const ModelFrame> frame,
                                               Dataset data, int64_t batch_size) {
  Vector<T> parameters = InitialState<T>(spec.network, spec.seed);
  if (!parameters.allFinite()) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "network.initial_state",
                     "A value of the initial state is too large for float32; choose precision float64.");
  }
  const int64_t examples = data.inputs.rows;
  const ExampleOrder order = spec.full_batch || spec.keep_order ? ExampleOrder::kKept : ExampleOrder::kShuffled;
  absl::StatusOr<BatchSource<T>> batches =
      BatchSource<T>::Create(std::move(data), Batcher(examples, batch_size, order, spec.seed));
  if (!batches.ok()) return batches.status();
  LearnerFacts facts = MakeFacts(spec, examples, batches->batches_per_epoch());
  return std::make_unique<SupervisedLearner<T>>(std::move(facts), spec.loss, std::move(frame), *std::move(batches),
                                                batch_size, std::move(parameters));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> MakeLearner(const LearnerSpec& spec, Dataset&& data) {
  if (absl::Status status = CheckNetwork(spec); !status.ok()) return status;
  auto frame = std::make_shared<ModelFrame>(ModelFrame{MakePlan(spec.network, spec.loss), std::nullopt});
  if (absl::Status status = CheckInputWidth(frame->plan.inputs, data.inputs); !status.ok()) return status;
  if (absl::Status status = PrepareTargets(spec.loss, frame->plan.outputs, data.targets); !status.ok()) return status;
  const absl::StatusOr<int64_t> batch_size = ResolveBatchSize(spec, data.inputs.rows);
  if (!batch_size.ok()) return batch_size.status();
  if (absl::Status status = CheckMemory(frame->plan, *batch_size); !status.ok()) return status;
  if (spec.standardize) {
    absl::StatusOr<Standardization> standardization = MeasureStandardization(data.inputs);
    if (!standardization.ok()) return standardization.status();
    Standardize(*standardization, absl::MakeSpan(data.inputs.values));
    frame->standardization = *std::move(standardization);
  }
  return spec.precision == Precision::kFloat32 ? Build<float>(spec, std::move(frame), std::move(data), *batch_size)
                                               : Build<double>(spec, std::move(frame), std::move(data), *batch_size);
}

absl::StatusOr<SavedModel> LoadModel(const LearnerSpec& spec, const std::string& path) {
  if (absl::Status status = CheckNetwork(spec); !status.ok()) return status;
  const absl::StatusOr<TensorFile> contents = ReadSafetensors(path);
  if (ReasonOf(contents.status()) == v1::ERROR_REASON_FILE_NOT_FOUND) {
    return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "", "The run has no saved parameters to predict with.");
  }
  if (!contents.ok()) return contents.status();
  SavedModel saved;
  const auto batch = contents->metadata.find("batch");
  if (batch == contents->metadata.end() || !absl::SimpleAtoi(batch->second, &saved.batch) || saved.batch < 0) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "", "The file of saved parameters does not say its batch.");
  }
  const NetworkPlan plan = MakePlan(spec.network, spec.loss);
  absl::StatusOr<std::shared_ptr<const Model>> model =
      spec.precision == Precision::kFloat32 ? SupervisedModel<float>::FromFile(plan, spec.standardize, *contents)
                                            : SupervisedModel<double>::FromFile(plan, spec.standardize, *contents);
  if (!model.ok()) return model.status();
  saved.model = *std::move(model);
  return saved;
}

}  // namespace pilothouse::trainer
