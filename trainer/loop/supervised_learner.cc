#include "trainer/loop/supervised_learner.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/buffer_pool.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/data/batch_source.h"
#include "trainer/kernels/thread_team.h"
#include "trainer/loop/prepared_data.h"
#include "trainer/loop/supervised_model.h"
#include "trainer/loop/validation.h"
#include "trainer/net/initial_state.h"
#include "trainer/net/loss.h"
#include "trainer/net/network.h"
#include "trainer/optim/update_rule.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {
namespace {

// Whether a unit of the stage can give 0 whatever it is given, and not come back.
bool CanDie(const Stage& stage) {
  const auto* map = std::get_if<MapStep>(&stage.step);
  return map != nullptr && map->activation == Activation::kRelu;
}

// What each stage gave in the last forward pass; empty before any.
template <typename T>
std::vector<Activations> CopyActivations(const Network<T>& network) {
  std::vector<Activations> layers;
  const std::vector<Stage>& stages = network.plan().stages;
  for (size_t i = 0; i < stages.size(); ++i) {
    const ConstMatrixView<T> result = network.StageResult(i);
    if (result.rows() == 0) return {};
    layers.push_back(
        {.layer = absl::StrCat("layers.", stages[i].layer),
         .can_die = CanDie(stages[i]),
         .values = {{result.rows(), result.cols()}, std::vector<T>(result.data(), result.data() + result.size())}});
  }
  return layers;
}

// The parts of the data, each with what it is for.
template <typename T>
struct Sources {
  BatchSource<T> training;
  // Unset: no examples are held out, or kept for the end.
  std::optional<Validator<T>> validation;
  std::optional<Validator<T>> test;
};

template <typename T>
class SupervisedLearner final : public Learner {
 public:
  using InitialParameters = std::function<Vector<T>()>;

  SupervisedLearner(const LearnerSpec& spec, LearnerFacts facts, std::shared_ptr<const ModelFrame> frame,
                    Sources<T> sources, Vector<T> parameters, InitialParameters initial_parameters)
      : facts_(std::move(facts)),
        loss_(spec.loss),
        seed_(spec.seed),
        frame_(std::move(frame)),
        sources_(std::move(sources)),
        team_(spec.threads > 1 ? std::make_unique<ThreadTeam>(spec.threads) : nullptr),
        network_(NewNetwork()),
        initial_parameters_(std::move(initial_parameters)),
        learnt_{std::move(parameters), InitialStatistics<T>(frame_->plan)},
        gradient_(Vector<T>::Zero(learnt_.parameters.size())),
        copies_(BytesOf(learnt_.parameters) + BytesOf(learnt_.statistics)),
        rule_(MakeUpdateRule<T>(spec.optimizer, learnt_.parameters.size())) {}

  void Reset() override {
    learnt_ = {initial_parameters_(), InitialStatistics<T>(frame_->plan)};
    rule_->Reset();
    ForgetLastBatch();
  }

  void Save(SavedState& state) const override {
    // The training thread waits for this copy.
    const std::shared_ptr<char> copy = copies_.Take();
    char* const statistics = copy.get() + BytesOf(learnt_.parameters);
    std::memcpy(copy.get(), learnt_.parameters.data(), BytesOf(learnt_.parameters));
    if (learnt_.statistics.size() > 0) {
      std::memcpy(statistics, learnt_.statistics.data(), BytesOf(learnt_.statistics));
    }
    AddModel(frame_, reinterpret_cast<const T*>(copy.get()), reinterpret_cast<const T*>(statistics), copy, state);
    rule_->Save(state);
  }

  absl::Status Restore(const SavedState& state) override {
    absl::StatusOr<Learnt<T>> learnt = LearntIn<T>(frame_->plan, state);
    if (!learnt.ok()) return learnt.status();
    if (absl::Status status = rule_->Restore(state); !status.ok()) return status;
    learnt_ = *std::move(learnt);
    ForgetLastBatch();
    return absl::OkStatus();
  }

  double Step(int64_t batch, const UpdateSettings& settings) override {
    const ExampleViews<T> examples = sources_.training.Batch(batch);
    const ConstMatrixView<T> outputs = network_.Forward(learnt_.parameters, examples.inputs, batch);
    const double loss = LossAndGradient<T>(loss_, outputs, examples.targets, network_.OutputGradient(),
                                           examples.weights, examples.mean_weight);
    if (!std::isfinite(loss)) return loss;
    if (const std::optional<T> step = rule_->PlainStep(settings); step.has_value()) {
      network_.BackwardAndDescend(learnt_.parameters, examples.inputs, *step, gradient_);
    } else {
      network_.Backward(learnt_.parameters, examples.inputs, gradient_);
      rule_->Update(settings, gradient_, learnt_.parameters);
    }
    network_.UpdateStatistics(learnt_.statistics);
    return loss;
  }

  std::shared_ptr<const Model> Snapshot() const override {
    return std::make_shared<SupervisedModel<T>>(frame_, learnt_);
  }

  absl::Status Load(const std::string& path) override {
    const absl::StatusOr<SavedState> contents = ReadSafetensors(path);
    if (!contents.ok()) return contents.status();
    const auto model = SupervisedModel<T>::FromFile(frame_->plan, frame_->standardization.has_value(), *contents);
    if (!model.ok()) return model.status();
    learnt_ = (*model)->learnt();
    // What it remembers belongs to the parameters that were, and may have diverged with them.
    rule_->Reset();
    return absl::OkStatus();
  }

  NumberArray Gradient() const override {
    return {{gradient_.size()}, std::vector<T>(gradient_.begin(), gradient_.end())};
  }

  std::vector<Activations> LayerActivations() const override { return CopyActivations(network_); }

  absl::StatusOr<Validation> Validate(int64_t batch) override {
    if (sources_.validation.has_value()) return sources_.validation->Score(learnt_, batch);
    return MakeError(v1::ERROR_REASON_NO_VALIDATION_DATA, "",
                     absl::StrCat("The run holds no examples out. ", kHowToHoldOut));
  }

  absl::StatusOr<Validation> Test(int64_t batch) override {
    if (sources_.test.has_value()) return sources_.test->Score(learnt_, batch);
    return MakeError(v1::ERROR_REASON_NO_TEST_DATA, "",
                     "The run keeps no examples for the end. Start one that does: --test, or test=… in Python.");
  }

  const LearnerFacts& facts() const override { return facts_; }

 private:
  static size_t BytesOf(const Vector<T>& vector) { return static_cast<size_t>(vector.size()) * sizeof(T); }
  // Nothing was computed yet.
  void ForgetLastBatch() {
    gradient_.setZero();
    network_ = NewNetwork();
  }
  Network<T> NewNetwork() const {
    return Network<T>(frame_->plan, facts_.batch_size, {.seed = seed_, .threads = team_.get()});
  }

  const LearnerFacts facts_;
  const LossFunction loss_;
  const uint64_t seed_;
  const std::shared_ptr<const ModelFrame> frame_;
  Sources<T> sources_;
  // Null: the training thread computes alone.
  const std::unique_ptr<ThreadTeam> team_;
  Network<T> network_;
  // Made again where they are needed, rather than kept: they take as much memory as the parameters.
  const InitialParameters initial_parameters_;
  Learnt<T> learnt_;
  Vector<T> gradient_;
  mutable BufferPool copies_;
  const std::unique_ptr<UpdateRule<T>> rule_;
};

absl::Status CheckThreads(int threads) {
  if (threads >= 1 && threads <= kMaxThreads) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "threads",
                   absl::StrCat("threads must lie between 1 and ", kMaxThreads, "; got ", threads, "."),
                   {{"value", absl::StrCat(threads)}, {"limit", absl::StrCat(kMaxThreads)}});
}

absl::Status CheckNetwork(const LearnerSpec& spec) {
  if (absl::Status status = ValidateNetwork(spec.network); !status.ok()) return status;
  return CheckLossFits(spec.network, spec.loss);
}

absl::StatusOr<int64_t> ResolveBatchSize(const LearnerSpec& spec, int64_t examples) {
  if (!spec.batch_size.has_value()) return spec.full_batch ? examples : std::min(kDefaultBatchSize, examples);
  if (spec.full_batch) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "batch_size",
                     "Give either batch_size or full_batch: a full batch is always all examples to learn from.");
  }
  if (*spec.batch_size >= 1 && *spec.batch_size <= examples) return *spec.batch_size;
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "batch_size",
                   absl::StrCat("batch_size must lie between 1 and ", examples,
                                ", the number of examples to learn from; got ", *spec.batch_size, "."),
                   {{"value", absl::StrCat(*spec.batch_size)}, {"examples", absl::StrCat(examples)}});
}

// Of one example there is no variance: a batch norm would make the same of whatever it is given.
absl::Status CheckBatchNorms(const NetworkPlan& plan, int64_t examples, int64_t batch_size) {
  const int64_t rest = examples % batch_size;
  if (plan.statistics == 0 || (batch_size > 1 && rest != 1)) return absl::OkStatus();
  const std::string shown = absl::StrCat(batch_size);
  const std::string which = batch_size == 1 ? "every batch has one" : "the last batch of an epoch has one";
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "batch_size",
                   absl::StrCat("A batch norm needs at least two examples in every batch; with a batch_size of ", shown,
                                " and ", examples, " examples to learn from, ", which,
                                ". Choose another batch_size, or hold out more or fewer examples."),
                   {{"value", shown}, {"examples", absl::StrCat(examples)}});
}

absl::Status CheckMemory(const NetworkPlan& plan, int64_t batch_size) {
  int64_t per_example = 0;
  for (const Stage& stage : plan.stages) per_example += NumbersPerExample(stage);
  const int64_t most = kMaxBatchActivations / per_example;
  if (batch_size <= most) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "batch_size",
                   absl::StrCat("A batch of ", batch_size, " examples is too large for this network; at most ", most,
                                " are possible."),
                   {{"value", absl::StrCat(batch_size)}, {"limit", absl::StrCat(most)}});
}

LearnerFacts MakeFacts(const LearnerSpec& spec, const NetworkPlan& plan, const PreparedData& data, int64_t batch_size) {
  LearnerFacts facts;
  facts.examples = data.training.size();
  facts.validation_examples = data.validation.size();
  facts.test_examples = data.test.size();
  facts.inputs = plan.inputs;
  facts.outputs = plan.outputs;
  facts.parameters = plan.parameters;
  facts.batch_size = batch_size;
  facts.batches_per_epoch = (facts.examples + batch_size - 1) / batch_size;
  int64_t width = facts.inputs;
  for (const Layer& layer : spec.network.layers) {
    if (const auto* affine = std::get_if<AffineLayer>(&layer)) width = affine->outputs;
    facts.layers.push_back({Describe(layer), width, ParameterCount(layer)});
  }
  facts.blocks = ParameterBlocks(plan);
  facts.scores = ScoreNames(spec.loss, plan.outputs);
  facts.input_names = data.data->input_names;
  return facts;
}

// Unset for a part without examples.
template <typename T>
absl::StatusOr<std::optional<Validator<T>>> MakeValidator(const LearnerSpec& spec, const NetworkPlan& plan,
                                                          const ExampleSet& part) {
  if (part.rows.size() == 0) return std::nullopt;
  absl::StatusOr<Validator<T>> validator = Validator<T>::Create(plan, spec.loss, part);
  if (!validator.ok()) return validator.status();
  return std::optional<Validator<T>>(*std::move(validator));
}

template <typename T>
absl::StatusOr<Sources<T>> MakeSources(const LearnerSpec& spec, const std::shared_ptr<const ModelFrame>& frame,
                                       const LearnerFacts& facts, const PreparedData& data) {
  const ExampleOrder order = spec.full_batch || spec.keep_order ? ExampleOrder::kKept : ExampleOrder::kShuffled;
  const std::shared_ptr<const Standardization> standardization =
      frame->standardization.has_value() ? std::shared_ptr<const Standardization>(frame, &*frame->standardization)
                                         : nullptr;
  absl::StatusOr<BatchSource<T>> training = BatchSource<T>::Create(
      {data.data, data.training, standardization}, Batcher(facts.examples, facts.batch_size, order, spec.seed));
  if (!training.ok()) return training.status();
  absl::StatusOr<std::optional<Validator<T>>> validation =
      MakeValidator<T>(spec, frame->plan, {data.data, data.validation, standardization});
  if (!validation.ok()) return validation.status();
  absl::StatusOr<std::optional<Validator<T>>> test =
      MakeValidator<T>(spec, frame->plan, {data.data, data.test, standardization});
  if (!test.ok()) return test.status();
  return Sources<T>{*std::move(training), *std::move(validation), *std::move(test)};
}

// What is left to do once everything but the numbers' size is known to be in order.
template <typename T>
absl::StatusOr<std::unique_ptr<Learner>> Build(const LearnerSpec& spec, std::shared_ptr<const ModelFrame> frame,
                                               const PreparedData& data, int64_t batch_size) {
  const auto initial_parameters = [network = spec.network, seed = spec.seed] { return InitialState<T>(network, seed); };
  Vector<T> parameters = initial_parameters();
  if (!parameters.allFinite()) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "network.initial_state",
                     "A value of the initial state is too large for float32; choose precision float64.");
  }
  LearnerFacts facts = MakeFacts(spec, frame->plan, data, batch_size);
  absl::StatusOr<Sources<T>> sources = MakeSources<T>(spec, frame, facts, data);
  if (!sources.ok()) return sources.status();
  return std::make_unique<SupervisedLearner<T>>(spec, std::move(facts), std::move(frame), *std::move(sources),
                                                std::move(parameters), initial_parameters);
}

absl::StatusOr<SavedState> ReadParameters(const std::string& path, const std::string& sha256) {
  absl::StatusOr<SavedState> state = sha256.empty() ? ReadSafetensors(path) : ReadCheckpoint(path, sha256);
  if (state.ok()) return state;
  std::error_code error;
  // Where nobody may look, it may be there.
  if (std::filesystem::status(path, error).type() != std::filesystem::file_type::not_found) return state;
  return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "",
                   absl::StrCat("The file ", path, " is not there, so its parameters cannot be used."),
                   {{"file", path}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> MakeLearner(const LearnerSpec& spec, Dataset&& data) {
  if (absl::Status status = CheckNetwork(spec); !status.ok()) return status;
  if (absl::Status status = CheckThreads(spec.threads); !status.ok()) return status;
  auto frame = std::make_shared<ModelFrame>(ModelFrame{MakePlan(spec.network, spec.loss), std::nullopt});
  absl::StatusOr<PreparedData> parts = PrepareData(spec, frame->plan, std::move(data));
  if (!parts.ok()) return parts.status();
  const int64_t examples = parts->training.size();
  const absl::StatusOr<int64_t> batch_size = ResolveBatchSize(spec, examples);
  if (!batch_size.ok()) return batch_size.status();
  if (absl::Status status = CheckMemory(frame->plan, *batch_size); !status.ok()) return status;
  if (absl::Status status = CheckBatchNorms(frame->plan, examples, *batch_size); !status.ok()) return status;
  frame->standardization = std::move(parts->standardization);
  return spec.precision == Precision::kFloat32 ? Build<float>(spec, std::move(frame), *parts, *batch_size)
                                               : Build<double>(spec, std::move(frame), *parts, *batch_size);
}

absl::StatusOr<SavedModel> LoadModel(const LearnerSpec& spec, const std::string& path, const std::string& sha256) {
  if (absl::Status status = CheckNetwork(spec); !status.ok()) return status;
  const absl::StatusOr<SavedState> contents = ReadParameters(path, sha256);
  if (!contents.ok()) return contents.status();
  SavedModel saved;
  const auto batch = contents->texts.find("batch");
  if (batch == contents->texts.end() || !absl::SimpleAtoi(batch->second, &saved.batch) || saved.batch < 0) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "", "The file of saved parameters does not say its batch.");
  }
  const NetworkPlan plan = MakePlan(spec.network, spec.loss);
  using Made = absl::StatusOr<std::shared_ptr<const Model>>;
  Made model = spec.precision == Precision::kFloat32
                   ? Made(SupervisedModel<float>::FromFile(plan, spec.standardize, *contents))
                   : Made(SupervisedModel<double>::FromFile(plan, spec.standardize, *contents));
  if (!model.ok()) return model.status();
  saved.model = *std::move(model);
  return saved;
}

}  // namespace pilothouse::trainer
