#include "trainer/loop/supervised_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/net/network.h"

namespace pilothouse::trainer {
namespace {

constexpr char kMean[] = "standardize.mean";
constexpr char kDeviation[] = "standardize.deviation";

template <typename T>
constexpr Precision kPrecisionOf = std::is_same_v<T, float> ? Precision::kFloat32 : Precision::kFloat64;

absl::Status RefuseTensor(const std::string& name) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("The file of saved parameters does not belong to this run: its tensor ", name,
                                " is missing or has another type or shape."),
                   {{"tensor", name}});
}

// Null if the file has no such tensor.
template <typename T>
const std::vector<T>* FindValues(const TensorFile& contents, const std::string& name,
                                 const std::vector<int64_t>& shape) {
  const auto found = contents.tensors.find(name);
  if (found == contents.tensors.end() || found->second.shape != shape) return nullptr;
  return std::get_if<std::vector<T>>(&found->second.values);
}

absl::StatusOr<Standardization> ReadStandardization(const TensorFile& contents, int64_t inputs) {
  const std::vector<double>* mean = FindValues<double>(contents, kMean, {inputs});
  if (mean == nullptr) return RefuseTensor(kMean);
  const std::vector<double>* deviation = FindValues<double>(contents, kDeviation, {inputs});
  if (deviation == nullptr) return RefuseTensor(kDeviation);
  const auto usable = [](double value) { return std::isfinite(value) && value > 0; };
  if (!std::all_of(deviation->begin(), deviation->end(), usable)) return RefuseTensor(kDeviation);
  return Standardization{*mean, *deviation};
}

}  // namespace

std::vector<ParameterBlock> ParameterBlocks(const NetworkPlan& plan) {
  std::vector<ParameterBlock> blocks;
  for (const Stage& stage : plan.stages) {
    if (stage.activation.has_value()) continue;
    const std::string layer = absl::StrCat("layers.", stage.layer);
    blocks.push_back({layer + ".weight", {stage.inputs, stage.outputs}, stage.weights, stage.inputs * stage.outputs});
    blocks.push_back({layer + ".bias", {stage.outputs}, stage.biases, stage.outputs});
  }
  return blocks;
}

template <typename T>
void AddModelTensors(const std::shared_ptr<const ModelFrame>& frame, const T* parameters,
                     std::shared_ptr<const void> owner, SavedState& state) {
  for (ParameterBlock& block : ParameterBlocks(frame->plan)) {
    state.tensors[block.name] = TensorOf(parameters + block.offset, std::move(block.shape), owner);
  }
  if (!frame->standardization.has_value()) return;
  state.tensors[kMean] = TensorOf(frame->standardization->mean.data(), {frame->plan.inputs}, frame);
  state.tensors[kDeviation] = TensorOf(frame->standardization->deviation.data(), {frame->plan.inputs}, frame);
}

template <typename T>
absl::Status CopyParameters(const NetworkPlan& plan, const SavedState& state, Vector<T>& parameters) {
  const std::vector<ParameterBlock> blocks = ParameterBlocks(plan);
  for (const ParameterBlock& block : blocks) {
    if (FindTensor(state, block.name, kTensorTypeOf<T>, block.shape) == nullptr) return RefuseTensor(block.name);
  }
  for (const ParameterBlock& block : blocks) {
    const absl::string_view bytes = state.tensors.at(block.name).bytes;
    std::memcpy(parameters.data() + block.offset, bytes.data(), bytes.size());
  }
  return absl::OkStatus();
}

template <typename T>
SupervisedModel<T>::SupervisedModel(std::shared_ptr<const ModelFrame> frame, Vector<T> parameters)
    : frame_(std::move(frame)), parameters_(std::move(parameters)) {}

template <typename T>
absl::StatusOr<std::shared_ptr<const Model>> SupervisedModel<T>::FromFile(const NetworkPlan& plan, bool standardize,
                                                                          const TensorFile& contents) {
  Vector<T> parameters(plan.parameters);
  const std::vector<ParameterBlock> blocks = ParameterBlocks(plan);
  for (const ParameterBlock& block : blocks) {
    const std::vector<T>* values = FindValues<T>(contents, block.name, block.shape);
    if (values == nullptr) return RefuseTensor(block.name);
    std::copy(values->begin(), values->end(), parameters.data() + block.offset);
  }
  auto frame = std::make_shared<ModelFrame>(ModelFrame{plan, std::nullopt});
  if (standardize) {
    absl::StatusOr<Standardization> standardization = ReadStandardization(contents, plan.inputs);
    if (!standardization.ok()) return standardization.status();
    frame->standardization = *std::move(standardization);
  }
  if (contents.tensors.size() != blocks.size() + (standardize ? 2 : 0)) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                     "The file of saved parameters does not belong to this run: it holds tensors of another network.");
  }
  return std::make_shared<SupervisedModel>(std::move(frame), std::move(parameters));
}

template <typename T>
NumberArray SupervisedModel<T>::State() const {
  return {{parameters_.size()}, std::vector<T>(parameters_.begin(), parameters_.end())};
}

template <typename T>
std::shared_ptr<const Model> SupervisedModel<T>::With(const NumberArray& state) const {
  const auto& values = std::get<std::vector<T>>(state.values);
  return std::make_shared<SupervisedModel>(frame_, Eigen::Map<const Vector<T>>(values.data(), parameters_.size()));
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
        network.Predict(parameters_, ConstMatrixView<T>(block_inputs.data(), count, plan.inputs));
    std::copy_n(block_outputs.data(), block_outputs.size(), outputs.data() + begin * plan.outputs);
  }
  return {{rows, plan.outputs}, std::move(outputs)};
}

template <typename T>
absl::Status SupervisedModel<T>::Save(const std::string& path, int64_t batch) const {
  TensorFile contents;
  contents.metadata = {{"batch", absl::StrCat(batch)}, {"precision", Name(kPrecisionOf<T>)}};
  for (const ParameterBlock& block : ParameterBlocks(frame_->plan)) {
    const T* begin = parameters_.data() + block.offset;
    contents.tensors[block.name] = {block.shape, std::vector<T>(begin, begin + block.size)};
  }
  if (frame_->standardization.has_value()) {
    contents.tensors[kMean] = {{frame_->plan.inputs}, frame_->standardization->mean};
    contents.tensors[kDeviation] = {{frame_->plan.inputs}, frame_->standardization->deviation};
  }
  return WriteSafetensors(path, contents);
}

template <typename T>
absl::Status SupervisedModel<T>::CheckFile(const std::string& path) const {
  const absl::StatusOr<TensorFile> contents = ReadSafetensors(path);
  if (!contents.ok()) return contents.status();
  return FromFile(frame_->plan, frame_->standardization.has_value(), *contents).status();
}

template void AddModelTensors(const std::shared_ptr<const ModelFrame>&, const float*, std::shared_ptr<const void>,
                              SavedState&);
template void AddModelTensors(const std::shared_ptr<const ModelFrame>&, const double*, std::shared_ptr<const void>,
                              SavedState&);
template absl::Status CopyParameters(const NetworkPlan&, const SavedState&, Vector<float>&);
template absl::Status CopyParameters(const NetworkPlan&, const SavedState&, Vector<double>&);
template class SupervisedModel<float>;
template class SupervisedModel<double>;

}  // namespace pilothouse::trainer
