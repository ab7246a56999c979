#include "trainer/channel/run_spec.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/log.h"
#include "proto/support/tensor.h"
#include "trainer/channel/fork_point.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/parsed_file.h"
#include "trainer/channel/plugin_messages.h"
#include "trainer/channel/run_knobs.h"
#include "trainer/channel/run_past.h"
#include "trainer/data/dataset.h"

namespace pilothouse::trainer {
namespace {

constexpr char kSpec[] = "spec";

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field, message);
}

absl::StatusOr<Activation> FromMessage(v1::Activation activation, absl::string_view field) {
  switch (activation) {
    case v1::ACTIVATION_TANH:
      return Activation::kTanh;
    case v1::ACTIVATION_RELU:
      return Activation::kRelu;
    case v1::ACTIVATION_SIGMOID:
      return Activation::kSigmoid;
    case v1::ACTIVATION_GELU:
      return Activation::kGelu;
    case v1::ACTIVATION_SOFTMAX:
      return Activation::kSoftmax;
    case v1::ACTIVATION_LEAKY_RELU:
      return Activation::kLeakyRelu;
    case v1::ACTIVATION_SILU:
      return Activation::kSilu;
    case v1::ACTIVATION_SOFTPLUS:
      return Activation::kSoftplus;
    default:
      return MakeError(v1::ERROR_REASON_NET_INVALID, field,
                       "A map layer needs an activation: tanh, ReLU, sigmoid, GELU, leaky ReLU, SiLU, softplus or "
                       "softmax.");
  }
}

absl::StatusOr<std::vector<Layer>> FromMessage(const v1::LayerList& list) {
  std::vector<Layer> layers;
  for (const v1::Layer& message : list.layers()) {
    const std::string field = absl::StrCat("network.layers.layers[", layers.size(), "]");
    switch (message.kind_case()) {
      case v1::Layer::kAffine:
        layers.push_back(AffineLayer{message.affine().inputs(), message.affine().outputs()});
        break;
      case v1::Layer::kIdentity:
        layers.push_back(IdentityLayer{});
        break;
      case v1::Layer::kMap: {
        const absl::StatusOr<Activation> activation = FromMessage(message.map().activation(), field);
        if (!activation.ok()) return activation.status();
        layers.push_back(MapLayer{*activation});
        break;
      }
      case v1::Layer::kLayerNorm:
        layers.push_back(LayerNormLayer{message.layer_norm().features()});
        break;
      case v1::Layer::kDropout:
        layers.push_back(DropoutLayer{message.dropout().rate()});
        break;
      case v1::Layer::kBatchNorm:
        layers.push_back(BatchNormLayer{message.batch_norm().features()});
        break;
      case v1::Layer::KIND_NOT_SET:
        return MakeError(v1::ERROR_REASON_NET_INVALID, field,
                         "A layer is affine, identity, map, layer_norm, dropout or batch_norm; this one is nothing.");
    }
  }
  return layers;
}

absl::StatusOr<NetworkSpec> FormOf(const v1::NetworkSpec& message) {
  switch (message.form_case()) {
    case v1::NetworkSpec::kShorthand:
      return ParseShorthand(message.shorthand());
    case v1::NetworkSpec::kLayers: {
      absl::StatusOr<std::vector<Layer>> layers = FromMessage(message.layers());
      if (!layers.ok()) return layers.status();
      return NetworkSpec{.layers = *std::move(layers), .initializer = Initializer::kScaled, .initial_state = {}};
    }
    case v1::NetworkSpec::FORM_NOT_SET:
      break;
  }
  return Invalid("network", "A run needs a network: a shorthand such as 64x128rx10, or layers.");
}

absl::StatusOr<NetworkSpec> FromMessage(const v1::NetworkSpec& message) {
  absl::StatusOr<NetworkSpec> network = FormOf(message);
  if (!network.ok()) return network;
  switch (message.initializer()) {
    case v1::INITIALIZER_UNSPECIFIED:
    case v1::INITIALIZER_SCALED:
      network->initializer = Initializer::kScaled;
      break;
    case v1::INITIALIZER_NORMAL:
      network->initializer = Initializer::kNormal;
      break;
    case v1::INITIALIZER_GLOROT:
      network->initializer = Initializer::kGlorot;
      break;
    case v1::INITIALIZER_HE:
      network->initializer = Initializer::kHe;
      break;
    case v1::INITIALIZER_ZEROS:
      network->initializer = Initializer::kZeros;
      break;
    default:
      return Invalid("network.initializer",
                     "The trainer knows no such initializer; it knows scaled, normal, glorot, he and zeros.");
  }
  if (message.has_initial_state()) {
    absl::Status status = CheckTensor(message.initial_state(), "network.initial_state");
    if (!status.ok()) return status;
    network->initial_state = ToNumberArray(message.initial_state());
  }
  if (absl::Status status = ValidateNetwork(*network); !status.ok()) return status;
  return network;
}

absl::StatusOr<LossFunction> FromMessage(v1::LossFunction loss) {
  switch (loss) {
    case v1::LOSS_FUNCTION_CROSS_ENTROPY:
      return LossFunction::kCrossEntropy;
    case v1::LOSS_FUNCTION_BINARY_CROSS_ENTROPY:
      return LossFunction::kBinaryCrossEntropy;
    case v1::LOSS_FUNCTION_MSE:
      return LossFunction::kMse;
    case v1::LOSS_FUNCTION_HALF_MSE:
      return LossFunction::kHalfMse;
    case v1::LOSS_FUNCTION_HUBER:
      return LossFunction::kHuber;
    default:
      return Invalid("loss", "A loss must be chosen: cross_entropy, binary_cross_entropy, mse, half_mse or huber.");
  }
}

absl::StatusOr<Precision> FromMessage(v1::Precision precision) {
  switch (precision) {
    case v1::PRECISION_UNSPECIFIED:
    case v1::PRECISION_FLOAT32:
      return Precision::kFloat32;
    case v1::PRECISION_FLOAT64:
      return Precision::kFloat64;
    default:
      return Invalid("precision", "The trainer knows no such precision; it knows float32 and float64.");
  }
}

absl::Status PlanSplit(const v1::DataSpec& data, LearnerSpec& learner) {
  if (data.has_validation_fraction()) learner.validation_fraction = data.validation_fraction();
  if (data.has_validation_examples()) learner.validation_examples = data.validation_examples();
  if (data.has_validation_size()) learner.validation_size = data.validation_size();
  if (!data.test_size().empty()) learner.test_size = data.test_size();
  learner.split_seed = data.split_seed();
  switch (data.split()) {
    case v1::SPLIT_METHOD_UNSPECIFIED:
      break;
    case v1::SPLIT_METHOD_RANDOM:
      learner.split_method = SplitMethod::kRandom;
      break;
    case v1::SPLIT_METHOD_TAIL:
      learner.split_method = SplitMethod::kTail;
      break;
    case v1::SPLIT_METHOD_STRATIFIED:
      learner.split_method = SplitMethod::kStratified;
      break;
    default:
      return Invalid("data.split", "The trainer knows no such split; it knows random, tail and stratified.");
  }
  return absl::OkStatus();
}

absl::StatusOr<LearnerSpec> PlanLearner(const v1::RunSpec& spec) {
  LearnerSpec learner;
  absl::StatusOr<NetworkSpec> network = FromMessage(spec.network());
  if (!network.ok()) return network.status();
  learner.network = *std::move(network);
  const absl::StatusOr<LossFunction> loss = FromMessage(spec.loss());
  if (!loss.ok()) return loss.status();
  learner.loss = *loss;
  const absl::StatusOr<Precision> precision = FromMessage(spec.precision());
  if (!precision.ok()) return precision.status();
  learner.precision = *precision;
  if (spec.has_batch_size()) {
    if (spec.full_batch()) return Invalid("batch_size", "Give a batch_size or ask for full_batch, not both.");
    if (spec.batch_size() < 1) return Invalid("batch_size", "A batch holds at least one example.");
    learner.batch_size = spec.batch_size();
  }
  learner.full_batch = spec.full_batch();
  learner.keep_order = spec.keep_order();
  learner.seed = spec.seed();
  learner.standardize = spec.data().standardize();
  // A spec of an older client, or journal, names no number.
  learner.threads = spec.threads() == 0 ? 1 : spec.threads();
  if (absl::Status split = PlanSplit(spec.data(), learner); !split.ok()) return split;
  return learner;
}

absl::StatusOr<CheckpointRetention> PlanRetention(const v1::RunSpec& spec) {
  const v1::CheckpointSpec& checkpoints = spec.checkpoints();
  const bool holds_out = spec.data().validation_case() != v1::DataSpec::VALIDATION_NOT_SET;
  const CheckpointRetention retention{
      .keep_last = checkpoints.has_keep_last() ? checkpoints.keep_last() : CheckpointRetention().keep_last,
      .keep_every = checkpoints.keep_every(),
      .keep_best = checkpoints.has_keep_best() ? checkpoints.keep_best() : holds_out};
  const bool in_range = retention.keep_last >= 1 && retention.keep_last <= kMaxKeepLast && retention.keep_every >= 0 &&
                        retention.keep_every <= kMaxTarget;
  if (in_range) return retention;
  return MakeError(v1::ERROR_REASON_CHECKPOINTS_INVALID, "checkpoints",
                   absl::StrCat("Of checkpoints, keep_last from 1 to ", kMaxKeepLast,
                                " are kept, and those at multiples of keep_every, 0 (off) or more; got ",
                                retention.keep_last, " and ", retention.keep_every, "."),
                   {{"value", absl::StrCat(retention.keep_last)}});
}

absl::StatusOr<std::vector<PluginSpec>> PlanPlugins(const v1::RunSpec& spec) {
  std::vector<PluginSpec> plugins;
  for (const v1::PluginSpec& message : spec.plugins()) {
    absl::StatusOr<PluginSpec> plugin = trainer::FromMessage(message);
    if (!plugin.ok()) return WithFieldPrefix(plugin.status(), absl::StrCat("plugins[", plugins.size(), "]"));
    plugins.push_back(*std::move(plugin));
  }
  return plugins;
}

ColumnChoice PlanColumns(const v1::DataSpec& data) {
  ColumnChoice columns;
  columns.targets.assign(data.target_columns().begin(), data.target_columns().end());
  if (!data.weight_column().empty()) columns.weight = data.weight_column();
  columns.ignored.assign(data.ignored_columns().begin(), data.ignored_columns().end());
  return columns;
}

absl::StatusOr<RunPlan> Plan(const v1::RunSpec& spec) {
  absl::StatusOr<LearnerSpec> learner = PlanLearner(spec);
  if (!learner.ok()) return learner.status();
  if (spec.data().source_case() == v1::DataSpec::SOURCE_NOT_SET) {
    return Invalid("data", "A run needs data: an uploaded dataset or a file.");
  }
  absl::StatusOr<Knobs> knobs = PlanKnobs(spec, ParameterCount(learner->network));
  if (!knobs.ok()) return knobs.status();
  absl::StatusOr<EtaSchedule> eta_schedule = PlanEtaSchedule(spec);
  if (!eta_schedule.ok()) return eta_schedule.status();
  absl::StatusOr<std::vector<PluginSpec>> plugins = PlanPlugins(spec);
  if (!plugins.ok()) return plugins.status();
  const absl::StatusOr<CheckpointRetention> retention = PlanRetention(spec);
  if (!retention.ok()) return retention.status();
  learner->optimizer = knobs->optimizer;
  return RunPlan{.learner = *std::move(learner),
                 .columns = PlanColumns(spec.data()),
                 .knobs = *std::move(knobs),
                 .eta_schedule = *std::move(eta_schedule),
                 .plugins = *std::move(plugins),
                 .retention = *retention};
}

}  // namespace

absl::StatusOr<RunPlan> PlanRun(const v1::RunSpec& spec) {
  absl::StatusOr<RunPlan> plan = Plan(spec);
  if (!plan.ok()) return WithFieldPrefix(plan.status(), kSpec);
  return plan;
}

absl::StatusOr<std::unique_ptr<Learner>> BuildLearner(const RunPlan& plan, const DataFiles& files, ParsedCopy* copy) {
  if (files.table.empty() && !plan.columns.ignored.empty()) {
    return Invalid("data.ignored_columns",
                   "Arrays have no columns that could be ignored: upload those inputs that are to be learnt from.");
  }
  if (files.table.empty() && plan.columns.weight.has_value()) {
    return Invalid("data.weight_column",
                   "Arrays have no columns with names: upload the weights as a third array, and name no column.");
  }
  absl::StatusOr<Dataset> data = files.table.empty() ? ReadArrays(files.inputs, files.targets, files.weights)
                                                     : ReadTable(files.table, plan.columns, copy,
                                                                 plan.learner.is_new ? RunAge::kNew : RunAge::kOld);
  if (!data.ok()) return data.status();
  Log(absl::StrCat("data read: ", data->inputs.rows, " examples of ", data->inputs.columns, " inputs and ",
                   data->targets.columns, " targets"));
  return MakeLearner(plan.learner, *std::move(data));
}

LoopOptions OptionsOf(const v1::Welcome& welcome, const RunPlan& plan,
                      std::shared_ptr<const PluginKinds> plugin_kinds) {
  const std::filesystem::path directory(welcome.directory());
  LoopOptions options;
  options.target = welcome.target();
  options.knobs = plan.knobs;
  options.eta_schedule = plan.eta_schedule;
  options.run_id = directory.filename().string();
  options.directory = welcome.directory();
  options.runs_directory = directory.parent_path().string();
  options.seed = welcome.spec().seed();
  options.plugin_kinds = std::move(plugin_kinds);
  options.plugins = plan.plugins;
  options.retention = plan.retention;
  options.first_batch = welcome.spec().parent().batch();
  return options;
}

absl::StatusOr<BuiltRun> BuildRun(const v1::Welcome& welcome, std::shared_ptr<const PluginKinds> plugin_kinds) {
  absl::StatusOr<RunLock> lock = RunLock::Acquire(welcome.directory());
  if (!lock.ok()) return lock.status();
  absl::StatusOr<RunPlan> plan = PlanRun(welcome.spec());
  if (!plan.ok()) return plan.status();
  plan->learner.is_new = !welcome.resume() && !welcome.has_fork();
  const DataFiles files = DataFilesOf(welcome);
  absl::StatusOr<std::string> data_sha256 = HashOfData(files);
  if (!data_sha256.ok()) return WithFieldPrefix(data_sha256.status(), kSpec);
  if (absl::Status same = CheckDataHash(welcome.data_sha256(), *data_sha256); !same.ok()) return same;
  const std::unique_ptr<ParsedCopy> copy = ParsedCopyFor(welcome.directory(), files, *data_sha256);
  absl::StatusOr<std::unique_ptr<Learner>> learner = BuildLearner(*plan, files, copy.get());
  if (!learner.ok()) return WithFieldPrefix(learner.status(), kSpec);
  LoopOptions loop = OptionsOf(welcome, *plan, std::move(plugin_kinds));
  absl::Status ready = welcome.resume()     ? AddPast(welcome.seen_batch(), loop)
                       : welcome.has_fork() ? AddFork(welcome, **learner, copy.get(), loop)
                                            : WithFieldPrefix(CheckPlugins(loop, (*learner)->facts()), kSpec);
  if (!ready.ok()) return ready;
  const bool is_double = plan->learner.precision == Precision::kFloat64;
  return BuiltRun{.lock = *std::move(lock),
                  .learner = *std::move(learner),
                  .loop = std::move(loop),
                  .bytes_per_parameter = static_cast<int64_t>(is_double ? sizeof(double) : sizeof(float)),
                  .data_sha256 = *std::move(data_sha256)};
}

}  // namespace pilothouse::trainer
