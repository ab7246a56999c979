#include "trainer/loop/supervised_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/net/network.h"

namespace pilothouse::trainer {
namespace {

constexpr char kMean[] = "standardize.mean";
constexpr char kDeviation[] = "standardize.deviation";
// As PyTorch calls them.
constexpr char kRunningMean[] = ".running_mean";
constexpr char kRunningVariance[] = ".running_var";

template <typename T>
constexpr Precision kPrecisionOf = std::is_same_v<T, float> ? Precision::kFloat32 : Precision::kFloat64;

absl::Status RefuseTensor(const std::string& name) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("The file of saved parameters does not belong to this run: its tensor ", name,
                                " is missing, or has another type or shape, or numbers that cannot be."),
                   {{"tensor", name}});
}

absl::StatusOr<std::vector<double>> ReadColumns(const SavedState& contents, const char* name, int64_t inputs) {
  const SavedTensor* tensor = FindTensor(contents, name, TensorType::kFloat64, {inputs});
  if (tensor == nullptr) return RefuseTensor(name);
  std::vector<double> values(static_cast<size_t>(inputs));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

absl::StatusOr<Standardization> ReadStandardization(const SavedState& contents, int64_t inputs) {
  absl::StatusOr<std::vector<double>> mean = ReadColumns(contents, kMean, inputs);
  if (!mean.ok()) return mean.status();
  absl::StatusOr<std::vector<double>> deviation = ReadColumns(contents, kDeviation, inputs);
  if (!deviation.ok()) return deviation.status();
  const auto usable = [](double value) { return std::isfinite(value) && value > 0; };
  if (!std::all_of(deviation->begin(), deviation->end(), usable)) return RefuseTensor(kDeviation);
  return Standardization{*std::move(mean), *std::move(deviation)};
}

// The parts of the running statistics, in their order.
std::vector<ParameterBlock> StatisticsBlocks(const NetworkPlan& plan) {
  std::vector<ParameterBlock> blocks;
  for (const Stage& stage : plan.stages) {
    const auto* norm = std::get_if<BatchNormStep>(&stage.step);
    if (norm == nullptr) continue;
    const std::string layer = absl::StrCat("layers.", stage.layer);
    blocks.push_back({absl::StrCat(layer, kRunningMean), {stage.outputs}, norm->means, stage.outputs});
    blocks.push_back({absl::StrCat(layer, kRunningVariance), {stage.outputs}, norm->variances, stage.outputs});
  }
  return blocks;
}

template <typename T>
void AddBlocks(std::vector<ParameterBlock> blocks, const T* numbers, const std::shared_ptr<const void>& owner,
               SavedState& state) {
  for (ParameterBlock& block : blocks) {
    state.tensors[block.name] = TensorOf(numbers + block.offset, std::move(block.shape), owner);
  }
}

template <typename T>
absl::Status CopyBlocks(const std::vector<ParameterBlock>& blocks, const SavedState& state, Vector<T>& numbers) {
  for (const ParameterBlock& block : blocks) {
    const SavedTensor* tensor = FindTensor(state, block.name, kTensorTypeOf<T>, block.shape);
    if (tensor == nullptr) return RefuseTensor(block.name);
    std::memcpy(numbers.data() + block.offset, tensor->bytes.data(), tensor->bytes.size());
    // Of NaN a run may have made its own; a negative variance is none.
    const bool is_variance = absl::EndsWith(block.name, kRunningVariance);
    if (is_variance && (numbers.segment(block.offset, block.size).array() < 0).any()) return RefuseTensor(block.name);
  }
  return absl::OkStatus();
}

// Whether a tensor of a checkpoint belongs to the network.
bool IsOfModel(const std::pair<const std::string, SavedTensor>& tensor) {
  return !absl::StartsWith(tensor.first, "plugins.") && !absl::StartsWith(tensor.first, "optimizer.");
}

}  // namespace

std::vector<ParameterBlock> ParameterBlocks(const NetworkPlan& plan) {
  std::vector<ParameterBlock> blocks;
  for (const Stage& stage : plan.stages) {
    const std::string layer = absl::StrCat("layers.", stage.layer);
    const auto add = [&](absl::string_view name, std::vector<int64_t> shape, int64_t offset, int64_t size) {
      blocks.push_back({absl::StrCat(layer, name), std::move(shape), offset, size});
    };
    if (const auto* affine = std::get_if<AffineStep>(&stage.step)) {
      add(".weight", {stage.inputs, stage.outputs}, affine->weights, stage.inputs * stage.outputs);
      add(".bias", {stage.outputs}, affine->biases, stage.outputs);
    } else if (const auto* norm = std::get_if<LayerNormStep>(&stage.step)) {
      add(".weight", {stage.outputs}, norm->gains, stage.outputs);
      add(".bias", {stage.outputs}, norm->biases, stage.outputs);
    } else if (const auto* batch_norm = std::get_if<BatchNormStep>(&stage.step)) {
      add(".weight", {stage.outputs}, batch_norm->gains, stage.outputs);
      add(".bias", {stage.outputs}, batch_norm->biases, stage.outputs);
    }
  }
  return blocks;
}

template <typename T>
void AddModel(const std::shared_ptr<const ModelFrame>& frame, const T* parameters, const T* statistics,
              const std::shared_ptr<const void>& owner, SavedState& state) {
  state.texts["precision"] = Name(kPrecisionOf<T>);
  AddBlocks(ParameterBlocks(frame->plan), parameters, owner, state);
  AddBlocks(StatisticsBlocks(frame->plan), statistics, owner, state);
  if (!frame->standardization.has_value()) return;
  state.tensors[kMean] = TensorOf(frame->standardization->mean.data(), {frame->plan.inputs}, frame);
  state.tensors[kDeviation] = TensorOf(frame->standardization->deviation.data(), {frame->plan.inputs}, frame);
}

template <typename T>
absl::StatusOr<Learnt<T>> LearntIn(const NetworkPlan& plan, const SavedState& state) {
  Learnt<T> learnt{Vector<T>(plan.parameters), Vector<T>(plan.statistics)};
  if (absl::Status status = CopyBlocks(ParameterBlocks(plan), state, learnt.parameters); !status.ok()) return status;
  if (absl::Status status = CopyBlocks(StatisticsBlocks(plan), state, learnt.statistics); !status.ok()) return status;
  return learnt;
}

template <typename T>
SupervisedModel<T>::SupervisedModel(std::shared_ptr<const ModelFrame> frame, Learnt<T> learnt)
    : frame_(std::move(frame)), learnt_(std::move(learnt)) {}

template <typename T>
absl::StatusOr<std::shared_ptr<const SupervisedModel<T>>> SupervisedModel<T>::FromFile(const NetworkPlan& plan,
                                                                                       bool standardize,
                                                                                       const SavedState& contents) {
  absl::StatusOr<Learnt<T>> learnt = LearntIn<T>(plan, contents);
  if (!learnt.ok()) return learnt.status();
  auto frame = std::make_shared<ModelFrame>(ModelFrame{plan, std::nullopt});
  if (standardize) {
    absl::StatusOr<Standardization> standardization = ReadStandardization(contents, plan.inputs);
    if (!standardization.ok()) return standardization.status();
    frame->standardization = *std::move(standardization);
  }
  const int64_t tensors = std::count_if(contents.tensors.begin(), contents.tensors.end(), IsOfModel);
  const size_t of_network = ParameterBlocks(plan).size() + StatisticsBlocks(plan).size();
  if (tensors != static_cast<int64_t>(of_network) + (standardize ? 2 : 0)) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                     "The file of saved parameters does not belong to this run: it holds tensors of another network.");
  }
  return std::make_shared<SupervisedModel>(std::move(frame), *std::move(learnt));
}

template <typename T>
NumberArray SupervisedModel<T>::State() const {
  const Vector<T>& parameters = learnt_.parameters;
  return {{parameters.size()}, std::vector<T>(parameters.begin(), parameters.end())};
}

template <typename T>
std::shared_ptr<const Model> SupervisedModel<T>::With(const NumberArray& state) const {
  const auto& values = std::get<std::vector<T>>(state.values);
  const Eigen::Map<const Vector<T>> parameters(values.data(), learnt_.parameters.size());
  return std::make_shared<SupervisedModel>(frame_, Learnt<T>{parameters, learnt_.statistics});
}

template <typename T>
NumberArray SupervisedModel<T>::Predict(absl::Span<const double> inputs, int64_t rows) const {
  const NetworkPlan& plan = frame_->plan;
  std::vector<T> outputs(static_cast<size_t>(rows * plan.outputs));
  Network<T> network(plan, std::min(rows, kPredictBlockRows));
  std::vector<double> block;
  Matrix<T> block_inputs;
  for (int64_t begin = 0; begin < rows; begin += kPredictBlockRows) {
    const int64_t count = std::min(kPredictBlockRows, rows - begin);
    const auto source =
        inputs.subspan(static_cast<size_t>(begin * plan.inputs), static_cast<size_t>(count * plan.inputs));
    block.assign(source.begin(), source.end());
    if (frame_->standardization.has_value()) Standardize(*frame_->standardization, absl::MakeSpan(block));
    block_inputs = ConstMatrixView<double>(block.data(), count, plan.inputs).template cast<T>();
    const ConstMatrixView<T> block_outputs =
        network.Predict(learnt_, ConstMatrixView<T>(block_inputs.data(), count, plan.inputs));
    std::copy_n(block_outputs.data(), block_outputs.size(), outputs.data() + begin * plan.outputs);
  }
  return {{rows, plan.outputs}, std::move(outputs)};
}

template <typename T>
absl::Status SupervisedModel<T>::Save(const std::string& path, int64_t batch) const {
  // Written before this returns: nothing needs to be copied, or kept alive.
  SavedState contents;
  AddModel(frame_, learnt_.parameters.data(), learnt_.statistics.data(), nullptr, contents);
  contents.texts["batch"] = absl::StrCat(batch);
  return WriteSafetensors(path, contents);
}

template <typename T>
absl::Status SupervisedModel<T>::CheckFile(const std::string& path) const {
  const absl::StatusOr<SavedState> contents = ReadSafetensors(path);
  if (!contents.ok()) return contents.status();
  return FromFile(frame_->plan, frame_->standardization.has_value(), *contents).status();
}

template void AddModel(const std::shared_ptr<const ModelFrame>&, const float*, const float*,
                       const std::shared_ptr<const void>&, SavedState&);
template void AddModel(const std::shared_ptr<const ModelFrame>&, const double*, const double*,
                       const std::shared_ptr<const void>&, SavedState&);
template absl::StatusOr<Learnt<float>> LearntIn(const NetworkPlan&, const SavedState&);
template absl::StatusOr<Learnt<double>> LearntIn(const NetworkPlan&, const SavedState&);
template class SupervisedModel<float>;
template class SupervisedModel<double>;

}  // namespace pilothouse::trainer
