#include "trainer/loop/supervised_model.h"

#include <algorithm>
#include <cmath>
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

// A tensor of an affine layer, and where its values lie in the state vector.
struct TensorPlace {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset = 0;
  int64_t count = 0;
};

std::vector<TensorPlace> TensorPlaces(const NetworkPlan& plan) {
  std::vector<TensorPlace> places;
  for (const Stage& stage : plan.stages) {
    if (stage.activation.has_value()) continue;
    const std::string layer = absl::StrCat("layers.", stage.layer);
    places.push_back({layer + ".weight", {stage.inputs, stage.outputs}, stage.weights, stage.inputs * stage.outputs});
    places.push_back({layer + ".bias", {stage.outputs}, stage.biases, stage.outputs});
  }
  return places;
}

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

template <typename T>
SupervisedModel<T>::SupervisedModel(std::shared_ptr<const ModelFrame> frame, Vector<T> parameters)
    : frame_(std::move(frame)), parameters_(std::move(parameters)) {}

template <typename T>
absl::StatusOr<std::shared_ptr<const Model>> SupervisedModel<T>::FromFile(const NetworkPlan& plan, bool standardize,
                                                                          const TensorFile& contents) {
  Vector<T> parameters(plan.parameters);
  const std::vector<TensorPlace> places = TensorPlaces(plan);
  for (const TensorPlace& place : places) {
    const std::vector<T>* values = FindValues<T>(contents, place.name, place.shape);
    if (values == nullptr) return RefuseTensor(place.name);
    std::copy(values->begin(), values->end(), parameters.data() + place.offset);
  }
  auto frame = std::make_shared<ModelFrame>(ModelFrame{plan, std::nullopt});
  if (standardize) {
    absl::StatusOr<Standardization> standardization = ReadStandardization(contents, plan.inputs);
    if (!standardization.ok()) return standardization.status();
    frame->standardization = *std::move(standardization);
  }
  if (contents.tensors.size() != places.size() + (standardize ? 2 : 0)) {
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
  for (const TensorPlace& place : TensorPlaces(frame_->plan)) {
    const T* begin = parameters_.data() + place.offset;
    contents.tensors[place.name] = {place.shape, std::vector<T>(begin, begin + place.count)};
  }
  if (frame_->standardization.has_value()) {
    contents.tensors[kMean] = {{frame_->plan.inputs}, frame_->standardization->mean};
    contents.tensors[kDeviation] = {{frame_->plan.inputs}, frame_->standardization->deviation};
  }
  return WriteSafetensors(path, contents);
}

template class SupervisedModel<float>;
template class SupervisedModel<double>;

}  // namespace pilothouse::trainer
